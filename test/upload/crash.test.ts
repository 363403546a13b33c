import { appendFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

const rounds = 12;

it('never loses an acknowledged byte to kill -9, and the bytes are the ones that were sent', async () => {
  const length = 30_000_000;
  const bytes = pattern(length);
  const first = await Engine.open();
  const { folder } = first;
  const { id } = await first.uploads.create(alice, request(length));
  await first.close();
  let least = 0;
  let rose = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const loader = fileURLToPath(new URL('typescript.mjs', import.meta.url));
      const writer = fileURLToPath(new URL('killed-writer.ts', import.meta.url));
      const child = await startChild(process.execPath, [loader, writer, folder, id, String(length)], {});
      await child.waitFor(round === 0 ? /^started$/ : /^acknowledged/);
      // Somewhere in the middle of a body, another place each round.
      await new Promise((resolve) => setTimeout(resolve, 5 + round * 13));
      child.kill('SIGKILL');
      await child.exited;
      expect(child.stdout).not.toContain('done');
      const acknowledged = child.stdout.flatMap((line) => /^acknowledged (\d+)$/.exec(line)?.[1] ?? []);
      const before = least;
      least = Math.max(least, ...acknowledged.map(Number));

      const engine = await Engine.open({ folder });
      const { offset } = engine.uploads.head(id, alice);
      expect(offset).toBeGreaterThanOrEqual(least);
      expect((await engine.bytes(id)).equals(bytes.subarray(0, offset))).toBe(true);
      rose += offset > before ? 1 : 0;
      least = offset;
      await engine.close();
    }
    // Otherwise the kills came too early to show anything.
    expect(rose).toBeGreaterThanOrEqual(rounds - 1);
    const last = await Engine.open({ folder });
    await last.uploads.append(id, alice, { offset: least }, FakeBody.of(bytes.subarray(least), 1_000_000));
    expect((await last.bytes(id)).equals(bytes)).toBe(true);
    expect(last.received).toEqual([id]);
    await last.remove();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

it('cuts off what a crash left beyond the recorded offset', async () => {
  const engine = await Engine.open();
  const { id } = await engine.uploads.create(alice, request(100));
  await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(40)));
  const file = engine.fileOf(id);
  await engine.close();
  await appendFile(file, pattern(500, 9));
  const again = await Engine.open({ folder: engine.folder });
  expect(again.uploads.head(id, alice).offset).toBe(40);
  await again.uploads.append(id, alice, { offset: 40 }, FakeBody.of(pattern(100).subarray(40, 70)));
  expect(await again.file(id)).toEqual(pattern(100).subarray(0, 70));
  await again.remove();
});
