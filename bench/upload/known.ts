/** What does a request cost when more uploads are known? In memory, so that a disk's mood is not what is measured. */
import { cpuSeconds } from '../lib/helper.ts';
import { median } from '../lib/report.ts';
import type { Findings } from './findings.ts';
import { openMemoryFolder, type Scale } from './scale.ts';
import type { SmallMs } from './sender.ts';
import { startSender } from './sending.ts';
import { type Subject, startSluis } from './subjects.ts';

/** A record, its key and LMDB's own, with room to spare. */
const RECORD_BYTES = 2048;
const methods = ['POST', 'HEAD', 'PATCH', 'DELETE'] as const;
const cpu = 'CPU of the four';

export async function known(found: Findings, scale: Scale): Promise<void> {
  // Short turns, many of them: what else the machine does then falls on all alike.
  const requests = scale.quick ? 100 : 300;
  const rounds = 3 * scale.rounds;
  const all = scale.known.reduce((sum, count) => sum + count, 0);
  const folder = await openMemoryFolder(all * RECORD_BYTES);
  const sender = startSender();
  const servers: { count: number; subject: Subject }[] = [];
  try {
    for (const count of scale.known) {
      const begun = performance.now();
      found.progress(`known: ${count.toString()} uploads are written`);
      const place = folder.file(count.toString());
      servers.push({ count, subject: await startSluis(place, {}, { name: nameOf(count), known: count }) });
      found.add(nameOf(count), 'writing them and starting', 's', (performance.now() - begun) / 1000);
    }
    // The first round warms up and does not count.
    for (let round = 0; round <= rounds; round += 1) {
      for (const { count, subject } of servers) {
        const before = cpuSeconds(subject.pid);
        const ms = await sender.ask<SmallMs>('small', { target: subject.target, count: requests });
        const used = cpuSeconds(subject.pid) - before;
        const each = methods.map((method) => `${method} ${median(ms[method]).toFixed(3)} ms`).join(', ');
        found.progress(`known ${round.toString()}/${rounds.toString()}  ${count.toString()}: ${each}`);
        if (round === 0) continue;
        for (const method of methods) found.add(nameOf(count), method, 'ms', median(ms[method]));
        found.add(nameOf(count), cpu, 'ms', (used * 1000) / requests);
      }
    }
  } finally {
    await Promise.all([sender, ...servers.map(({ subject }) => subject)].map((each) => each.stop()));
    await folder.remove();
  }
  const range = `${scale.known[0]?.toString() ?? ''} to ${scale.known.at(-1)?.toString() ?? ''} known uploads`;
  for (const metric of [cpu, ...methods]) {
    const costs = scale.known.map((count) => found.of(nameOf(count), metric));
    const spread = Math.max(...costs) / Math.min(...costs);
    found.atMost(`${range}, ${metric}: largest to smallest`, spread, 1.5);
  }
}

const nameOf = (count: number): string => `sluis, ${count.toString()} known uploads`;
