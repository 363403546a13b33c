import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeliveryItem, NamedItem } from './answers.ts';
import { pieces } from './file-bytes.ts';
import { InstanceFile, partOf } from './instance-file.ts';

/**
 * Names the instances of a delivery, one of each digest: <UID>.dcm, and UID-2.dcm for the second object that
 * claims the same SOP Instance UID (an acute transfer may hold two).
 */
export function namedItems(items: readonly DeliveryItem[]): NamedItem[] {
  const digests = new Map<string, Set<string>>();
  return items.flatMap((item) => {
    const uid = `${item.studyInstanceUid}/${item.sopInstanceUid}`;
    const known = digests.get(uid) ?? new Set();
    digests.set(uid, known);
    if (known.has(item.sha256)) return [];
    known.add(item.sha256);
    const number = known.size === 1 ? '' : `-${known.size.toString()}`;
    return [{ ...item, fileName: `${item.sopInstanceUid}${number}.dcm` }];
  });
}

/**
 * Where received instances go: OUT/<study>/<instance>.dcm, for this user alone. The UIDs were held against a
 * pattern before.
 */
export class StudyFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  fileOf({ studyInstanceUid, fileName }: NamedItem): string {
    return join(this.path, studyInstanceUid, fileName);
  }

  async openFile(item: NamedItem): Promise<InstanceFile> {
    await mkdir(join(this.path, item.studyInstanceUid), { recursive: true, mode: 0o700 });
    return await InstanceFile.open(this.fileOf(item), item);
  }

  /**
   * True when the instance is here, which its bytes say and not its name. What has the same name and
   * other bytes was received before in another form (another dialect, a correction): it is set aside
   * under its own digest, never written over. `onAside` is told; `onBytes` counts what was read.
   */
  async holds(
    item: NamedItem,
    onAside: (path: string) => void,
    onBytes: (bytes: number) => void,
  ): Promise<boolean> {
    const path = this.fileOf(item);
    const digest = await digestOf(path, onBytes);
    if (digest === undefined) return false;
    if (digest === item.sha256) return true;
    const older = `${path}.${digest.slice(0, 12)}.old`;
    await rename(path, older);
    onAside(older);
    return false;
  }

  /** Bytes of an instance that an earlier try left; what is larger than the instance is of no use. */
  async partBytes(item: NamedItem): Promise<number> {
    const facts = await stat(partOf(this.fileOf(item))).catch(undefinedIfAbsent);
    return facts === undefined || facts.size > item.bytes ? 0 : facts.size;
  }

  async removePart(item: NamedItem): Promise<void> {
    await rm(partOf(this.fileOf(item)), { force: true });
  }

  /** Makes the names survive a power cut; the bytes do already. */
  async sync(items: readonly NamedItem[]): Promise<void> {
    const studies = new Set(items.map(({ studyInstanceUid }) => join(this.path, studyInstanceUid)));
    for (const folder of [...studies, this.path]) await syncFolder(folder);
  }
}

async function digestOf(path: string, onBytes: (bytes: number) => void): Promise<string | undefined> {
  const file = await open(path, 'r').catch(undefinedIfAbsent);
  if (file === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    for await (const piece of pieces(file, 0, (await file.stat()).size)) {
      hash.update(piece);
      onBytes(piece.length);
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows has no handle on a folder; its file system keeps names by itself.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function undefinedIfAbsent(thrown: NodeJS.ErrnoException): undefined {
  if (thrown.code !== 'ENOENT') throw thrown;
  return undefined;
}
