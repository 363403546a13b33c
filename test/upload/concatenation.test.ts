import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { UploadRecord } from '../../src/state/records.ts';
import {
  ConcatenationInvalid,
  FinalUploadImmutable,
  UploadClaimed,
  UploadNotFound,
  UploadTooLarge,
} from '../../src/upload/errors.ts';
import { alice, Engine, mallory, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

let engine: Engine;
let isClaimed: (id: string) => boolean;
let claims: string[];

beforeEach(async () => {
  isClaimed = () => false;
  claims = [];
  engine = await Engine.open({
    settings: { bytesMax: 10_000 },
    hooks: {
      claims: (_, { id }) => void claims.push(id),
      terminable: ({ id }) => {
        if (isClaimed(id)) throw new UploadClaimed();
      },
    },
  });
});
afterEach(() => engine.remove());

const partial = (length: number | null): Promise<UploadRecord> =>
  engine.uploads.create(alice, request(length, { concat: { of: 'partial' } }));
const fill = (id: string, bytes: Uint8Array, offset = 0): Promise<UploadRecord> =>
  engine.uploads.append(id, alice, { offset }, FakeBody.of(bytes));
const join = (...parts: string[]): Promise<UploadRecord> =>
  engine.uploads.create(alice, request(null, { concat: { of: 'final', parts }, transfer: 'some-transfer' }));

async function objects(): Promise<number> {
  let count = 0;
  for await (const _ of engine.storage.list()) count += 1;
  return count;
}

describe('a final upload', () => {
  it('is received at once when all its parts are, and is their bytes in the order it names', async () => {
    const [a, b] = [await partial(300), await partial(200)];
    await fill(a.id, pattern(300, 1));
    await fill(b.id, pattern(200, 2));
    const final = await join(b.id, a.id, b.id);
    expect(final).toMatchObject({ length: 700, offset: 700, state: 'received' });
    expect(await engine.bytes(final.id)).toEqual(
      Buffer.concat([pattern(200, 2), pattern(300, 1), pattern(200, 2)]),
    );
    expect(engine.received).toEqual([a.id, b.id, final.id]);
    expect(claims).toEqual([final.id]);
    // By reference: no object of its own.
    expect(await objects()).toBe(2);
  });

  it('is received in the commit of the last byte of its last part, once', async () => {
    const [a, b] = [await partial(300), await partial(200)];
    const final = await join(a.id, b.id);
    expect(final).toMatchObject({ length: 500, offset: 0, state: 'receiving' });
    await fill(b.id, pattern(200, 2));
    expect(engine.uploads.head(final.id, alice)).toMatchObject({ offset: 0, state: 'receiving' });
    await fill(a.id, pattern(100, 1));
    await fill(a.id, pattern(300, 1).subarray(100), 100);
    expect(engine.uploads.head(final.id, alice)).toMatchObject({ offset: 500, state: 'received' });
    expect(await engine.bytes(final.id)).toEqual(Buffer.concat([pattern(300, 1), pattern(200, 2)]));
    expect(engine.received).toEqual([b.id, a.id, final.id]);
    expect(engine.published.filter(({ id }) => id === final.id)).toEqual([{ id: final.id, offset: 500 }]);
    expect(engine.state.get(keys.outbox, final.id)).toBeTypeOf('number');
  });

  it('takes parts without bytes, and is received when all are so', async () => {
    const [a, b] = [await partial(0), await partial(0)];
    expect(await join(a.id, b.id)).toMatchObject({ length: 0, offset: 0, state: 'received' });
  });

  it('takes no body, and only partial uploads of its own organization whose length is known', async () => {
    const [a, deferred] = [await partial(10), await partial(null)];
    const plain = await engine.uploads.create(alice, request(10));
    const foreign = await engine.uploads.create(mallory, request(10, { concat: { of: 'partial' } }));
    const final = await join(a.id);
    for (const parts of [[], [plain.id], [foreign.id], [final.id], [deferred.id], [a.id, 'nobody']]) {
      await expect(join(...parts)).rejects.toBeInstanceOf(ConcatenationInvalid);
    }
    await expect(fill(final.id, pattern(1))).rejects.toBeInstanceOf(FinalUploadImmutable);
    await engine.uploads.declareLength(deferred.id, alice, 10);
    expect((await join(deferred.id, a.id)).length).toBe(20);
  });

  it('is refused when its parts are too large together', async () => {
    const [a, b] = [await partial(6000), await partial(6000)];
    await expect(join(a.id, b.id)).rejects.toBeInstanceOf(UploadTooLarge);
  });

  it('keeps the bytes of parts that are removed, and they go with the last that refers to them', async () => {
    const [a, b] = [await partial(300), await partial(200)];
    await fill(a.id, pattern(300, 1));
    await fill(b.id, pattern(200, 2));
    const [one, two] = [await join(a.id, b.id), await join(b.id, a.id)];
    await engine.uploads.terminate(a.id, alice);
    expect(() => engine.uploads.head(a.id, alice)).toThrow(UploadNotFound);
    expect(await engine.bytes(one.id)).toEqual(Buffer.concat([pattern(300, 1), pattern(200, 2)]));
    await engine.uploads.terminate(one.id, alice);
    expect(await engine.bytes(two.id)).toEqual(Buffer.concat([pattern(200, 2), pattern(300, 1)]));
    await engine.uploads.terminate(two.id, alice);
    // The part that still has its record keeps its bytes.
    expect(await objects()).toBe(1);
    await engine.uploads.terminate(b.id, alice);
    expect(await objects()).toBe(0);
    expect([...engine.state.list(keys.finalsOf)]).toEqual([]);
    expect([...engine.state.list(keys.outbox)]).toEqual([]);
  });

  it('that a transfer holds keeps its parts too', async () => {
    const a = await partial(3);
    await fill(a.id, pattern(3));
    const final = await join(a.id);
    isClaimed = (id) => id === final.id;
    await expect(engine.uploads.terminate(final.id, alice)).rejects.toBeInstanceOf(UploadClaimed);
    await expect(engine.uploads.terminate(a.id, alice)).rejects.toBeInstanceOf(UploadClaimed);
    expect(await engine.bytes(final.id)).toEqual(pattern(3));
  });

  it('has its bytes after a restart, even when the record of its part is gone', async () => {
    const a = await partial(300);
    await fill(a.id, pattern(300, 1));
    const final = await join(a.id);
    await engine.uploads.terminate(a.id, alice);
    const { folder } = engine;
    await engine.close();
    engine = await Engine.open({ folder });
    expect(await engine.uploads.resumeAfterStart()).toMatchObject({ removed: 0 });
    expect(await engine.bytes(final.id)).toEqual(pattern(300, 1));
  });
});
