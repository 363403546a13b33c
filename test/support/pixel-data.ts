import { createHash } from 'node:crypto';
import { datasetOf } from './dicom-file.ts';
import { MalformedDicom, walk } from './dicom-walk.ts';
import { withInflatedDataset } from './differ.ts';

/** (7FE0,0008) Float, (7FE0,0009) Double Float, (7FE0,0010) Pixel Data. */
const PIXELS = new Set([0x7fe0_0008, 0x7fe0_0009, 0x7fe0_0010]);

export interface PixelData {
  readonly transferSyntaxUid: string;
  /** Of the element from its tag to its end, fragments and delimiter in it; undefined without one. */
  readonly sha256: string | undefined;
  readonly bytes: number;
}

/**
 * The pixel data of a file, found by the tests' own walker. In a deflated file it is looked for in the
 * inflated dataset. Of one that is cut off everything from the element on counts.
 */
export function pixelDataOf(file: Buffer): PixelData {
  const { transferSyntaxUid } = datasetOf(file);
  const found = find(file);
  if (found?.from === undefined) return { transferSyntaxUid, sha256: undefined, bytes: 0 };
  const part = found.bytes.subarray(found.from, found.to);
  const sha256 = createHash('sha256').update(part).digest('hex');
  return { transferSyntaxUid, sha256, bytes: part.byteLength };
}

/** Between the file meta and the pixels; of a deflated file in its inflated form. Undefined when it has no pixels. */
export function editable(file: Buffer): { from: number; to: number } | undefined {
  const found = find(file);
  return found?.from === undefined ? undefined : { from: found.datasetAt, to: found.from };
}

interface Found {
  /** The file, its dataset inflated. */
  readonly bytes: Buffer;
  readonly datasetAt: number;
  /** Of the pixels; undefined when there are none. */
  readonly from: number | undefined;
  readonly to: number;
}

function find(file: Buffer): Found | undefined {
  const { datasetAt, form, deflated } = datasetOf(file);
  const inflated = deflated ? withInflatedDataset(file) : { bytes: file, datasetAt };
  if (typeof inflated === 'string') return undefined;
  const { bytes } = inflated;
  let next = datasetAt;
  try {
    for (const { tag, at, end } of walk(bytes, datasetAt, bytes.byteLength, form)) {
      if (PIXELS.has(tag)) return { bytes, datasetAt, from: at, to: end };
      next = end;
    }
  } catch (error) {
    if (!(error instanceof MalformedDicom)) throw error;
    if (next + 4 <= bytes.byteLength && isPixelTag(bytes, next, form.bigEndian)) {
      return { bytes, datasetAt, from: next, to: bytes.byteLength };
    }
  }
  return { bytes, datasetAt, from: undefined, to: 0 };
}

function isPixelTag(bytes: Buffer, at: number, bigEndian: boolean): boolean {
  const group = bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  const element = bigEndian ? bytes.readUInt16BE(at + 2) : bytes.readUInt16LE(at + 2);
  return PIXELS.has(group * 0x1_00_00 + element);
}
