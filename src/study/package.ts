import { type ListArchive, listArchive } from './archive.ts';
import { PackageBroken } from './fault.ts';
import { partsPerCallMax } from './limits.ts';
import type { ReadRange } from './peek.ts';
import { Step } from './step.ts';
import type { PackageWalk, WalkStep } from './walk.ts';

export { ArchiveListings, type ListArchive } from './archive.ts';
export {
  beginWalk,
  isPackageWalk,
  type OpenPart,
  type PackageWalk,
  type Part,
  type WalkStep,
  type ZipEntry,
} from './walk.ts';

/**
 * Walks on over what is published of an upload, and finds the parts of its package (RFC 2046, 2387), or
 * the entries of its archive (APPNOTE 6.3.10).
 *
 * Parts with a Content-Length are jumped over without a read; in others the delimiter is searched. An
 * archive is left until its last byte is there. A step with parts may have more at once: call again
 * until it comes without, then wait for bytes.
 *
 * @param read the bytes [start, end) of the upload, exactly; given away, since entries of an archive are
 *   read several at once
 * @param published bytes that may be read
 * @param total bytes of the whole upload, null while it is not known
 * @param list lists an archive; of ArchiveListings, so that not every step reads its directory
 * @throws what `read` throws, and nothing else; a package that is wrong is `broken`
 */
export async function nextParts(
  walk: PackageWalk,
  read: ReadRange,
  published: number,
  total: number | null,
  list: ListArchive = listArchive,
): Promise<WalkStep> {
  const step = new Step(walk, { read, published, total, list });
  try {
    while (step.parts.length < partsPerCallMax && (await step.advance())) {
      // Every advance goes at least one byte or one stage further.
    }
    return step.result();
  } catch (thrown) {
    if (!(thrown instanceof PackageBroken)) throw thrown;
    return step.broken(thrown.fault);
  }
}
