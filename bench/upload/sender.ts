/**
 * What loads a server: a process of its own, the same for all of them. Raw sockets and one buffer that is
 * written again and again, so that the sender is never what is measured.
 */
import { randomBytes } from 'node:crypto';
import { answerQuestions } from '../lib/helper.ts';
import { Wire } from '../lib/wire.ts';
import { createUpload, expect, patchHeaders, removeUpload, type Target, tusHeaders } from './target.ts';

const KiB = 1024;
const block = randomBytes(1024 * KiB);
/** How many connections make or remove uploads. */
const LANES = 16;

export interface Sending {
  readonly target: Target;
  readonly paths: readonly string[];
  /** Of each. */
  readonly bytes: number;
}

/** Makes uploads and resolves with their paths. */
async function create({ target, count, bytes }: { target: Target; count: number; bytes: number }) {
  const paths: string[] = [];
  await inLanes(target, Array.from({ length: count }), async (wire) => {
    paths.push(await createUpload(wire, target, bytes));
  });
  return paths;
}

const remove = ({ target, paths }: Sending) =>
  inLanes(target, paths, (wire, path) => removeUpload(wire, target, path));

/** Sends all of them at once, each over a connection of its own, in one PATCH. Resolves with the seconds. */
async function send({ target, paths, bytes }: Sending): Promise<number> {
  const wires = await Promise.all(paths.map(() => Wire.open(target.port)));
  const begun = performance.now();
  await Promise.all(wires.map((wire, at) => patch(wire, target, paths[at] ?? '', bytes)));
  const seconds = (performance.now() - begun) / 1000;
  for (const wire of wires) wire.close();
  return seconds;
}

async function patch(wire: Wire, target: Target, path: string, bytes: number): Promise<void> {
  const answered = wire.begin('PATCH', path, patchHeaders(target, 0, bytes));
  // Whoever waits for the answer is told; until then nobody does.
  answered.catch(() => undefined);
  for (let left = bytes; left > 0; left -= block.length) {
    const piece = left < block.length ? block.subarray(0, left) : block;
    if (!wire.write(piece)) await wire.drained();
  }
  expect(await answered, 204, 'PATCH');
}

/** A turn of the pacing loop. */
const PACE_MS = 10;
const PACE_BYTES = 16 * KiB;

/** The same with all of them at `rate` bytes a second together, 16 KiB at a time, each in its turn. */
async function pace({ target, paths, bytes, rate }: Sending & { rate: number }): Promise<number> {
  const wires = await Promise.all(paths.map(() => Wire.open(target.port)));
  const begun = performance.now();
  const lines = wires.map((wire, at) => {
    const answered = wire.begin('PATCH', paths[at] ?? '', patchHeaders(target, 0, bytes));
    answered.catch(() => undefined);
    return { wire, answered, left: bytes };
  });
  let sent = 0;
  let turn = 0;
  const total = bytes * paths.length;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, ((performance.now() - begun) / 1000) * rate);
      // One round at most: a line that is held back must not make the others go faster.
      for (let tried = 0; sent < due && tried < lines.length; tried += 1) {
        const line = lines[turn++ % lines.length];
        if (line === undefined || line.left === 0 || line.wire.waitingBytes > 0) continue;
        const piece = block.subarray(0, Math.min(PACE_BYTES, line.left));
        line.wire.write(piece);
        line.left -= piece.length;
        sent += piece.length;
      }
      if (sent === total) {
        clearInterval(timer);
        resolve();
      }
    }, PACE_MS);
  });
  for (const { answered } of lines) expect(await answered, 204, 'PATCH');
  for (const wire of wires) wire.close();
  return (performance.now() - begun) / 1000;
}

interface Looping {
  readonly target: Target;
  readonly clients: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** So many clients that each make, send and remove one upload after another. Resolves with the bytes sent. */
async function loop({ target, clients, bytes, seconds }: Looping): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let sent = 0;
  await inLanes(
    target,
    Array.from({ length: clients }),
    async (wire) => {
      while (performance.now() < end) {
        const path = await createUpload(wire, target, bytes);
        await patch(wire, target, path, bytes);
        await removeUpload(wire, target, path);
        sent += bytes;
      }
    },
    clients,
  );
  return sent;
}

export type SmallMs = Readonly<Record<'POST' | 'HEAD' | 'PATCH' | 'DELETE', number[]>>;

/** So many times: makes an upload of 1 KiB, asks for it, sends it, removes it. Resolves with each one's milliseconds. */
async function small({ target, count }: { target: Target; count: number }): Promise<SmallMs> {
  const body = block.subarray(0, KiB);
  const ms: SmallMs = { POST: [], HEAD: [], PATCH: [], DELETE: [] };
  await inLanes(
    target,
    Array.from({ length: count }),
    async (wire) => {
      const path = await timed(ms.POST, () => createUpload(wire, target, body.length));
      expect(await timed(ms.HEAD, () => wire.request('HEAD', path, tusHeaders(target))), 200, 'HEAD');
      const headers = patchHeaders(target, 0, body.length);
      expect(await timed(ms.PATCH, () => wire.request('PATCH', path, headers, body)), 204, 'PATCH');
      await timed(ms.DELETE, () => removeUpload(wire, target, path));
    },
    1,
  );
  return ms;
}

/** What a holder sends before it stalls. */
const STALLED_BYTES = 64 * KiB;
const STALL_MS = 20;

/**
 * So many times: one client stalls in the middle of a PATCH, another one takes its upload over as clients do, by
 * HEAD and PATCH, and by what a 409 says. Resolves with the milliseconds until it is told that its bytes are kept.
 */
async function takeover({ target, count }: { target: Target; count: number }): Promise<number[]> {
  const ms: number[] = [];
  const body = block.subarray(0, KiB);
  for (let time = 0; time < count; time += 1) {
    const [holder, taker] = [await Wire.open(target.port), await Wire.open(target.port)];
    const path = await createUpload(taker, target, block.length);
    holder.begin('PATCH', path, patchHeaders(target, 0, block.length)).catch(() => undefined);
    holder.write(block.subarray(0, STALLED_BYTES));
    await new Promise((resolve) => setTimeout(resolve, STALL_MS));
    await timed(ms, async () => {
      let reply = expect(await taker.request('HEAD', path, tusHeaders(target)), 200, 'HEAD');
      for (let tried = 0; tried < TAKEOVER_TRIES && reply.status !== 204; tried += 1) {
        const offset = Number(reply.headers.get('upload-offset'));
        reply = await taker.request('PATCH', path, patchHeaders(target, offset, body.length), body);
      }
      expect(reply, 204, 'PATCH of the one who takes over');
    });
    holder.close();
    await removeUpload(taker, target, path);
    taker.close();
  }
  return ms;
}

/** By HEAD's offset, then by that of a 409: what the holder had sent was kept meanwhile. */
const TAKEOVER_TRIES = 3;

async function timed<R>(into: number[], work: () => Promise<R>): Promise<R> {
  const begun = performance.now();
  const result = await work();
  into.push(performance.now() - begun);
  return result;
}

/** Takes the items one after another over each of some connections. */
async function inLanes<T>(
  target: Target,
  items: readonly T[],
  work: (wire: Wire, item: T) => Promise<void>,
  lanes = LANES,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    const wire = await Wire.open(target.port);
    try {
      while (next < items.length) await work(wire, items[next++] as T);
    } finally {
      wire.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}

answerQuestions({ create, remove, send, pace, loop, small, takeover });
