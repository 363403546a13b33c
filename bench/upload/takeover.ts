/** How long does a client that comes back wait for the connection it has lost? On a disk, in the default mode. */
import { percentile } from '../lib/report.ts';
import type { Findings } from './findings.ts';
import { MiB, openDiskFolder, type Scale } from './scale.ts';
import { startSender } from './sending.ts';
import { startSluis } from './subjects.ts';

export async function takeover(found: Findings, scale: Scale): Promise<void> {
  const count = scale.quick ? 20 : 300;
  const folder = await openDiskFolder(100 * MiB);
  const sender = startSender();
  const ours = await startSluis(folder.path);
  try {
    found.progress(`takeover: ${count.toString()} times`);
    const ms = await sender.ask<number[]>('takeover', { target: ours.target, count });
    for (const [name, part] of Object.entries({ p50: 0.5, p99: 0.99, worst: 1 })) {
      found.add('sluis', `replacing a stalled holder, ${name}`, 'ms', percentile(ms, part));
    }
  } finally {
    await Promise.all([sender.stop(), ours.stop()]);
    await folder.remove();
  }
  found.atMost(
    'replacing a stalled holder: p99 in ms',
    found.of('sluis', 'replacing a stalled holder, p99'),
    100,
  );
}
