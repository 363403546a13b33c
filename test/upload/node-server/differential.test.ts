import { expect, it } from 'vitest';
import { differences, type Row } from './differences.ts';
import { openPeers } from './peers.ts';
import { script, seen } from './script.ts';

it('differs from @tus/server with files, and from our own dialect, in what is listed and in nothing else', async () => {
  const peers = await openPeers();
  const found: Row[] = [];
  try {
    for (const [step, ask] of Object.entries(script)) {
      const [own = {}, node = {}, reference = {}] = await Promise.all(
        peers.map(async (peer) => seen(step, await ask(peer))),
      );
      const headers = new Set([own, node, reference].flatMap((answer) => Object.keys(answer)));
      for (const header of headers) {
        const row = [
          step,
          header,
          own[header] ?? null,
          node[header] ?? null,
          reference[header] ?? null,
        ] as const;
        if (row[2] !== row[3] || row[3] !== row[4]) found.push(row);
      }
    }
  } finally {
    for (const peer of peers) await peer.close();
  }
  const listed = differences.flatMap(({ are }) => are);
  const text = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  expect(text(found)).toEqual(text(listed));
});
