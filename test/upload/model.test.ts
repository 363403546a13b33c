import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { UploadRecord } from '../../src/state/records.ts';
import { blocksOf } from '../../src/upload/ledger.ts';
import { blockBytes } from '../../src/upload/limits.ts';
import { alice, Engine, pattern, request } from './engine.ts';
import { FakeBody } from './fake-body.ts';

const hour = 3_600_000;
/** Above two blocks, so that a body can fill one. */
const longest = 2 * blockBytes + 5000;
/** Every client of an upload has the same bytes for it: what is stored is wrong if it is anything else. */
const all = pattern(longest + 300);
const bytesOf = (id: string, start: number, end: number): Buffer => {
  const shift = Number.parseInt(id.slice(-2), 16);
  return all.subarray(start + shift, end + shift);
};

type Op =
  | {
      kind: 'create';
      length: number | null;
      isPartial: boolean;
      endsWhenTold: boolean;
      transfer: string | null;
    }
  | { kind: 'append'; of: number; bytes: number; ends: 'end' | 'vanish' | 'wrong' | 'beyond'; chunk: number }
  | { kind: 'declare'; of: number; more: number }
  | { kind: 'terminate'; of: number }
  | { kind: 'join'; of: number[] }
  | { kind: 'expire'; hours: number };

const size = fc.oneof(
  { weight: 20, arbitrary: fc.nat(3000) },
  { weight: 1, arbitrary: fc.constantFrom(blockBytes - 1, blockBytes, blockBytes + 1, longest) },
);
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      length: fc.option(size),
      isPartial: fc.boolean(),
      endsWhenTold: fc.boolean(),
      transfer: fc.constantFrom(null, 'some-transfer'),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      of: fc.nat(7),
      // Often all that is left.
      bytes: fc.oneof(size, fc.constant(longest)),
      ends: fc.constantFrom(
        'end' as const,
        'end' as const,
        'vanish' as const,
        'wrong' as const,
        'beyond' as const,
      ),
      chunk: fc.constantFrom(64, 700, 1_000_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('declare' as const), of: fc.nat(7), more: size }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('terminate' as const), of: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('join' as const),
      of: fc.array(fc.nat(7), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), hours: fc.nat(400) }) },
);

/** What has to be true of the engine between requests, from its records and from what was seen before. */
class Watch {
  readonly offsets = new Map<string, number>();
  readonly received: string[] = [];
  engine: Engine;
  now = 1_000_000_000_000;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  get uploads(): UploadRecord[] {
    return [...this.engine.state.list(keys.uploads)].map(({ value }) => value);
  }

  async run(step: Op): Promise<void> {
    const { engine } = this;
    // Those that may still take something first, so that most requests mean something.
    const known = this.uploads.sort(
      (a, b) => Number(a.state === 'received') - Number(b.state === 'received'),
    );
    const pick = (at: number): UploadRecord | undefined => known[at % Math.max(1, known.length)];
    if (step.kind === 'create') {
      const { length, isPartial, endsWhenTold, transfer } = step;
      await engine.uploads.create(
        alice,
        request(length, {
          transfer,
          concat: isPartial ? { of: 'partial' } : null,
          ends: endsWhenTold && !isPartial ? 'when-told' : 'at-length',
        }),
      );
    } else if (step.kind === 'join') {
      const partials = known.filter(({ isPartial }) => isPartial);
      const parts = step.of.flatMap((at) => partials[at % Math.max(1, partials.length)]?.id ?? []);
      await engine.uploads.create(alice, request(null, { concat: { of: 'final', parts } }));
    } else if (step.kind === 'expire') {
      this.now += step.hours * hour;
      await engine.uploads.expire();
    } else {
      const upload = pick(step.of);
      if (upload !== undefined) await this.#ask(step, upload);
    }
  }

  async #ask(
    step: Extract<Op, { kind: 'append' | 'declare' | 'terminate' }>,
    { id, offset, length, ends }: UploadRecord,
  ): Promise<void> {
    const { uploads } = this.engine;
    if (step.kind === 'terminate') return uploads.terminate(id, alice);
    if (step.kind === 'declare') {
      await uploads.declareLength(id, alice, offset + step.more);
      return;
    }
    const end = Math.min(offset + step.bytes, length ?? Math.min(offset + 5000, longest));
    const bytes = step.ends === 'wrong' ? Buffer.alloc(end - offset, 1) : bytesOf(id, offset, end);
    const body = new FakeBody(step.ends === 'end' ? bytes.byteLength : undefined);
    for (let at = 0; at < bytes.byteLength; at += step.chunk) body.send(bytes.subarray(at, at + step.chunk));
    if (step.ends === 'beyond' && length !== null) body.send(Buffer.alloc(length - end + 1, 1));
    if (step.ends === 'vanish') body.vanish();
    else body.end();
    const isWrong = step.ends === 'wrong';
    const checksum = { algorithm: 'crc32' as const, value: Buffer.from('deadbeef', 'hex') };
    const isLast = ends === 'when-told' && !isWrong && (length === null || end === length);
    await uploads.append(id, alice, { offset, isLast, ...(isWrong ? { checksum } : {}) }, body);
  }

  async check(): Promise<void> {
    const { engine, uploads } = this;
    const objects = new Set<string>();
    const parts = new Map<string, Set<string>>();
    let coming = 0;
    for (const upload of uploads) {
      const { id, offset, length, state, content } = upload;
      expect(offset).toBeGreaterThanOrEqual(this.offsets.get(id) ?? 0);
      this.offsets.set(id, offset);
      expect(engine.uploads.head(id, alice)).toEqual(upload);
      await this.#checkBytes(upload);
      if (content.of === 'object') {
        objects.add(content.object);
        coming += state === 'received' ? 0 : Math.max(0, (length ?? offset) - offset);
      } else {
        for (const { upload: part, object } of content.parts) {
          objects.add(object);
          parts.set(part, (parts.get(part) ?? new Set()).add(id));
        }
        expect(state === 'received').toBe(content.parts.every(({ bytes }) => bytes !== null));
      }
    }
    const open = uploads.filter(({ state }) => state !== 'received').length;
    expect(engine.uploads.load).toEqual({ writers: 0, open, comingBytes: coming, syncsWaiting: 0 });
    const stored: string[] = [];
    for await (const object of engine.storage.list()) stored.push(object);
    expect(stored.sort()).toEqual([...objects].sort());
    const finals = [...engine.state.list(keys.finalsOf)].map(
      ({ key, value }) => [key, [...value].sort()] as const,
    );
    expect(Object.fromEntries(finals)).toEqual(
      Object.fromEntries([...parts].map(([part, of]) => [part, [...of].sort()])),
    );
    const whole = uploads.filter(({ state }) => state === 'received').map(({ id }) => id);
    const noted = uploads.filter(({ id, transfer }) => transfer !== null && whole.includes(id));
    expect([...engine.state.list(keys.outbox)].map(({ key }) => key)).toEqual(noted.map(({ id }) => id));
    const received = [...this.received, ...engine.received];
    expect(new Set(received).size).toBe(received.length);
    expect(received).toEqual(expect.arrayContaining(whole));
    const kept = new Set([...uploads.map(({ id }) => id), ...parts.keys()]);
    for (const { key } of engine.state.list(keys.blocks)) expect(kept).toContain(key[0]);
  }

  async #checkBytes(upload: UploadRecord): Promise<void> {
    const { id, offset, content } = upload;
    const bytes = await this.engine.bytes(id);
    if (content.of === 'parts') {
      const own = content.parts.map((part) => bytesOf(part.upload, 0, part.bytes ?? 0));
      expect(bytes.equals(Buffer.concat(offset === 0 ? [] : own))).toBe(true);
      return;
    }
    expect(bytes.equals(bytesOf(id, 0, offset))).toBe(true);
    for (const block of blocksOf(this.engine.state, upload)) {
      expect(crc32(bytes.subarray(block.start, block.start + block.bytes))).toBe(block.crc32);
    }
  }

  async restart(isLedgerOn: boolean): Promise<void> {
    this.received.push(...this.engine.received);
    const { folder } = this.engine;
    await this.engine.close();
    this.engine = await openEngine(() => this.now, isLedgerOn, folder);
    const { removed } = await this.engine.uploads.resumeAfterStart();
    expect(removed).toBe(0);
  }
}

function openEngine(now: () => number, ledger: boolean, folder?: string): Promise<Engine> {
  return Engine.open({
    now,
    settings: { ledger, checkpointBytes: 1000, checkpointMs: 1, openMax: 1000 },
    ...(folder === undefined ? {} : { folder }),
  });
}

it('comes to what its records say, whatever requests come at once, and after every start', async () => {
  // What is asked at once, and whether a restart follows.
  const round = fc.record({
    ops: fc.array(op, { minLength: 1, maxLength: 5 }),
    restart: fc.option(fc.boolean(), { freq: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 3, maxLength: 14 }), async (rounds) => {
      const watch = new Watch(await openEngine(() => watch.now, true));
      try {
        await watch.engine.uploads.resumeAfterStart();
        for (const { ops, restart } of rounds) {
          await Promise.allSettled(ops.map((step) => watch.run(step)));
          await watch.check();
          if (restart !== null) {
            await watch.restart(restart);
            await watch.check();
          }
        }
      } finally {
        await watch.engine.remove();
      }
    }),
    {
      numRuns: 10_000,
      interruptAfterTimeLimit: Number(process.env.FUZZ_SECONDS ?? 8) * 1000,
      markInterruptAsFailure: false,
    },
  );
}, 120_000);
