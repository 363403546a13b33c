/** Twelve bits are stored; noise below keeps clear of the top. */
const AIR = 24;
const TISSUE = 1060;
const BONE = 2100;
/** Six bits of noise in each of the two pixels that one 32 bit step fills. */
const NOISE_MASK = 0x00_3f_00_3f;

export interface Frame {
  readonly rows: number;
  /** Always even, so that two pixels can be filled at a time. */
  readonly columns: number;
}

const SIDE_MAX = 65_534;

/** The frame of 16 bit pixels whose size comes nearest to `bytes`, roughly square. */
export function frameOf(bytes: number): Frame {
  const pixels = Math.max(2, Math.round(bytes / 2));
  const columns = Math.min(SIDE_MAX, Math.max(2, 2 * Math.round(Math.sqrt(pixels) / 2)));
  const rows = Math.max(1, Math.round(pixels / columns));
  if (rows > SIDE_MAX)
    throw new RangeError(`a frame of ${bytes.toString()} bytes does not fit Rows and Columns`);
  return { rows, columns };
}

export const frameBytes = (frame: Frame): number => frame.rows * frame.columns * 2;

/**
 * Fills `out` with a slice through a body: an ellipse of tissue with a ring of bone in air, and noise
 * that differs per `seed`. Two pixels a step, because a gigabyte of this has to take seconds.
 */
export function fillPhantom(out: Buffer, frame: Frame, seed: number): void {
  const pairs = new Uint32Array(out.buffer, out.byteOffset, frameBytes(frame) / 4);
  const half = frame.columns / 2;
  let noise = (seed | 1) >>> 0;
  let at = 0;
  for (let row = 0; row < frame.rows; row += 1) {
    const skin = halfWidth(row, frame.rows, 0.9) * half;
    const skull = halfWidth(row, frame.rows, 0.82) * half;
    const brain = halfWidth(row, frame.rows, 0.74) * half;
    for (let pair = 0; pair < half; pair += 1) {
      const away = Math.abs(2 * pair + 1 - half);
      let value = AIR;
      if (away < brain || (away >= skull && away < skin)) value = TISSUE;
      else if (away < skull) value = BONE;
      // xorshift32, Marsaglia 2003
      noise ^= noise << 13;
      noise ^= noise >>> 17;
      noise ^= noise << 5;
      pairs[at] = value * 0x1_00_01 + (noise & NOISE_MASK);
      at += 1;
    }
  }
}

/** How far the ellipse of `radius` reaches sideways in this row: 0 outside, at most `radius`. */
function halfWidth(row: number, rows: number, radius: number): number {
  const up = (2 * row + 1) / rows - 1;
  return Math.sqrt(Math.max(0, radius * radius - up * up));
}
