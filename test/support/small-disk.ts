import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { openTempFolder } from './temp-folder.ts';

/** A disk of its own, of so many megabytes, which only root can mount: for tests that stand with the peers. */
export async function openSmallDisk(name: string, megabytes: number) {
  const folder = await openTempFolder(name);
  const path = folder.file('disk');
  mkdirSync(path, { mode: 0o700 });
  const owner = `uid=${String(process.getuid?.())},mode=700`;
  asRoot('mount', '-t', 'tmpfs', '-o', `size=${megabytes.toString()}m,${owner}`, 'tmpfs', path);
  return {
    path,
    remove: async (): Promise<void> => {
      asRoot('umount', path);
      await folder.remove();
    },
  };
}

function asRoot(file: string, ...args: string[]): void {
  const isRoot = process.getuid?.() === 0;
  execFileSync(isRoot ? file : 'sudo', isRoot ? args : ['-n', file, ...args]);
}
