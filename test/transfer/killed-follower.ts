/**
 * The process that kills.test.ts kills: takes up what was sent, as an exchange does at its start, and prints
 * each commit that made items, and what was decided.
 */
import { WorkPool } from '../../src/work/pool.ts';
import { openSending } from './sending.ts';
import { transferLimits } from './world.ts';

const [, , , folder = ''] = process.argv;
const pool = new WorkPool({ workers: 1 });
await pool.start();
const world = await openSending(pool, transferLimits, folder);
await world.derivedObjects.start();
const follower = world.follow({
  recording: {
    async found(...found) {
      await world.recording.found(...found);
      process.stdout.write(`recorded ${found[2].length}\n`);
    },
  },
  onSettled: ({ state }) => process.stdout.write(`settled ${state}\n`),
});
await follower.start();
process.stdout.write('started\n');
setInterval(() => undefined, 1000);
