/** PS3.5 annex G.3: the header is sixteen 32 bit numbers, the segment count and up to fifteen offsets. */
const HEADER_BYTES = 64;
/** PS3.5 section G.3.1: a run or a literal covers at most 128 bytes. */
const RUN_MAX = 128;

/**
 * One frame of 16 bit pixels as RLE Lossless: a segment of high bytes, then one of low bytes
 * (PS3.5 section G.2), each row on its own (G.3.1). `pixels` is little endian, row after row.
 */
export function rleFrame(pixels: Uint8Array, columns: number): Buffer {
  const high = packPlane(pixels, columns, 1);
  const low = packPlane(pixels, columns, 0);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(2, 0);
  header.writeUInt32LE(HEADER_BYTES, 4);
  header.writeUInt32LE(HEADER_BYTES + high.byteLength, 8);
  return Buffer.concat([header, high, low]);
}

function packPlane(pixels: Uint8Array, columns: number, offset: 0 | 1): Buffer {
  const rows = pixels.byteLength / (2 * columns);
  // Literals cost one byte per 128 at worst, begun anew in each row.
  const packed = Buffer.alloc(rows * (columns + Math.ceil(columns / RUN_MAX)) + 1);
  const row = Buffer.alloc(columns);
  let end = 0;
  for (let index = 0; index < rows; index += 1) {
    const from = index * columns * 2 + offset;
    for (let column = 0; column < columns; column += 1) row[column] = pixels[from + 2 * column] ?? 0;
    end = packRow(row, packed, end);
  }
  // Segments have an even length (G.3.1); the byte behind is still zero.
  return packed.subarray(0, end + (end % 2));
}

/**
 * PackBits. Runs of two stay inside literals, so that a row never grows by more than its literals'
 * lengths. `row` is copied out literal by literal; indexes never leave it, hence the plain comparisons.
 */
function packRow(row: Buffer, packed: Buffer, start: number): number {
  const width = row.byteLength;
  let end = start;
  let literal = 0;
  let at = 0;
  while (at < width) {
    const value = row[at] ?? 0;
    if (row[at + 1] !== value || row[at + 2] !== value) {
      at += 1;
      continue;
    }
    let run = 3;
    while (run < RUN_MAX && row[at + run] === value) run += 1;
    end = packLiteral(row, literal, at, packed, end);
    packed[end] = 257 - run;
    packed[end + 1] = value;
    end += 2;
    at += run;
    literal = at;
  }
  return packLiteral(row, literal, width, packed, end);
}

function packLiteral(row: Buffer, from: number, to: number, packed: Buffer, start: number): number {
  let end = start;
  for (let at = from; at < to; at += RUN_MAX) {
    const length = Math.min(RUN_MAX, to - at);
    packed[end] = length - 1;
    row.copy(packed, end + 1, at, at + length);
    end += 1 + length;
  }
  return end;
}
