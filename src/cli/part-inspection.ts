import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InflationFault } from '../work/inflation.ts';
import { Inspector } from '../work/inspector.ts';
import { type Inspection as Found, isDeflated } from '../work/jobs.ts';
import { readInflated } from './inflated.ts';
import { type Inspection, judged } from './inspection.ts';
import type { PartContent } from './part-content.ts';

/** What one instance in a package is; as of a file, but that it has no path of its own. */
export type PartInspection = Omit<Inspection, 'path' | 'mtimeMs'>;

/** Says of an instance in a package what the exchange would. */
export async function inspectPart(content: PartContent): Promise<PartInspection> {
  const found = await find(content);
  const isDamaged = content.crc32 !== null && found.crc32 !== content.crc32;
  return { bytes: content.bytes, ...judged(found, isDamaged) };
}

async function find(content: PartContent): Promise<Found> {
  const inspector = new Inspector(content.bytes);
  try {
    for await (const chunk of content.chunks()) inspector.feed(chunk);
  } catch (thrown) {
    if (!(thrown instanceof InflationFault)) throw thrown;
    const { code, offset, reason } = thrown;
    // Of no digest: what was hashed is not what was sent, nor all of what it stands for.
    const none = { scan: undefined, identity: undefined, sha256: new Uint8Array(0), crc32: -1 };
    return { ...none, error: { code, tag: '', offset, reason } };
  }
  const found = inspector.finish();
  if (!isDeflated(found)) return found;
  return content.ranges === null ? await findInTwoSteps(content) : await readInflated(content.ranges);
}

/**
 * A deflated dataset in a deflated entry. Its inflated form is read by its offsets, so that the entry is
 * written out for a moment, for this user alone.
 */
async function findInTwoSteps(content: PartContent): Promise<Found> {
  const folder = await mkdtemp(join(tmpdir(), 'sluis-'));
  try {
    const path = join(folder, 'entry');
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of content.chunks()) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
    return await readInflated([{ path, start: 0, bytes: content.bytes }]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
