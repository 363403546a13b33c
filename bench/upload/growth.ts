/** What does a gibibyte cost when more uploads share it? Held against what the listener alone costs, at the same number. */
import type { Findings } from './findings.ts';
import { openMemoryFolder, type Scale } from './scale.ts';
import { sendOnce, startSender } from './sending.ts';
import { startDiscard, startSluis } from './subjects.ts';

export async function growth(found: Findings, scale: Scale): Promise<void> {
  const { growthBytes, uploads } = scale;
  const rounds = Math.min(3, scale.rounds);
  const folder = await openMemoryFolder(2 * growthBytes);
  const sender = startSender();
  const discard = await startDiscard();
  const ours = await startSluis(folder.path, { ledger: false });
  try {
    // The first round warms up and does not count.
    for (let round = 0; round <= rounds; round += 1) {
      for (const count of uploads) {
        const bytes = Math.ceil(growthBytes / count);
        const limit = await sendOnce(sender, discard, count, bytes);
        const cost = await sendOnce(sender, ours, count, bytes);
        const ratio = cost.cpuSeconds / limit.cpuSeconds;
        const [here, there] = [cost, limit].map((each) => each.cpuSecondsPerGiB.toFixed(3));
        found.progress(
          `growth ${round.toString()}/${rounds.toString()}  ${count.toString()} uploads: ` +
            `${here ?? ''} CPU s/GiB, ${there ?? ''} to discard, ${ratio.toFixed(2)} times`,
        );
        if (round === 0) continue;
        found.add('sluis', metric(count), 's/GiB', cost.cpuSecondsPerGiB);
        found.add('uWS discard', metric(count), 's/GiB', limit.cpuSecondsPerGiB);
        found.add('sluis to uWS discard', metric(count), 'times', ratio);
      }
    }
  } finally {
    await Promise.all([sender, discard, ours].map((each) => each.stop()));
    await folder.remove();
  }
  const ratios = uploads.map((count) => found.of('sluis to uWS discard', metric(count)));
  const spread = Math.max(...ratios) / Math.min(...ratios);
  const range = `${uploads[0]?.toString() ?? ''} to ${uploads.at(-1)?.toString() ?? ''} uploads`;
  found.atMost(`CPU per GiB of uWS discard's, ${range}: largest to smallest`, spread, 1.2);
  // What grows with the number is what matters; that the listener alone grows faster makes the first one large.
  const growth = Math.max(...ratios) / (ratios[0] ?? Number.NaN);
  found.atMost(`CPU per GiB of uWS discard's, ${range}: largest to that of the fewest`, growth, 1.2);
}

const metric = (count: number): string => `${count.toString()} uploads, CPU`;
