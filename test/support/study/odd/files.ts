import { deflateRawSync, deflateSync } from 'node:zlib';
import {
  DEFLATED_LE,
  deflated,
  EXPLICIT_BE,
  EXPLICIT_LE,
  fileMeta,
  IMPLICIT_LE,
  part10,
  uidsOf,
} from '../part10.ts';
import { raw, text } from '../writer.ts';
import { base, dataset, file, type OddForm, refused, TAGGED } from './form.ts';

const { sopClassUid, sopInstanceUid } = uidsOf(base());
const meta = (form: Omit<Parameters<typeof fileMeta>[2] & object, never>): Buffer =>
  fileMeta(sopClassUid, sopInstanceUid, form);
const explicit = dataset();
const DICM = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);

/** Preamble, file meta and what stands around the dataset. */
export function oddFiles(): OddForm[] {
  const tiff = Buffer.concat([Buffer.from('II*\0\b\0\0\0', 'latin1'), Buffer.alloc(120, 7)]);
  const tagged: [string, Buffer][] = [
    ['preamble-of-a-tiff', Buffer.concat([meta({ preamble: tiff, syntax: EXPLICIT_LE }), explicit])],
    ['no-preamble', Buffer.concat([meta({ preamble: undefined, syntax: EXPLICIT_LE }), explicit])],
    ['no-meta', Buffer.concat([DICM, explicit])],
    ['bare-explicit', explicit],
    ['bare-implicit', dataset([], IMPLICIT_LE)],
    ['bare-big-endian', dataset([], EXPLICIT_BE)],
    ['meta-length-short', Buffer.concat([meta({ statedLength: 10, syntax: EXPLICIT_LE }), explicit])],
    ['meta-length-long', Buffer.concat([meta({ statedLength: 0xffff, syntax: EXPLICIT_LE }), explicit])],
    ['meta-length-absent', Buffer.concat([meta({ statedLength: undefined, syntax: EXPLICIT_LE }), explicit])],
    ['meta-without-syntax', Buffer.concat([meta({ syntax: undefined }), explicit])],
    ['ge-private-syntax', Buffer.concat([meta({ syntax: '1.2.840.113619.5.2' }), dataset([], IMPLICIT_LE)])],
    ['deflated-frames-plain-head', file(explicit, '1.2.840.10008.1.2.8.1')],
    ['trailing-padding', part10(base([padding(40)]), EXPLICIT_LE)],
    ['trailing-padding-implicit', part10(base([implicitPadding(40)]), IMPLICIT_LE)],
    ['trailing-zeros', Buffer.concat([file(explicit), Buffer.alloc(100)])],
    ['trailing-zeros-few', Buffer.concat([file(explicit), Buffer.alloc(3)])],
    ['nothing-behind-the-series', part10(base().slice(0, afterSeries()), EXPLICIT_LE)],
  ];
  return [
    ...tagged.map(([name, bytes]) => ({ name, bytes, expected: TAGGED })),
    ...oddDeflated(),
    { name: 'directory', bytes: directory(), expected: { outcome: 'untagged', why: 'directory' } },
    { name: 'empty', bytes: Buffer.alloc(0), expected: refused('NOT_DICOM') },
    { name: 'meta-alone', bytes: meta({ syntax: EXPLICIT_LE }), expected: refused('TRUNCATED') },
    { name: 'text', bytes: Buffer.from('Geachte collega,\n'.repeat(20)), expected: refused('NOT_DICOM') },
  ];
}

function oddDeflated(): OddForm[] {
  const head = meta({ syntax: DEFLATED_LE });
  // Big enough that a stream has several blocks, and of noise, so that some of them are stored.
  const streams: [string, Buffer][] = [
    ['deflated', deflated(explicit)],
    ['deflated-odd', odd(deflateRawSync(explicit))],
    ['deflated-stored', deflateRawSync(explicit, { level: 0 })],
    ['deflated-and-zeros', Buffer.concat([deflateRawSync(explicit), Buffer.alloc(8)])],
    ['deflated-with-zlib-frame', deflateSync(explicit)],
  ];
  return [
    ...streams.map(([name, stream]) => ({ name, bytes: Buffer.concat([head, stream]), expected: TAGGED })),
    ...['4.95', '4.205'].map((branch) => ({
      name: `deflated-jpip-${branch}`,
      bytes: file(deflated(explicit), `1.2.840.10008.1.2.${branch}`),
      expected: TAGGED,
    })),
    { name: 'deflated-not', bytes: Buffer.concat([head, explicit]), expected: refused('MALFORMED') },
    {
      name: 'deflated-cut',
      bytes: Buffer.concat([head, deflated(explicit).subarray(0, 200)]),
      expected: refused('TRUNCATED'),
    },
  ];
}

/** The stream with an odd number of bytes, which PS3.5 section A.5 forbids and writers do. */
const odd = (stream: Buffer): Buffer =>
  stream.byteLength % 2 === 1 ? stream : deflateRawSync(explicit, { level: 1 });

/** Data Set Trailing Padding (FFFC,FFFC). */
const padding = (bytes: number) =>
  raw(0xff_fc_ff_fc, Buffer.from('fcfffcff4f420000', 'hex'), uint32(bytes), Buffer.alloc(bytes));
const implicitPadding = (bytes: number) =>
  raw(0xff_fc_ff_fc, Buffer.from('fcfffcff', 'hex'), uint32(bytes), Buffer.alloc(bytes));

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const afterSeries = (): number => base().findIndex(({ tag }) => tag === 0x0020_000e) + 1;

/** A Media Storage Directory without records. */
function directory(): Buffer {
  const elements = [
    text(0x0004_1130, 'CS', 'SLUIS'),
    raw(0x0004_1200, Buffer.from('04000012554c040000000000', 'hex')),
    raw(0x0004_1202, Buffer.from('04000212554c040000000000', 'hex')),
    raw(0x0004_1212, Buffer.from('040012125553020000000000', 'hex').subarray(0, 10)),
    raw(0x0004_1220, Buffer.from('0400201253510000ffffffff', 'hex'), Buffer.from('feffdde000000000', 'hex')),
  ];
  const uids = { sopClassUid: '1.2.840.10008.1.3.10', sopInstanceUid };
  return part10(elements, EXPLICIT_LE, uids);
}
