/**
 * The process that a test kills: writes an object from its recorded end on, and settles it while S3 takes the
 * segments. Prints each end that is recorded.
 */
import { openS3Storage, type S3Options } from '../../src/storage/s3.ts';
import type { ObjectId } from '../../src/storage/storage.ts';
import { silent } from './s3-subject.ts';
import { pattern } from './storage.contract.ts';

const [, , , given = '{}', object = '', from = '0', length = '0'] = process.argv;
// As the test wrote it.
const options = JSON.parse(given) as Omit<S3Options, 'log'>;
const bytes = pattern(Number(length));
const storage = await openS3Storage({ ...options, log: silent });
await storage.start();
let at = Number(from);
const writer = await storage.open(object as ObjectId, at);
storage.settle(object as ObjectId, at, false);
process.stdout.write('started\n');
while (at < bytes.byteLength) {
  const next = bytes.subarray(at, at + 700);
  await writer.write(next, at);
  await writer.sync();
  at += next.byteLength;
  process.stdout.write(`recorded ${at.toString()}\n`);
  storage.settle(object as ObjectId, at, false);
  await new Promise((resolve) => setTimeout(resolve, 2));
}
process.stdout.write('done\n');
setInterval(() => undefined, 1000);
