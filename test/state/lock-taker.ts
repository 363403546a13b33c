/** A process of folder-lock.test.ts: takes the lock of a folder in the instant that a file appears, and keeps it. */
import { existsSync } from 'node:fs';
import { FolderLock } from '../../src/state/folder-lock.ts';

const [, , , folder = '', signal = ''] = process.argv;
process.stdout.write('ready\n');
const giveUpAt = Date.now() + 20_000;
while (!existsSync(signal) && Date.now() < giveUpAt) {
  // Spinning, so that all come within microseconds of each other.
}
const outcome = await FolderLock.take(folder).then(
  () => 'taken',
  () => 'refused',
);
process.stdout.write(`${outcome}\n`);
setInterval(() => undefined, 1000);
