/** One stream into memory, the same sender to all: what do throughput and CPU depend on but the server? */
import type { Findings } from './findings.ts';
import { openMemoryFolder, type Scale } from './scale.ts';
import { sendOnce, startSender } from './sending.ts';
import { type Subject, startDiscard, startSluis, startTusd, startTusNode } from './subjects.ts';

const ours = 'sluis';
const hashing = 'sluis, with the ledger';
const peer = '@tus/server';

export async function stream(found: Findings, scale: Scale): Promise<void> {
  const folder = await openMemoryFolder(3 * scale.streamBytes);
  const sender = startSender();
  const subjects: Subject[] = [];
  try {
    subjects.push(
      await startDiscard(),
      await startSluis(folder.file('plain'), { ledger: false }, { name: ours }),
      await startSluis(folder.file('ledger'), { ledger: true }, { name: hashing }),
      await startTusNode(folder.file('tus-node')),
      ...(await tusd(found, folder.file('tusd'))),
    );
    // The first round warms up and does not count.
    for (let round = 0; round <= scale.rounds; round += 1) {
      for (const subject of subjects) {
        const cost = await sendOnce(sender, subject, 1, scale.streamBytes);
        const { mebibytesPerSecond, cpuSecondsPerGiB } = cost;
        found.progress(
          `stream ${round.toString()}/${scale.rounds.toString()}  ${subject.name}: ` +
            `${mebibytesPerSecond.toFixed(0)} MiB/s, ${cpuSecondsPerGiB.toFixed(2)} CPU s/GiB`,
        );
        if (round === 0) continue;
        found.add(subject.name, 'one stream', 'MiB/s', mebibytesPerSecond);
        found.add(subject.name, 'one stream, CPU', 's/GiB', cpuSecondsPerGiB);
      }
    }
  } finally {
    await Promise.all([sender, ...subjects].map((each) => each.stop()));
    await folder.remove();
  }
  const [rate, cpu] = ['one stream', 'one stream, CPU'].map((metric) => (of: string) => found.of(of, metric));
  if (rate === undefined || cpu === undefined) return;
  found.atLeast("one stream, of @tus/server's rate", rate(ours) / rate(peer), 2.5);
  found.atMost("one stream, of @tus/server's CPU per GiB", cpu(ours) / cpu(peer), 1 / 3);
  found.atMost("one stream with the ledger, of @tus/server's CPU per GiB", cpu(hashing) / cpu(peer), 1 / 2);
  found.atLeast("one stream, of tusd's rate", rate(ours) / rate('tusd'), 1);
  found.atMost("one stream, of tusd's CPU per GiB", cpu(ours) / cpu('tusd'), 1);
}

/** Without it its bars do not hold, rather than that the others are not measured. */
async function tusd(found: Findings, folder: string): Promise<Subject[]> {
  try {
    return [await startTusd(folder)];
  } catch (error) {
    found.note(`tusd was not measured: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}
