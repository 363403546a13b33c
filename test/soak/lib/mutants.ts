import { readSamples } from '../../support/samples.ts';
import { base } from '../../support/study/odd/form.ts';
import { oddForms } from '../../support/study/odd/odd-forms.ts';
import { EXPLICIT_LE, part10 } from '../../support/study/part10.ts';
import { bigPrivateBlock, correctedIdentity } from '../../support/study/private-elements.ts';
import { type Mark, marksOf } from './marks.ts';
import { Random } from './random.ts';

/** One file that mutants are made of. */
interface Source {
  readonly name: string;
  readonly bytes: Buffer;
  readonly marks: readonly Mark[];
}

export interface Mutant {
  /** What was done to which file, for a person. */
  readonly what: string;
  readonly bytes: Buffer;
}

/** A longer file is cut to this: what lies behind is pixels, and a million mutants have to be made. */
const SOURCE_BYTES_MAX = 16 * 1024;
const DAMAGES_MAX = 3;

/** Tags that something reads, ends or cuts at. */
const TAGS = [
  ...[0x0000_0000, 0x0002_0010, 0x0008_0001, 0x0008_0005, 0x0008_0016, 0x0008_0018, 0x0008_0050, 0x0010_0000],
  ...[0x0010_0010, 0x0010_0020, 0x0010_0021, 0x0010_0022, 0x0010_0024, 0x0010_1000, 0x0010_1002, 0x0020_000d],
  ...[0x0020_000e, 0x0009_0010, 0x0040_0032, 0x0400_0020, 0x0400_0500, 0x0400_0561, 0x4ffe_0001, 0x5533_5533],
  ...[0x7fe0_0010, 0xff_fa_ff_fa, 0xff_fc_ff_fc, 0xff_fe_e0_00, 0xff_fe_e0_0d, 0xff_fe_e0_dd, 0xff_ff_ff_ff],
] as const;
const VRS = ['SQ', 'UN', 'OB', 'OW', 'UT', 'LO', 'UI', 'US', 'OV', 'AT', 'CS', 'ZZ', '\0\0', '  '] as const;
const BYTES = [0x00, 0x01, 0x20, 0x5c, 0x7f, 0x80, 0xe0, 0xfe, 0xff] as const;
const LENGTHS = [
  ...[0, 1, 2, 3, 4, 7, 8, 9, 0x7f, 0xff, 0x100, 0xff_fe, 0xff_ff, 0x1_00_00, 0xff_ff_ff],
  ...[0x7f_ff_ff_ff, 0x80_00_00_00, 0xff_ff_ff_f0, 0xff_ff_ff_fe, 0xff_ff_ff_ff],
] as const;

/** Makes mutants of the samples and the odd forms; the same seed and number give the same one. */
export class Mutants {
  readonly #sources: readonly [Source, ...Source[]];
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    const cut = [...readSamples(), ...oddForms()].map(({ name, bytes }) => ({
      name,
      bytes: Buffer.from(bytes.subarray(0, SOURCE_BYTES_MAX)),
    }));
    const [first, ...rest] = [...cut, ...longHeads()].map((one) => ({ ...one, marks: marksOf(one.bytes) }));
    if (first === undefined) throw new Error('nothing to make mutants of');
    this.#sources = [first, ...rest];
  }

  get sources(): number {
    return this.#sources.length;
  }

  mutant(number: number): Mutant {
    const random = new Random(Math.imul(this.#seed + 1, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b));
    const source = random.pick(this.#sources);
    let { bytes } = source;
    let { marks } = source;
    const done: string[] = [];
    if (random.chance(0.15)) {
      const other = random.pick(this.#sources);
      bytes = Buffer.concat([cutAt(source, random, 'front'), cutAt(other, random, 'back')]);
      marks = marks.filter(({ end }) => end <= bytes.byteLength);
      done.push(`spliced with ${other.name}`);
    } else {
      bytes = Buffer.from(bytes);
    }
    const damages = random.between(done.length === 0 ? 1 : 0, DAMAGES_MAX);
    for (let count = 0; count < damages && bytes.byteLength > 0; count += 1) {
      const damage = random.pick(DAMAGES);
      // Marks are of the source: what an earlier damage moved is hit anywhere, which is damage as well.
      bytes = damage(bytes, marks, random);
      done.push(damage.name);
    }
    return { what: `${source.name}: ${done.join(', ')}`, bytes };
  }
}

/** Heads longer than a first look, and longer than nested identities are looked for. */
const longHeads = (): { name: string; bytes: Buffer }[] =>
  [40_000, 140_000].map((size) => ({
    name: `private-${size.toString()}`,
    bytes: part10(base([...bigPrivateBlock(size), ...correctedIdentity(true)]), EXPLICIT_LE),
  }));

/** The source up to, or from, an element of it or any byte. */
function cutAt({ bytes, marks }: Source, random: Random, half: 'front' | 'back'): Buffer {
  const [first, ...rest] = marks;
  const exact = random.chance(0.8) && first !== undefined;
  const at = exact ? random.pick([first, ...rest]).at : random.between(0, bytes.byteLength);
  return half === 'front' ? bytes.subarray(0, at) : bytes.subarray(at);
}

type Damage = (bytes: Buffer, marks: readonly Mark[], random: Random) => Buffer;

/** One of the marks that still lie within the bytes. */
function someMark(bytes: Buffer, marks: readonly Mark[], random: Random): Mark | undefined {
  if (marks.length === 0) return undefined;
  const mark = marks[random.between(0, marks.length - 1)];
  return mark === undefined || mark.valueAt > bytes.byteLength ? undefined : mark;
}

const flippedBits: Damage = (bytes, _, random) => {
  for (let count = random.between(1, 8); count > 0; count -= 1) {
    const at = somewhere(bytes, random);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
  }
  return bytes;
};

const changedBytes: Damage = (bytes, _, random) => {
  const at = somewhere(bytes, random);
  bytes.fill(random.pick(BYTES), at, Math.min(bytes.byteLength, at + random.between(1, 12)));
  return bytes;
};

/** Heads are short and hold what is read: most damage goes there. */
const somewhere = (bytes: Buffer, random: Random): number =>
  random.between(0, (random.chance(0.7) ? Math.min(bytes.byteLength, 1200) : bytes.byteLength) - 1);

const lyingLength: Damage = (bytes, marks, random) => {
  const mark = someMark(bytes, marks, random);
  if (mark === undefined) return bytes;
  const { lengthAt, lengthBytes, valueAt, end, bigEndian } = mark;
  const near = end - valueAt + random.between(-3, 3);
  const toEnd = bytes.byteLength - valueAt + random.between(-2, 2);
  const value = random.pick([random.pick(LENGTHS), near, toEnd, toEnd * 2]);
  const limit = lengthBytes === 2 ? 0x1_00_00 : 0x1_00_00_00_00;
  const written = ((value % limit) + limit) % limit;
  if (bigEndian) bytes.writeUIntBE(written, lengthAt, lengthBytes);
  else bytes.writeUIntLE(written, lengthAt, lengthBytes);
  return bytes;
};

const otherTag: Damage = (bytes, marks, random) => {
  const mark = someMark(bytes, marks, random);
  if (mark !== undefined) writeTag(bytes, mark, random.pick(TAGS));
  return bytes;
};

const swappedTags: Damage = (bytes, marks, random) => {
  const [one, other] = [someMark(bytes, marks, random), someMark(bytes, marks, random)];
  if (one === undefined || other === undefined) return bytes;
  const tag = Buffer.from(bytes.subarray(one.at, one.at + 4));
  bytes.copy(bytes, one.at, other.at, other.at + 4);
  tag.copy(bytes, other.at);
  return bytes;
};

const otherVr: Damage = (bytes, marks, random) => {
  const mark = someMark(bytes, marks, random);
  if (mark !== undefined) bytes.write(random.pick(VRS), mark.at + 4, 'latin1');
  return bytes;
};

const truncated: Damage = (bytes, marks, random) => {
  const mark = random.chance(0.6) ? someMark(bytes, marks, random) : undefined;
  const at = mark === undefined ? random.between(0, bytes.byteLength) : mark.at + random.between(-2, 13);
  return bytes.subarray(0, Math.max(0, at));
};

const doubled: Damage = (bytes, marks, random) => {
  const mark = someMark(bytes, marks, random);
  if (mark === undefined) return bytes;
  const part = bytes.subarray(mark.at, mark.end);
  const at = someMark(bytes, marks, random)?.at ?? mark.end;
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
};

const removed: Damage = (bytes, marks, random) => {
  const mark = someMark(bytes, marks, random);
  if (mark === undefined) return bytes;
  return Buffer.concat([bytes.subarray(0, mark.at), bytes.subarray(mark.end)]);
};

const inserted: Damage = (bytes, marks, random) => {
  const at = someMark(bytes, marks, random)?.at ?? somewhere(bytes, random);
  const noise = Buffer.from(Array.from({ length: random.between(1, 20) }, () => random.between(0, 255)));
  return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
};

const DAMAGES = [
  ...([flippedBits, changedBytes, lyingLength, lyingLength, otherTag, swappedTags] as const),
  ...([otherVr, truncated, doubled, removed, inserted] as const),
] as const;

function writeTag(bytes: Buffer, { at, bigEndian }: Mark, tag: number): void {
  if (bigEndian) {
    bytes.writeUInt32BE(tag, at);
    return;
  }
  bytes.writeUInt16LE(tag >>> 16, at);
  bytes.writeUInt16LE(tag & 0xff_ff, at + 2);
}
