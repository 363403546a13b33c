import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import { blocksOf, closedBlockCrc, Ledger } from '../../src/upload/ledger.ts';
import { blockBytes } from '../../src/upload/limits.ts';
import { alice, Engine, fuzz, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

let engine: Engine | undefined;
afterEach(async () => {
  await engine?.remove();
  engine = undefined;
});

/** The blocks of bytes, by another way. */
function blocksOfBytes(bytes: Uint8Array): { start: number; bytes: number; crc32: number }[] {
  const blocks = [];
  for (let start = 0; start < bytes.byteLength; start += blockBytes) {
    const piece = bytes.subarray(start, start + blockBytes);
    blocks.push({ start, bytes: piece.byteLength, crc32: crc32(piece) });
  }
  return blocks;
}

describe('the ledger of an upload', () => {
  it('holds the CRC-32 of every block, whatever bodies the bytes came in', async () => {
    engine = await Engine.open();
    const bytes = pattern(2 * blockBytes + 12_345);
    const { id } = await engine.uploads.create(alice, request(bytes.byteLength));
    const cuts = [1, 65_536, blockBytes - 1, blockBytes + 1, 2 * blockBytes, bytes.byteLength];
    let offset = 0;
    for (const cut of cuts) {
      await engine.uploads.append(id, alice, { offset }, FakeBody.of(bytes.subarray(offset, cut), 1_000_000));
      offset = cut;
      expect([...blocksOf(engine.state, engine.record(id))]).toEqual(blocksOfBytes(bytes.subarray(0, cut)));
    }
  });

  it('goes on from what was recorded after a body that was cut', async () => {
    engine = await Engine.open();
    const bytes = pattern(3_000_000);
    const { id } = await engine.uploads.create(alice, request(bytes.byteLength));
    const cut = new FakeBody(bytes.byteLength);
    cut.send(bytes.subarray(0, 1_234_567));
    cut.vanish();
    await expect(engine.uploads.append(id, alice, { offset: 0 }, cut)).rejects.toThrow();
    const { offset } = engine.record(id);
    expect(offset).toBe(1_234_567);
    await engine.uploads.append(id, alice, { offset }, FakeBody.of(bytes.subarray(offset)));
    expect([...blocksOf(engine.state, engine.record(id))]).toEqual(blocksOfBytes(bytes));
  });

  it('is not kept where it is turned off, and goes with its upload', async () => {
    engine = await Engine.open({ settings: { ledger: false } });
    const bytes = pattern(blockBytes + 1);
    const { id } = await engine.uploads.create(alice, request(bytes.byteLength));
    await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(bytes));
    expect([...blocksOf(engine.state, engine.record(id))]).toEqual([]);
    await engine.remove();

    engine = await Engine.open();
    const kept = await engine.uploads.create(alice, request(bytes.byteLength));
    await engine.uploads.append(kept.id, alice, { offset: 0 }, FakeBody.of(bytes));
    expect([...engine.state.list(keys.blocks)]).toHaveLength(1);
    await engine.uploads.terminate(kept.id, alice);
    expect([...engine.state.list(keys.blocks)]).toEqual([]);
  });

  it('of a part whose record was removed still has all its blocks, while a final upload refers to them', async () => {
    engine = await Engine.open();
    for (const length of [blockBytes + 777, blockBytes, 5]) {
      const bytes = pattern(length);
      const { id } = await engine.uploads.create(alice, request(length, { concat: { of: 'partial' } }));
      await engine.uploads.append(id, alice, { offset: 0 }, FakeBody.of(bytes));
      const { content } = engine.record(id);
      const final = await engine.uploads.create(
        alice,
        request(null, { concat: { of: 'final', parts: [id] } }),
      );
      await engine.uploads.terminate(id, alice);
      const blockCrc = closedBlockCrc(engine.state, id, length);
      const held = { id, content, offset: length, blockCrc };
      expect([...blocksOf(engine.state, held)]).toEqual(blocksOfBytes(bytes));
      await engine.uploads.terminate(final.id, alice);
      expect([...engine.state.list(keys.blocks)]).toEqual([]);
      expect(closedBlockCrc(engine.state, id, length)).toBeNull();
    }
  });

  it('comes to the same in whatever runs the bytes are taken, and wherever a step falls', () => {
    const run = fc.record({ bytes: fc.nat(5_000_000), isStep: fc.boolean() });
    fc.assert(
      fc.property(fc.nat(blockBytes * 2), fc.array(run, { maxLength: 8 }), (from, runs) => {
        const before = Buffer.alloc(from % blockBytes, 7);
        const ledger = new Ledger(from, crc32(before));
        const open = [before];
        let at = from;
        const found: { number: number; crc32: number }[] = [];
        const step = (): number => {
          const { blocks, blockCrc } = ledger.step(at);
          found.push(...blocks);
          return blockCrc;
        };
        for (const [index, { bytes, isStep }] of runs.entries()) {
          const piece = Buffer.alloc(bytes, index + 1);
          ledger.take(piece);
          open.push(piece);
          at += bytes;
          if (isStep) step();
        }
        const blockCrc = step();
        const all = Buffer.concat(open);
        const first = Math.floor(from / blockBytes);
        const expected = blocksOfBytes(all).map(({ bytes, crc32: crc }, n) => ({
          number: first + n,
          bytes,
          crc,
        }));
        const whole = expected.filter(({ bytes }) => bytes === blockBytes);
        expect(found).toEqual(whole.map(({ number, crc }) => ({ number, crc32: crc })));
        expect(blockCrc).toBe(expected.find(({ bytes }) => bytes < blockBytes)?.crc ?? 0);
      }),
      { ...fuzz, numRuns: 200 },
    );
  });
});
