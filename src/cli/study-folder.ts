import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedItem } from './answers.ts';
import { digestOf } from './file-bytes.ts';
import { InstanceFile, partOf } from './instance-file.ts';

/**
 * Where received items go: OUT/<study>/<instance>.dcm, and reports beside them (item-names.ts), for this user
 * alone. The UIDs were held against a pattern before.
 */
export class StudyFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  fileOf({ folder, fileName }: NamedItem): string {
    return join(this.path, folder, fileName);
  }

  async openFile(item: NamedItem): Promise<InstanceFile> {
    await mkdir(join(this.path, item.folder), { recursive: true, mode: 0o700 });
    return await InstanceFile.open(this.fileOf(item), item);
  }

  /**
   * True when the item is here, which its bytes say and not its name. What has the same name and
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

  /** Bytes of an item that an earlier try left; what is larger than the item is of no use. */
  async partBytes(item: NamedItem): Promise<number> {
    const facts = await stat(partOf(this.fileOf(item))).catch(undefinedIfAbsent);
    return facts === undefined || facts.size > item.bytes ? 0 : facts.size;
  }

  async removePart(item: NamedItem): Promise<void> {
    await rm(partOf(this.fileOf(item)), { force: true });
  }

  /** Makes the names survive a power cut; the bytes do already. */
  async sync(items: readonly NamedItem[]): Promise<void> {
    const folders = new Set(items.map(({ folder }) => join(this.path, folder)));
    for (const folder of [...folders, this.path]) await syncFolder(folder);
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
