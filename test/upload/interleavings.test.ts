import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { UploadRecord } from '../../src/state/records.ts';
import type { State } from '../../src/state/state.ts';
import { StorageFull } from '../../src/storage/errors.ts';
import {
  BodyBeyondLength,
  ConcatenationInvalid,
  QuotaExceeded,
  TooManyWriters,
  UploadNotFound,
  UploadsStopping,
  UploadTakenOver,
} from '../../src/upload/errors.ts';
import { finalsOfPartMax } from '../../src/upload/limits.ts';
import { until } from '../support/until.ts';
import { alice, Engine, type EngineOptions, mallory, pattern, request, silent } from './engine.ts';
import { FakeBody } from './fake-body.ts';
import { withParts, withWriter } from './wrapped-storage.ts';

let engine: Engine;
afterEach(() => engine.remove());

const open = async (options: EngineOptions = {}): Promise<Engine> => {
  engine = await Engine.open(options);
  return engine;
};
const partial = (length: number): Promise<UploadRecord> =>
  engine.uploads.create(alice, request(length, { concat: { of: 'partial' } }));
const join = (...parts: string[]): Promise<UploadRecord> =>
  engine.uploads.create(alice, request(null, { concat: { of: 'final', parts } }));
const append = (id: string, offset: number, bytes: Uint8Array): Promise<UploadRecord> =>
  engine.uploads.append(id, alice, { offset }, FakeBody.of(bytes));
const digestOf = (bytes: Uint8Array): UploadRecord['digest'] => ({
  algorithm: 'sha-256',
  value: createHash('sha256').update(bytes).digest(),
});

/** What the test lets through. */
class Gate {
  waiting = 0;
  isShut = false;
  #waiters: (() => void)[] = [];

  async pass(): Promise<void> {
    if (this.isShut) {
      this.waiting += 1;
      await new Promise<void>((resolve) => void this.#waiters.push(resolve));
    }
  }

  open(): void {
    this.isShut = false;
    for (const go of this.#waiters.splice(0)) go();
  }
}

/** The reading of a whole upload for its digest: it ends when the test says so. */
class Reading {
  #end: ((digest: Uint8Array) => void) | undefined;
  readonly digest = (): Promise<Uint8Array> =>
    new Promise((resolve) => {
      this.#end = resolve;
    });

  get isAsked(): boolean {
    return this.#end !== undefined;
  }

  end(bytes: Uint8Array): void {
    this.#end?.(createHash('sha256').update(bytes).digest());
  }
}

/** A commit is shown at once, and confirmed only later: a disk whose sync is slow. */
function confirmLate(state: State, ms: number): void {
  const commit = state.commit.bind(state);
  state.commit = async (change) => {
    const result = await commit(change);
    await sleep(ms);
    return result;
  };
}

describe('a writer that is replaced', () => {
  it('while it opens its object cuts nothing of what the newer one has recorded', async () => {
    const gate = new Gate();
    let opened = 0;
    await open({
      wrap: (disk) =>
        withParts(disk, {
          open: async (object, bytes) => {
            if (opened++ === 0) await gate.pass();
            return disk.open(object, bytes);
          },
        }),
    });
    const { id } = await engine.uploads.create(alice, request(1000));
    gate.isShut = true;
    const slow = new FakeBody(1000);
    const replaced = expect(engine.uploads.append(id, alice, { offset: 0 }, slow)).rejects.toThrow();
    await until(() => gate.waiting === 1);
    const newer = append(id, 0, pattern(600));
    // Longer than a holder's grace.
    await sleep(120);
    gate.open();
    const { offset } = await newer;
    await replaced;
    expect(offset).toBe(600);
    expect(await engine.file(id)).toEqual(pattern(600));
  });

  it('while it waits for a slow sync of its own keeps nobody waiting', async () => {
    const gate = new Gate();
    await open({
      settings: { checkpointBytes: 100 },
      wrap: (disk) =>
        withWriter(disk, (writer) => ({
          sync: async () => {
            await gate.pass();
            await writer.sync();
          },
        })),
    });
    const { id } = await engine.uploads.create(alice, request(10_000));
    gate.isShut = true;
    const body = new FakeBody(10_000);
    const replaced = expect(engine.uploads.append(id, alice, { offset: 0 }, body)).rejects.toBeInstanceOf(
      UploadTakenOver,
    );
    for (let at = 0; at < 1000; at += 100) body.send(pattern(1000).subarray(at, at + 100));
    await until(() => gate.waiting === 1);
    // It is removed though no sync ends.
    await engine.uploads.terminate(id, alice);
    expect(gate.waiting).toBe(1);
    gate.open();
    await replaced;
    expect(engine.uploads.load).toEqual({ writers: 0, open: 0, comingBytes: 0, syncsWaiting: 0 });
  });
});

it('a checkpoint whose turn comes behind the last byte completes nothing that the body goes beyond', async () => {
  const gate = new Gate();
  await open({
    settings: { checkpointMs: 1 },
    wrap: (disk) =>
      withWriter(disk, (writer) => ({
        sync: async () => {
          await gate.pass();
          await writer.sync();
        },
      })),
  });
  gate.isShut = true;
  // All turns are taken.
  const others = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { id } = await engine.uploads.create(alice, request(5));
      return { appended: append(id, 0, pattern(5)) };
    }),
  );
  await until(() => gate.waiting === 8);
  const { id } = await engine.uploads.create(alice, request(200));
  const body = new FakeBody();
  const beyond = expect(engine.uploads.append(id, alice, { offset: 0 }, body)).rejects.toBeInstanceOf(
    BodyBeyondLength,
  );
  body.send(pattern(150));
  await until(() => engine.uploads.load.syncsWaiting === 1);
  body.send(pattern(200).subarray(150));
  await sleep(20);
  gate.open();
  await Promise.all(others.map(({ appended }) => appended));
  await until(() => engine.uploads.load.syncsWaiting === 0);
  await sleep(50);
  body.send(pattern(1));
  body.end();
  await beyond;
  expect(engine.record(id).state).toBe('receiving');
  expect(engine.received).not.toContain(id);
});

describe('what is set aside', () => {
  it('is given back for an upload that goes while room is looked for', async () => {
    const gate = new Gate();
    let asked = 0;
    await open({
      wrap: (disk) =>
        withParts(disk, {
          space: async () => {
            asked += 1;
            // At creation, when the body comes, and for what it brings.
            if (asked === 3) await gate.pass();
            return { freeBytes: 1e9, totalBytes: 1e9 };
          },
        }),
    });
    const { id } = await engine.uploads.create(alice, request(null));
    gate.isShut = true;
    const appended = expect(append(id, 0, pattern(100))).rejects.toThrow();
    await until(() => gate.waiting === 1);
    await engine.uploads.terminate(id, alice);
    gate.open();
    await appended;
    expect(engine.uploads.load).toMatchObject({ open: 0, comingBytes: 0 });
  });

  it('for others is not taken by a chunked body of an upload without a length', async () => {
    let written = 0;
    await open({
      settings: { checkpointBytes: 100 },
      wrap: (disk) =>
        withParts(
          withWriter(disk, (writer) => ({
            write: async (bytes, position) => {
              await writer.write(bytes, position);
              written += bytes.byteLength;
            },
          })),
          { space: () => Promise.resolve({ freeBytes: 10_000 - written, totalBytes: 10_000 }) },
        ),
    });
    const promised = await engine.uploads.create(mallory, request(9000));
    const { id } = await engine.uploads.create(alice, request(null));
    const body = new FakeBody();
    for (let at = 0; at < 5000; at += 100) body.send(pattern(5000).subarray(at, at + 100));
    body.end();
    const refused = engine.uploads.append(id, alice, { offset: 0 }, body);
    await expect(refused).rejects.toBeInstanceOf(StorageFull);
    const { offset } = engine.record(id);
    // What is written and not yet recorded counts twice for a moment, so it may be less than there was.
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThanOrEqual(1000);
    expect(engine.uploads.load.comingBytes).toBe(9000);
    await engine.uploads.append(promised.id, mallory, { offset: 0 }, FakeBody.of(pattern(9000), 1000));
  });

  it('by an organization for uploads without a length stays within its share', async () => {
    await open({
      settings: { inFlightShareMax: 0.25 },
      wrap: (disk) =>
        withParts(disk, { space: () => Promise.resolve({ freeBytes: 10_000, totalBytes: 10_000 }) }),
    });
    const { id } = await engine.uploads.create(alice, request(null));
    await expect(append(id, 0, pattern(2501))).rejects.toBeInstanceOf(QuotaExceeded);
    expect((await append(id, 0, pattern(2500))).offset).toBe(2500);
  });
});

it('requests that come at once are never more than may write', async () => {
  await open({ settings: { writersMax: 3 } });
  const ids = await Promise.all(
    Array.from({ length: 10 }, async () => (await engine.uploads.create(alice, request(10))).id),
  );
  const bodies = ids.map(() => new FakeBody(10));
  const outcomes = ids.map((id, n) =>
    engine.uploads.append(id, alice, { offset: 0 }, bodies[n] ?? new FakeBody(10)).catch((e: unknown) => e),
  );
  await sleep(50);
  expect(engine.uploads.load.writers).toBe(3);
  for (const body of bodies) {
    body.send(pattern(10));
    body.end();
  }
  const refused = (await Promise.all(outcomes)).filter((outcome) => outcome instanceof TooManyWriters);
  expect(refused).toHaveLength(7);
});

describe('concatenation', () => {
  it('never shows a final upload received before that is confirmed, when two parts end at once', async () => {
    await open();
    const [a, b] = [await partial(3), await partial(3)];
    const final = await join(a.id, b.id);
    confirmLate(engine.state, 40);
    let early = 0;
    const isTold = (): boolean => engine.published.some(({ id }) => id === final.id);
    const watch = setInterval(() => {
      if (engine.uploads.head(final.id, alice).state === 'received' && !isTold()) early += 1;
    }, 1);
    const first = append(a.id, 0, pattern(3));
    await sleep(20);
    await Promise.all([first, append(b.id, 0, pattern(3))]);
    clearInterval(watch);
    expect(early).toBe(0);
    expect(engine.uploads.head(final.id, alice).state).toBe('received');
    expect(engine.received.filter((id) => id === final.id)).toHaveLength(1);
  });

  it('leaves a part without a transfer, whatever it says itself', async () => {
    const claims: string[] = [];
    await open({ hooks: { claims: (_, { id }) => void claims.push(id) } });
    const part = await engine.uploads.create(
      alice,
      request(3, { transfer: 'of-somebody-else', concat: { of: 'partial' } }),
    );
    expect(engine.record(part.id).transfer).toBeNull();
    expect(claims).toEqual([]);
  });

  it('counts final uploads that wait for their parts as unfinished ones', async () => {
    await open({ settings: { openMax: 3 } });
    const part = await partial(3);
    await join(part.id);
    await join(part.id);
    await expect(join(part.id)).rejects.toBeInstanceOf(QuotaExceeded);
    expect(engine.uploads.load.open).toBe(3);
    await append(part.id, 0, pattern(3));
    expect(engine.uploads.load.open).toBe(0);
    await join(part.id);
    expect(engine.received).toHaveLength(4);
  });

  it('takes a part into so many final uploads at most', async () => {
    await open();
    const part = await partial(0);
    for (let n = 0; n < finalsOfPartMax; n += 1) await join(part.id);
    await expect(join(part.id)).rejects.toBeInstanceOf(ConcatenationInvalid);
  });
});

describe('an upload that was being verified when the program ended', () => {
  it('is rejected or received after a start, and one that cannot be read ends nothing', async () => {
    const bytes = pattern(1000);
    const digest = (): Promise<Uint8Array> => new Promise(() => undefined);
    await open({ digest });
    const make = async (value: UploadRecord['digest']): Promise<string> => {
      const { id } = await engine.uploads.create(alice, request(1000, { digest: value }));
      void append(id, 0, bytes).catch(() => undefined);
      await until(() => engine.record(id).state === 'verifying');
      return id;
    };
    const wrong = await make(digestOf(pattern(5)));
    const lost = await make(digestOf(bytes));
    const right = await make(digestOf(bytes));
    await rm(engine.fileOf(lost));
    const { folder } = engine;
    await engine.close();
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const failed: unknown[] = [];
    const log = { ...silent, error: (_: string, attributes?: unknown) => void failed.push(attributes) };
    await open({
      folder,
      log,
      wrap: (disk) =>
        withParts(disk, {
          // Long enough for a verification to fail meanwhile.
          list: async function* () {
            await sleep(100);
            yield* disk.list();
          },
        }),
    });
    await engine.uploads.resumeAfterStart();
    await until(() => engine.state.get(keys.uploads, right)?.state === 'received');
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(() => engine.uploads.head(wrong, alice)).toThrow(UploadNotFound);
    expect(engine.uploads.head(lost, alice).state).toBe('verifying');
    expect(failed).toMatchObject([{ upload: lost }]);
    expect(engine.received).toEqual([right]);
  });
});

describe('an upload that is being verified', () => {
  it('is left as it is by a program that stops, and is received after the next start', async () => {
    const bytes = pattern(100);
    const reading = new Reading();
    await open({ digest: reading.digest });
    const digest = digestOf(bytes);
    const { id } = await engine.uploads.create(alice, request(100, { digest }));
    const refused = expect(append(id, 0, bytes)).rejects.toBeInstanceOf(UploadsStopping);
    await until(() => reading.isAsked);
    await engine.uploads.stop();
    reading.end(bytes);
    await refused;
    expect(engine.record(id).state).toBe('verifying');
    const { folder } = engine;
    await engine.close();
    await open({ folder });
    await engine.uploads.resumeAfterStart();
    await until(() => engine.uploads.head(id, alice).state === 'received');
    expect(engine.received).toEqual([id]);
  });

  it('is not shown received before that is confirmed, though its client asks again meanwhile', async () => {
    const bytes = pattern(100);
    const reading = new Reading();
    await open({ digest: reading.digest });
    const digest = digestOf(bytes);
    const { id } = await engine.uploads.create(alice, request(100, { digest }));
    const appended = append(id, 0, bytes);
    await until(() => reading.isAsked);
    confirmLate(engine.state, 60);
    reading.end(bytes);
    await until(() => engine.record(id).state === 'received');
    const again = append(id, 100, new Uint8Array());
    await sleep(20);
    expect(engine.published).toEqual([]);
    expect(engine.uploads.head(id, alice).state).toBe('verifying');
    expect((await appended).state).toBe('received');
    expect((await again).state).toBe('received');
    expect(engine.received).toEqual([id]);
  });

  it('can be removed, and nobody is told of it then', async () => {
    const bytes = pattern(100);
    const reading = new Reading();
    await open({ digest: reading.digest });
    const digest = digestOf(bytes);
    const { id } = await engine.uploads.create(alice, request(100, { digest }));
    const gone = expect(append(id, 0, bytes)).rejects.toBeInstanceOf(UploadNotFound);
    await until(() => reading.isAsked);
    await engine.uploads.terminate(id, alice);
    reading.end(bytes);
    await gone;
    expect(engine.received).toEqual([]);
    expect(engine.uploads.load).toMatchObject({ open: 0, comingBytes: 0 });
  });
});

it('an upload that cannot expire keeps no other from it', async () => {
  let now = 1_000_000_000_000;
  await open({
    now: () => now,
    hooks: {
      expired: (_, { transfer }) => {
        if (transfer === 'bad') throw new Error('the hook fails');
      },
    },
  });
  await engine.uploads.create(alice, request(3, { transfer: 'bad' }));
  const good = await engine.uploads.create(alice, request(3, { transfer: 'good' }));
  now += 100 * 24 * 3_600_000;
  expect(await engine.uploads.expire()).toBe(1);
  expect(() => engine.uploads.head(good.id, alice)).toThrow(UploadNotFound);
});
