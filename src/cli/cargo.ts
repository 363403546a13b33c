import { packageType } from '../study/multipart.ts';
import { boundaryFor, type Plan, planFile, planPackage } from '../study/sending.ts';
import type { Gathered } from './gathering.ts';
import { digestOf, type Manifest, manifestOf } from './order.ts';

/** What one sending brings: what its transfer will hold, and the bytes of its upload. */
export interface Cargo {
  readonly manifest: Manifest;
  /** The media type of the upload. */
  readonly filetype: string;
  readonly content: Plan;
  /** The SHA-256 of the ZIP that is uploaded; null for a package of our own. */
  readonly archive: string | null;
}

/** A ZIP as it is, or else all files as one package: the same files are the same bytes at every run. */
export function cargoOf(gathered: Gathered): Cargo {
  const manifest = manifestOf(gathered);
  const { archive, instances, reports } = gathered;
  if (archive !== null) {
    const content = planFile(archive);
    return { manifest, filetype: 'application/zip', content, archive: archive.sha256 };
  }
  const content = planPackage([...instances, ...reports], boundaryFor(digestOf(manifest)));
  return { manifest, filetype: packageType(content.boundary), content, archive: null };
}
