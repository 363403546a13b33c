import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { RepresentationDigest, UploadRecord } from '../../src/state/records.ts';
import { DigestMismatch, UploadNotFound } from '../../src/upload/errors.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

const bytes = pattern(100_000);
let engine: Engine;
beforeEach(async () => {
  engine = await Engine.open();
});
afterEach(() => engine.remove());

function sha(algorithm: RepresentationDigest['algorithm'], of: Uint8Array): RepresentationDigest {
  return { algorithm, value: createHash(algorithm.replace('-', '')).update(of).digest() };
}

const create = (digest: RepresentationDigest): Promise<UploadRecord> =>
  engine.uploads.create(alice, request(bytes.byteLength, { digest, transfer: 'some-transfer' }));
const append = (id: string, from: number, to: number): Promise<UploadRecord> =>
  engine.uploads.append(id, alice, { offset: from }, FakeBody.of(bytes.subarray(from, to)));

describe('an upload with a digest', () => {
  it.each(['sha-256', 'sha-512'] as const)('is received once it was verified: %s', async (algorithm) => {
    const { id } = await create(sha(algorithm, bytes));
    await append(id, 0, 60_000);
    expect(engine.published).toEqual([]);
    expect(await append(id, 60_000, 100_000)).toMatchObject({ state: 'received' });
    expect(engine.received).toEqual([id]);
    expect(engine.published).toEqual([{ id, offset: 100_000 }]);
  });

  it('that is something else is refused and gone', async () => {
    const { id } = await create(sha('sha-256', pattern(100_000, 2)));
    await append(id, 0, 60_000);
    await expect(append(id, 60_000, 100_000)).rejects.toBeInstanceOf(DigestMismatch);
    expect(() => engine.uploads.head(id, alice)).toThrow(UploadNotFound);
    expect(engine.received).toEqual([]);
    expect(engine.published).toEqual([]);
    const left: string[] = [];
    for await (const object of engine.storage.list()) left.push(object);
    expect(left).toEqual([]);
  });

  it('is verified after a kill in the middle of that, and received once', async () => {
    await engine.remove();
    let isRead = false;
    const digest = (): Promise<never> => {
      isRead = true;
      return new Promise(() => undefined);
    };
    engine = await Engine.open({ digest });
    const { folder } = engine;
    const { id } = await create(sha('sha-256', bytes));
    void append(id, 0, 100_000);
    while (!isRead) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(engine.record(id).state).toBe('verifying');
    expect(engine.state.get(keys.outbox, id)).toBeUndefined();
    await engine.state.close();
    engine = await Engine.open({ folder });
    await engine.uploads.resumeAfterStart();
    // The client asks again, as after any lost answer.
    await engine.uploads.append(id, alice, { offset: 100_000 }, FakeBody.of(new Uint8Array()));
    expect(engine.record(id).state).toBe('received');
    expect(engine.received).toEqual([id]);
    expect(engine.state.get(keys.outbox, id)).toBeTypeOf('number');
  });
});
