/**
 * The process that crash.test.ts kills: serves one upload from its recorded offset on, in bodies of
 * some ten kilobytes, and prints each offset that a client would have been told by a 204.
 */
import { alice, Engine, pattern } from './engine.ts';
import { FakeBody } from './fake-body.ts';

const [, , , folder = '', id = '', length = '0'] = process.argv;
const bytes = pattern(Number(length));
const engine = await Engine.open({ folder, settings: { checkpointBytes: 8192, checkpointMs: 1 } });
process.stdout.write('started\n');
let { offset } = engine.uploads.head(id, alice);
while (offset < bytes.byteLength) {
  const body = FakeBody.of(bytes.subarray(offset, offset + 60_000), 5000);
  ({ offset } = await engine.uploads.append(id, alice, { offset }, body));
  process.stdout.write(`acknowledged ${offset}\n`);
}
process.stdout.write('done\n');
setInterval(() => undefined, 1000);
