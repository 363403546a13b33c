import { constants, createInflate, createInflateRaw } from 'node:zlib';
import { isZlibWrapped } from '../dicom/deflated.ts';
import { slice } from '../storage/reader.ts';
import type { FileRange } from '../storage/storage.ts';
import type { InspectionFault } from './jobs.ts';
import { inflatedChunkBytes, paddingBytesMax, ratioFreeBytes } from './limits.ts';
import type { PieceReader } from './piece-reader.ts';

/** Why deflated bytes cannot be inflated, or not further. */
export class InflationFault extends Error {
  override readonly name = 'InflationFault';
  readonly code: InspectionFault['code'];
  /** Byte of the deflated bytes near which it is. */
  readonly offset: number;
  readonly reason: string;

  constructor(code: InspectionFault['code'], offset: number, reason: string) {
    super(reason);
    this.code = code;
    this.offset = offset;
    this.reason = reason;
  }
}

export interface InflationLimits {
  readonly bytesMax: number;
  readonly ratioMax: number;
}

/** zlib's word for a stream that contradicts itself; what else it throws is no word about the bytes. */
const CORRUPT: ReadonlySet<unknown> = new Set(['Z_DATA_ERROR', 'Z_NEED_DICT']);

/** One deflate stream in files, raw (RFC 1951) or wrapped (RFC 1950), to be inflated as often as one likes. */
export class Inflation {
  readonly #reader: PieceReader;
  readonly #ranges: readonly FileRange[];
  readonly #bytes: number;
  readonly #wrapped: boolean;

  constructor(reader: PieceReader, ranges: readonly FileRange[]) {
    this.#reader = reader;
    this.#ranges = ranges;
    this.#bytes = ranges.reduce((sum, { bytes }) => sum + bytes, 0);
    const first = Buffer.concat([...this.#chunks(0, Math.min(5, this.#bytes))]);
    this.#wrapped = isZlibWrapped(first);
  }

  /**
   * The inflated bytes, at the pace of who takes them; a chunk is its taker's own.
   *
   * Throws InflationFault: INFLATED_TOO_LARGE as soon as it is known, whatever the rest is; MALFORMED;
   * TRUNCATED, where a last chunk may be missing. `cutOff` takes what there is of a truncated stream.
   */
  async *inflated(limits: InflationLimits, { cutOff = false } = {}): AsyncGenerator<Buffer> {
    const { bytesMax, ratioMax } = limits;
    const most = Math.min(bytesMax, Math.max(ratioFreeBytes, this.#bytes * ratioMax));
    const options = {
      chunkSize: inflatedChunkBytes,
      ...(cutOff && { finishFlush: constants.Z_SYNC_FLUSH }),
    };
    const engine = this.#wrapped ? createInflate(options) : createInflateRaw(options);
    // Its failure is the engine's too, which is heard below.
    this.#feed(engine).catch((error: unknown) => engine.destroy(error instanceof Error ? error : undefined));
    let inflated = 0;
    try {
      for await (const chunk of engine as AsyncIterable<Buffer>) {
        inflated += chunk.byteLength;
        if (inflated > most) {
          const reason = `${this.#bytes.toString()} bytes inflate to more than ${most.toString()}`;
          throw new InflationFault('INFLATED_TOO_LARGE', 0, reason);
        }
        yield chunk;
      }
    } catch (thrown) {
      throw faultOf(thrown, engine.bytesWritten);
    } finally {
      engine.destroy();
    }
    this.#expectPadding(engine.bytesWritten);
  }

  /** One chunk at a time is with zlib. It takes none behind the stream's end. */
  async #feed(engine: ReturnType<typeof createInflateRaw>): Promise<void> {
    for (const chunk of this.#chunks(0, this.#bytes)) {
      if (engine.readableEnded || engine.destroyed) return;
      await new Promise<void>((resolve, reject) => {
        engine.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
    }
    engine.end();
  }

  /** Writers pad with a zero or more, or leave zlib's checksum behind a raw stream. */
  #expectPadding(from: number): void {
    if (this.#bytes - from <= paddingBytesMax) return;
    for (const chunk of this.#chunks(from, this.#bytes)) {
      if (chunk.some((byte) => byte !== 0)) {
        throw new InflationFault(
          'MALFORMED',
          from,
          'something other than padding follows the deflated bytes',
        );
      }
    }
  }

  *#chunks(from: number, to: number): Generator<Uint8Array> {
    yield* this.#reader.chunks(slice(this.#ranges, from, to));
  }
}

function faultOf(thrown: unknown, offset: number): unknown {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown instanceof InflationFault) return thrown;
  if (thrown.code === 'Z_BUF_ERROR') {
    return new InflationFault('TRUNCATED', offset, 'the deflated bytes end before their stream does');
  }
  // zlib's messages are of a fixed list: none of them holds a byte of the stream.
  return CORRUPT.has(thrown.code)
    ? new InflationFault('MALFORMED', offset, `the deflated bytes are corrupt: ${thrown.message}`)
    : thrown;
}
