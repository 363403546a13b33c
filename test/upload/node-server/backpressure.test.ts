import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { httpCounts } from '../../../src/http/metrics.ts';
import type { ObjectWriter, Storage } from '../../../src/storage/storage.ts';
import { MiB, randomBytes, untilStill } from '../../http/subject.ts';
import { watchMemory } from '../../support/memory.ts';
import { until } from '../../support/until.ts';
import { alice } from '../engine.ts';
import { idOf, openPatch, type TusServer } from '../tus-client.ts';
import { withWriter } from '../wrapped-storage.ts';
import { openNodeServer } from './open.ts';

/** The engine on a disk that writes nothing before it is opened. */
async function openBehindGate(): Promise<{ tus: TusServer; open: () => void }> {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const write = async (writer: ObjectWriter, chunk: Uint8Array, position: number): Promise<void> => {
    await gate;
    await writer.write(chunk, position);
  };
  const wrap = (disk: Storage): Storage =>
    withWriter(disk, (writer) => ({ write: (chunk, position) => write(writer, chunk, position) }));
  return { tus: await openNodeServer({ wrap }), open: () => open() };
}

it('stores what had arrived of a body whose peer is gone before any of it was written', async () => {
  const { tus, open } = await openBehindGate();
  try {
    const bytes = randomBytes(MiB);
    const path = await tus.create(bytes.length);
    const before = httpCounts.bodyBytes;
    const client = await openPatch(tus.port, path, { 'Content-Length': bytes.length });
    await client.send(bytes.subarray(0, 600_000));
    await until(() => httpCounts.bodyBytes - before === 600_000);
    await until(() => tus.engine.uploads.load.writers === 1);
    const gone = httpCounts.peersGone;
    client.socket.destroy();
    await until(() => httpCounts.peersGone > gone);
    open();
    await until(() => tus.engine.uploads.load.writers === 0);
    expect(tus.engine.uploads.head(idOf(path), alice).offset).toBe(600_000);
    expect((await tus.engine.bytes(idOf(path))).equals(bytes.subarray(0, 600_000))).toBe(true);
  } finally {
    await tus.close();
  }
});

it('holds little of a large body in memory while its disk stands still, and stores it whole', async () => {
  const { tus, open } = await openBehindGate();
  try {
    const bytes = randomBytes(256 * MiB);
    const path = await tus.create(bytes.length);
    const before = httpCounts.bodyBytes;
    const memory = watchMemory(process.pid);
    memory.reset();
    const start = memory.peakBytes;
    const patching = tus.patch(path, 0, bytes);
    await until(() => httpCounts.bodyBytes > before);
    // The body's own queue, and what lies in the streams of @tus/server: of each a slab or two.
    const taken = await untilStill(() => httpCounts.bodyBytes - before, 500);
    expect(taken).toBeLessThan(24 * MiB);
    expect(tus.engine.uploads.head(idOf(path), alice).offset).toBe(0);
    open();
    const { status, headers } = await patching;
    expect([status, headers['upload-offset']]).toEqual([204, String(bytes.length)]);
    memory.stop();
    // Copies of every slab are garbage soon, not at once.
    expect(memory.peakBytes - start).toBeLessThan(160 * MiB);
    const stored = createHash('sha256').update(await tus.engine.bytes(idOf(path)));
    expect(stored.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  } finally {
    await tus.close();
  }
});
