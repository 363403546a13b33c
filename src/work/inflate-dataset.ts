import { pipeline } from 'node:stream/promises';
import { createDeflateRaw } from 'node:zlib';
import { deflatedAt } from '../dicom/deflated.ts';
import { DicomError } from '../dicom/error.ts';
import { IDENTITY_BYTES, WINDOW_BYTES_FIRST } from '../dicom/limits.ts';
import { scan } from '../dicom/scan.ts';
import { slice } from '../storage/reader.ts';
import type { FileRange } from '../storage/storage.ts';
import { digestsOf } from './digester.ts';
import { Inflation, InflationFault, type InflationLimits } from './inflation.ts';
import type { InflatedParts, InflateJob, InflateResult, InspectionFault } from './jobs.ts';
import { inflatedChunkBytes, tailLevel } from './limits.ts';
import type { Output } from './output-file.ts';
import type { PieceReader } from './piece-reader.ts';
import { dicomFault, type Found, Reading } from './reading.ts';

/**
 * See inflate: a Part 10 instance with a deflated dataset. Its stream is inflated twice, because lengths
 * inside are held against how much of it there is: once to count, and then to read and write.
 *
 * Of a stream that ends too early what is there is written, as a plain instance that ends too early is
 * kept; of one that is corrupt nothing is, because what follows the fault would be lost.
 *
 * @throws RangeError for an instance whose dataset is not deflated
 */
export async function inflateDataset(
  job: InflateJob,
  reader: PieceReader,
  out: Output,
): Promise<InflateResult> {
  const digests = digestsOf(job.ranges, reader);
  const source = openSource(job.ranges, reader);
  if (!('inflation' in source)) {
    return { inspection: { ...unreadable(source), ...digests }, bytes: 0 };
  }
  const { found, parts } = await readDataset(source, job, out).catch((thrown: unknown) => {
    if (!(thrown instanceof InflationFault)) throw thrown;
    return { found: unreadable(faultOf(thrown, source)), parts: undefined } satisfies Outcome;
  });
  return {
    inspection: { ...found, ...digests },
    ...(parts !== undefined && { inflated: parts }),
    bytes: parts === undefined ? 0 : parts.headBytes + parts.tailBytes,
  };
}

/** A deflated instance: what stands before its dataset, and the dataset. */
interface Source {
  readonly meta: Uint8Array;
  readonly inflation: Inflation;
  /** The dataset is not deflated at all, whatever the file meta says. */
  readonly isPlain: boolean;
}

interface Outcome {
  readonly found: Found;
  readonly parts: InflatedParts | undefined;
}

/** A fault when the file meta cannot be read: nobody knows then where the dataset begins. */
function openSource(ranges: readonly FileRange[], reader: PieceReader): Source | InspectionFault {
  try {
    return sourceOf(ranges, reader);
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown;
    return dicomFault(thrown);
  }
}

function sourceOf(ranges: readonly FileRange[], reader: PieceReader): Source {
  const total = ranges.reduce((sum, { bytes }) => sum + bytes, 0);
  const first = (bytes: number): Uint8Array => {
    const chunks: Buffer[] = [];
    reader.read(slice(ranges, 0, Math.min(bytes, total)), (chunk) => chunks.push(Buffer.from(chunk)));
    return Buffer.concat(chunks);
  };
  let datasetAt = deflatedAt(first(WINDOW_BYTES_FIRST), total);
  while (typeof datasetAt === 'object') datasetAt = deflatedAt(first(datasetAt.need), total);
  if (datasetAt === undefined) throw new RangeError('the dataset of this instance is not deflated');
  return {
    meta: first(datasetAt),
    inflation: new Inflation(reader, slice(ranges, datasetAt, total)),
    isPlain: isPlain(first(IDENTITY_BYTES), total),
  };
}

/** A deflate stream does not look like elements that can be scanned. */
function isPlain(window: Uint8Array, total: number): boolean {
  try {
    scan(window, total, 'inflated');
    return true;
  } catch (thrown) {
    if (thrown instanceof DicomError) return false;
    throw thrown;
  }
}

async function readDataset(
  source: Source,
  { bytesMax, ratioMax }: InflateJob,
  out: Output,
): Promise<Outcome> {
  const { meta, inflation } = source;
  const limits = { bytesMax: bytesMax - meta.byteLength, ratioMax };
  const { bytes, cutOff } = await count(inflation, limits);
  const total = meta.byteLength + bytes;
  const reading = new Reading(total, 'inflated');
  const instance = joined(meta, inflation.inflated(limits, { cutOff: cutOff !== undefined }));
  const headBytes = await write(instance, reading, out);
  const error = cutOff === undefined ? reading.fault : faultOf(cutOff, source);
  if (reading.isUnreadable) return { found: unreadable(error), parts: undefined };
  const found = reading.finish();
  return {
    found: cutOff === undefined || error === undefined ? found : { ...found, error },
    parts: { headBytes, tailBytes: out.bytes - headBytes, bytes: total },
  };
}

/** How many bytes the stream inflates to; with the fault when that is not all of it. */
async function count(
  inflation: Inflation,
  limits: InflationLimits,
): Promise<{ bytes: number; cutOff: InflationFault | undefined }> {
  try {
    return { bytes: await sum(inflation.inflated(limits)), cutOff: undefined };
  } catch (thrown) {
    if (!(thrown instanceof InflationFault) || thrown.code !== 'TRUNCATED') throw thrown;
    return { bytes: await sum(inflation.inflated(limits, { cutOff: true })), cutOff: thrown };
  }
}

async function sum(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.byteLength;
  return bytes;
}

async function* joined(meta: Uint8Array, dataset: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield meta;
  yield* dataset;
}

/**
 * Writes head and tail as Inflated in state/records.ts has them, and reads the instance on its way;
 * answers the bytes of the head. Ends early when the head cannot be read.
 */
async function write(instance: AsyncIterable<Uint8Array>, reading: Reading, out: Output): Promise<number> {
  let headBytes = 0;
  async function* behindHead(): AsyncGenerator<Uint8Array> {
    for await (const chunk of instance) {
      reading.feed(chunk);
      if (reading.isUnreadable) return;
      // Nobody knows where the head ends before it is read, but that it ends behind what was fed until then.
      const left = (reading.patchedBytes ?? Number.POSITIVE_INFINITY) - headBytes;
      const head = chunk.subarray(0, Math.min(left, chunk.byteLength));
      await out.write(head);
      headBytes += head.byteLength;
      if (head.byteLength < chunk.byteLength) yield chunk.subarray(head.byteLength);
    }
  }
  const deflated = createDeflateRaw({ level: tailLevel, chunkSize: inflatedChunkBytes });
  await pipeline(behindHead, deflated, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) await out.write(chunk);
  });
  return headBytes;
}

function unreadable(error: InspectionFault | undefined): Found {
  return { scan: undefined, identity: undefined, ...(error !== undefined && { error }) };
}

function faultOf({ code, offset, reason }: InflationFault, { meta, isPlain }: Source): InspectionFault {
  const at = meta.byteLength;
  if (isPlain && code === 'MALFORMED') {
    const lie = 'the file meta declares a deflated dataset, the dataset is not deflated';
    return { code: 'SYNTAX_LIES', tag: '', offset: at, reason: lie };
  }
  return { code, tag: '', offset: at + offset, reason };
}
