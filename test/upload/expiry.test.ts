import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UploadRecord } from '../../src/state/records.ts';
import { UploadNotFound } from '../../src/upload/errors.ts';
import { until } from '../support/until.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

const hour = 3_600_000;
const day = 24 * hour;

let engine: Engine;
let now: number;
let isExpirable: boolean;
let gone: string[];
const options = {
  now: () => now,
  hooks: {
    expirable: () => isExpirable,
    expired: (_: unknown, { id }: UploadRecord) => void gone.push(id),
  },
};

beforeEach(async () => {
  now = 1_000_000_000_000;
  isExpirable = true;
  gone = [];
  engine = await Engine.open(options);
});
afterEach(() => engine.remove());

const create = (length: number | null, more: Parameters<typeof request>[1] = {}): Promise<UploadRecord> =>
  engine.uploads.create(alice, request(length, more));
const append = (id: string, offset: number, bytes: number): Promise<UploadRecord> =>
  engine.uploads.append(id, alice, { offset }, FakeBody.of(pattern(bytes)));

function isThere({ id }: UploadRecord): boolean {
  try {
    engine.uploads.head(id, alice);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(UploadNotFound);
    return false;
  }
}

describe('an unfinished upload', () => {
  it('expires 72 hours after its last byte, with its bytes', async () => {
    const upload = await create(10);
    now += 71 * hour;
    const { lastByteAt } = await append(upload.id, 0, 3);
    expect(engine.uploads.expiresAt(engine.record(upload.id))).toBe(lastByteAt + 72 * hour);
    now += 71 * hour;
    expect(await engine.uploads.expire()).toBe(0);
    now += 2 * hour;
    expect(await engine.uploads.expire()).toBe(1);
    expect(isThere(upload)).toBe(false);
    const left: string[] = [];
    for await (const object of engine.storage.list()) left.push(object);
    expect(left).toEqual([]);
    expect(engine.uploads.load).toMatchObject({ open: 0, comingBytes: 0 });
  });

  it('expires 14 days after its creation however often a byte comes', async () => {
    const upload = await create(1000);
    for (let offset = 0; offset < 14; offset += 1) {
      now += day;
      expect(await engine.uploads.expire(now - 1)).toBe(0);
      await append(upload.id, offset, 1);
    }
    expect(await engine.uploads.expire()).toBe(1);
    expect(isThere(upload)).toBe(false);
  });

  it('is not taken from who writes it', async () => {
    const upload = await create(10);
    const body = new FakeBody(10);
    const appended = engine.uploads.append(upload.id, alice, { offset: 0 }, body);
    body.send(pattern(4));
    await until(() => engine.uploads.load.writers === 1);
    now += 100 * day;
    expect(await engine.uploads.expire()).toBe(0);
    body.send(pattern(10).subarray(4));
    body.end();
    await appended;
    expect(await engine.bytes(upload.id)).toEqual(pattern(10));
  });

  it('of a transfer goes only when the transfer lets it go, which is told in the same commit', async () => {
    const upload = await create(10, { transfer: 'some-transfer' });
    now += 15 * day;
    isExpirable = false;
    expect(await engine.uploads.expire()).toBe(0);
    expect(isThere(upload)).toBe(true);
    isExpirable = true;
    expect(await engine.uploads.expire()).toBe(1);
    expect(gone).toEqual([upload.id]);
  });

  it('is known to expire after a restart too', async () => {
    const upload = await create(10);
    const { folder } = engine;
    await engine.close();
    engine = await Engine.open({ ...options, folder });
    await engine.uploads.resumeAfterStart();
    now += 73 * hour;
    expect(await engine.uploads.expire()).toBe(1);
    expect(isThere(upload)).toBe(false);
  });
});

describe('a received upload', () => {
  it('of a transfer never expires', async () => {
    const upload = await create(3, { transfer: 'some-transfer' });
    await append(upload.id, 0, 3);
    now += 1000 * day;
    expect(engine.uploads.expiresAt(engine.record(upload.id))).toBeNull();
    expect(await engine.uploads.expire()).toBe(0);
    expect(await engine.bytes(upload.id)).toEqual(pattern(3));
  });

  it('that nobody claims is kept for 14 days', async () => {
    const upload = await create(3);
    await append(upload.id, 0, 3);
    now += 14 * day - 1;
    expect(await engine.uploads.expire()).toBe(0);
    now += 1;
    expect(await engine.uploads.expire()).toBe(1);
    expect(isThere(upload)).toBe(false);
  });

  it('that is part of a final one is kept as long as that, and expires by itself after it', async () => {
    const part = await create(3, { concat: { of: 'partial' } });
    await append(part.id, 0, 3);
    const final = await create(null, {
      concat: { of: 'final', parts: [part.id] },
      transfer: 'some-transfer',
    });
    now += 20 * day;
    expect(await engine.uploads.expire()).toBe(0);
    await engine.uploads.terminate(final.id, alice);
    expect(isThere(part)).toBe(true);
    expect(await engine.uploads.expire()).toBe(1);
    expect(isThere(part)).toBe(false);
  });
});

it('a final upload whose parts never come expires 14 days after its creation', async () => {
  const part = await create(3, { concat: { of: 'partial' } });
  const final = await create(null, { concat: { of: 'final', parts: [part.id] } });
  now += 73 * hour;
  expect(await engine.uploads.expire()).toBe(1);
  expect(isThere(part)).toBe(false);
  expect(isThere(final)).toBe(true);
  now += 12 * day;
  expect(await engine.uploads.expire()).toBe(1);
  expect(isThere(final)).toBe(false);
});

it('objects that no upload of ours made are never touched', async () => {
  const foreign = 'd-0123456789abcdef' as Parameters<typeof engine.storage.create>[0];
  await engine.storage.create(foreign);
  await create(3);
  now += 100 * day;
  expect(await engine.uploads.expire()).toBe(1);
  const left: string[] = [];
  for await (const object of engine.storage.list()) left.push(object);
  expect(left).toEqual([foreign]);
});
