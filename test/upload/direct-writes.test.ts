import { randomFillSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { IncomingBody } from '../../src/http/body.ts';
import { bodyLimits } from '../../src/http/limits.ts';
import { httpCounts } from '../../src/http/metrics.ts';
import { SlabPool } from '../../src/http/slabs.ts';
import { alice, Engine, request } from './engine.ts';
import { withWriter } from './wrapped-storage.ts';

const MiB = 1024 * 1024;

it('is written straight from the socket, whole, and no further ahead of a slow disk than through slabs', async ({
  onTestFinished,
}) => {
  const checkpointBytes = 4 * MiB;
  let recorded = 0;
  const ahead: number[] = [];
  const wrote = (position: number, bytes: Uint8Array) => ahead.push(position + bytes.byteLength - recorded);
  const engine = await Engine.open({
    settings: { checkpointBytes, checkpointMs: 10_000, durability: 'durable' },
    wrap: (disk) =>
      withWriter(disk, (writer) => ({
        write: (bytes, position) => {
          wrote(position, bytes);
          return writer.write(bytes, position);
        },
        writeSync: (bytes, position) => {
          wrote(position, bytes);
          writer.writeSync(bytes, position);
        },
        sync: async () => {
          await sleep(30);
          await writer.sync();
        },
      })),
    hooks: {
      published: (_id, offset) => {
        recorded = offset;
      },
    },
  });
  onTestFinished(() => engine.remove());
  const sent = randomFillSync(Buffer.alloc(40 * MiB));
  const { id } = await engine.uploads.create(alice, request(sent.length));
  let flowing = true;
  const tap = {
    pause: () => {
      flowing = false;
    },
    resume: () => {
      flowing = true;
    },
    look: () => false,
    cut: () => undefined,
  };
  const pool = new SlabPool();
  const body = new IncomingBody(sent.length, tap, pool);
  const directBefore = httpCounts.directBytes;
  const appending = engine.uploads.append(id, alice, { offset: 0 }, body);
  for (let at = 0; at < sent.length; ) {
    // At first each chunk finds nothing in its way, then they come as fast as they may.
    if (at < 8 * MiB ? body.queuedBytes === 0 : flowing) {
      body.push(sent.subarray(at, at + MiB / 2));
      at += MiB / 2;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  body.finish();
  await appending;
  expect(httpCounts.directBytes - directBefore).toBeGreaterThan(0);
  expect((await engine.bytes(id)).equals(sent)).toBe(true);
  const inFlight = bodyLimits.writesInFlight * bodyLimits.slabBytesMax;
  expect(Math.max(...ahead)).toBeLessThanOrEqual(checkpointBytes + inFlight);
  expect(pool.bytesInUse).toBe(0);
});
