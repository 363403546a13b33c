import { readMeta } from './meta.ts';
import { encodingOf } from './syntaxes.ts';
import { isUid } from './text.ts';
import { Window, WindowEnds } from './window.ts';

/**
 * Datasets that are one deflate stream behind their file meta (PS3.5 annex A.5). There are no offsets to
 * cut at in such a stream, so a patched head goes out as blocks that are stored, not deflated (RFC 1951
 * section 3.2.4): every byte of it is known without a compressor.
 */
const BLOCK_BYTES_MAX = 65_535;
const BLOCK_HEAD_BYTES = 5;

/** True for the transfer syntaxes that deflate the whole dataset; 1.2.840.10008.1.2.8.1 deflates frames only. */
export function isDeflatedSyntax(transferSyntaxUid: string): boolean {
  return encodingOf(transferSyntaxUid) === 'deflated';
}

/**
 * Where the deflate stream of an instance of `instanceBytes` bytes begins, of which `window` holds the
 * first; undefined when its dataset is not deflated. `need` asks for more, as scan() does.
 *
 * @throws DicomError when the file meta cannot be read
 */
export function deflatedAt(window: Uint8Array, instanceBytes: number): number | { need: number } | undefined {
  try {
    const { transferSyntaxUid, datasetAt } = readMeta(new Window(window, instanceBytes));
    return isUid(transferSyntaxUid) && isDeflatedSyntax(transferSyntaxUid) ? datasetAt : undefined;
  } catch (thrown) {
    if (thrown instanceof WindowEnds) return { need: thrown.need };
    throw thrown;
  }
}

/**
 * Whether a stream is wrapped as zlib does (RFC 1950), which the standard does not ask for and some write
 * all the same.
 *
 * @param stream at least its first 2 bytes, if it has as many
 */
export function isZlibWrapped(stream: Uint8Array): boolean {
  const [method, flags] = stream;
  if (method === undefined || flags === undefined) return false;
  // A raw stream could begin so with a stored block in whose five unused bits something is set: nobody writes that.
  return (method & 0x0f) === 8 && method >> 4 <= 7 && (method * 256 + flags) % 31 === 0;
}

/** Bytes that a run of `bytes` bytes takes as stored blocks. */
export function storedBytes(bytes: number): number {
  return bytes + BLOCK_HEAD_BYTES * Math.ceil(bytes / BLOCK_BYTES_MAX);
}

/** A stored block: its head, and which bytes of the run follow it. */
export interface StoredBlock {
  readonly head: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** Cuts a run of `bytes` bytes into stored blocks, none of them the stream's last. They end at a byte. */
export function* storedBlocks(bytes: number): Generator<StoredBlock> {
  for (let from = 0; from < bytes; from += BLOCK_BYTES_MAX) {
    const to = Math.min(bytes, from + BLOCK_BYTES_MAX);
    const head = new Uint8Array(BLOCK_HEAD_BYTES); // the first byte, 0: not the last block, stored
    const view = new DataView(head.buffer);
    view.setUint16(1, to - from, true);
    view.setUint16(3, ~(to - from) & 0xffff, true);
    yield { head, from, to };
  }
}
