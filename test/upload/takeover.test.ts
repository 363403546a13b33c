import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BodySink, RequestBody } from '../../src/http/exchange.ts';
import { OffsetConflict, UploadNotFound, UploadTakenOver } from '../../src/upload/errors.ts';
import { until } from '../support/until.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';
import { withWriter } from './wrapped-storage.ts';

/** A body that does not stop when it is asked to, and hands its sink to the test. */
class DeafBody implements RequestBody {
  readonly length = undefined;
  sink: BodySink | undefined;
  #finish: () => void = () => undefined;

  async drainTo(sink: BodySink): Promise<number> {
    this.sink = sink;
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    throw new Error('the peer is gone');
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await until(() => this.sink !== undefined);
    await this.sink?.write(bytes, position);
  }

  finish(): void {
    this.#finish();
  }

  bytes(): Promise<Uint8Array> {
    return Promise.reject(new Error('not asked for'));
  }
}

/** Lets the test hold writes back below the engine. */
class Gate {
  shut = false;
  waiting = 0;
  #open: (() => void)[] = [];

  pass(): Promise<void> {
    if (!this.shut) {
      return Promise.resolve();
    }
    this.waiting++;
    return new Promise((resolve) => this.#open.push(resolve));
  }

  open(): void {
    this.shut = false;
    for (const go of this.#open.splice(0)) {
      go();
    }
  }
}

describe('a newer request, given time,', () => {
  it('lets the holder keep what it has received, then takes over', async () => {
    // As long as a busy machine may need to write 30 bytes.
    const engine = await Engine.open({ graceMs: 60_000 });
    try {
      const bytes = pattern(100);
      const { id } = await engine.uploads.create(alice, request(100));
      const halfOpen = new FakeBody(100);
      const replaced = engine.uploads.append(id, alice, { offset: 0 }, halfOpen);
      const outcome = expect(replaced).rejects.toBeInstanceOf(UploadTakenOver);
      halfOpen.send(bytes.subarray(0, 30));
      await until(() => engine.uploads.load.writers === 1);
      // The client knows of byte 0 only; what the old connection still had makes its offset stale.
      const stale = engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(bytes));
      await expect(stale).rejects.toBeInstanceOf(OffsetConflict);
      await outcome;
      expect(engine.uploads.head(id, alice).offset).toBe(30);
      await engine.uploads.append(id, alice, { offset: 30 }, FakeBody.of(bytes.subarray(30)));
      expect((await engine.bytes(id)).equals(bytes)).toBe(true);
    } finally {
      await engine.remove();
    }
  });
});

describe('a newer request for the same upload', () => {
  const gate = new Gate();
  let engine: Engine;
  beforeEach(async () => {
    engine = await Engine.open({
      wrap: (disk) =>
        withWriter(disk, (writer) => ({
          write: async (chunk, position) => {
            await gate.pass();
            await writer.write(chunk, position);
          },
        })),
    });
  });
  afterEach(async () => {
    gate.open();
    await engine.remove();
  });

  it('is not disturbed by late bytes of a holder that does not stop', async () => {
    const old = new DeafBody();
    const { id } = await engine.uploads.create(alice, request(1000));
    const replaced = engine.uploads.append(id, alice, { offset: 0 }, old);
    const outcome = expect(replaced).rejects.toBeInstanceOf(UploadTakenOver);
    await old.write(pattern(200, 7), 0);
    // Its bytes were never checkpointed: the new writer begins at byte 0 and overwrites them.
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(100, 1)));
    await expect(old.write(pattern(300, 7), 200)).rejects.toBeInstanceOf(UploadTakenOver);
    expect(() => old.sink?.writeSync(pattern(300, 7), 200)).toThrow(UploadTakenOver);
    old.finish();
    await outcome;
    expect(await engine.file(id)).toEqual(pattern(100, 1));
    expect(engine.record(id)).toMatchObject({ offset: 100, epoch: 2 });
  });

  it('waits for a write of the holder that is in flight, so that it cannot land later', async () => {
    const old = new DeafBody();
    const { id } = await engine.uploads.create(alice, request(1000));
    const replaced = engine.uploads.append(id, alice, { offset: 0 }, old);
    const outcome = expect(replaced).rejects.toBeInstanceOf(UploadTakenOver);
    gate.shut = true;
    const late = old.write(pattern(500, 7), 0);
    await until(() => gate.waiting === 1);
    let taken = false;
    const taking = engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(100, 1))).then(() => {
      taken = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(taken).toBe(false);
    // Nobody who reads waits meanwhile.
    expect(engine.uploads.head(id, alice).offset).toBe(0);
    gate.open();
    await late;
    await taking;
    old.finish();
    await outcome;
    expect(await engine.file(id)).toEqual(pattern(100, 1));
  });

  it('wins alone among fifty that come at once, and nothing is interleaved', async () => {
    const { id } = await engine.uploads.create(alice, request(50_000));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) =>
        engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(pattern(50_000, n), 1000)),
      ),
    );
    const winners = outcomes.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect([UploadTakenOver, OffsetConflict]).toContain((outcome.reason as Error).constructor);
      }
    }
    const { offset } = engine.uploads.head(id, alice);
    const stored = await engine.bytes(id);
    const owner = Array.from({ length: 50 }, (_, n) => n).filter((n) =>
      pattern(50_000, n).subarray(0, offset).equals(stored),
    );
    expect(owner).toHaveLength(offset > 0 ? 1 : 50);
    expect(winners.length).toBe(offset === 50_000 ? 1 : 0);
    expect(engine.received.length).toBe(winners.length);
  });

  it('may be a DELETE: then the bytes are gone and the holder is told', async () => {
    const { id, content } = await engine.uploads.create(alice, request(100));
    const body = new FakeBody(100);
    const appending = engine.uploads.append(id, alice, { offset: 0 }, body);
    const outcome = expect(appending).rejects.toBeInstanceOf(UploadTakenOver);
    body.send(pattern(10));
    await until(() => engine.uploads.load.writers === 1);
    await engine.uploads.terminate(id, alice);
    await outcome;
    expect(() => engine.uploads.head(id, alice)).toThrow(UploadNotFound);
    if (content.of !== 'object') throw new Error('no object');
    await expect(engine.storage.open(content.object, 0)).rejects.toThrow('is not there');
  });

  it('that cannot be right does not disturb the holder', async () => {
    const { id } = await engine.uploads.create(alice, request(100));
    const body = new FakeBody(100);
    const appending = engine.uploads.append(id, alice, { offset: 0 }, body);
    body.send(pattern(50));
    await until(() => engine.uploads.load.writers === 1);
    const wrong = engine.uploads.append(id, alice, { offset: 7 }, FakeBody.of(pattern(1)));
    await expect(wrong).rejects.toBeInstanceOf(OffsetConflict);
    body.send(pattern(50));
    body.end();
    expect((await appending).state).toBe('received');
  });
});
