/** How elements are written (PS3.5 section 7.1). */
export interface Form {
  readonly explicit: boolean;
  readonly bigEndian: boolean;
}

export interface WalkedItem {
  readonly at: number;
  readonly valueAt: number;
  readonly end: number;
  /** The item's own elements are written so. */
  readonly form: Form;
  readonly valueEnd: number;
}

/** Where one element lies in the bytes. Ends are exclusive. */
export interface WalkedElement {
  readonly tag: number;
  readonly at: number;
  /** The length field's first byte; it reaches to `valueAt`. */
  readonly lengthAt: number;
  readonly valueAt: number;
  /** Before the delimiter when the length is undefined, else the same as `end`. */
  readonly valueEnd: number;
  readonly end: number;
  readonly openEnded: boolean;
  /** Of sequences that had to be walked: undefined length, or asked for by tag. */
  readonly items: readonly WalkedItem[] | undefined;
}

export const IMPLICIT_LE: Form = { explicit: false, bigEndian: false };
export const EXPLICIT_LE: Form = { explicit: true, bigEndian: false };

const UNDEFINED_LENGTH = 0xff_ff_ff_ff;
const ITEM = 0xff_fe_e0_00;
const ITEM_DELIMITER = 0xff_fe_e0_0d;
const SEQUENCE_DELIMITER = 0xff_fe_e0_dd;
/** PS3.5 table 7.1-1 and 7.1-2: a VR that is not here has a 32 bit length behind two reserved bytes. */
const SHORT_VRS = /^(?:AE|AS|AT|CS|DA|DS|DT|FL|FD|IS|LO|LT|PN|SH|SL|SS|ST|TM|UI|UL|US)$/;
const VR = /^[A-Z]{2}$/;
const NESTING_MAX = 100;

export class MalformedDicom extends Error {
  override readonly name = 'MalformedDicom';
}

/**
 * A minimal walker for comparing, in no way the engine's own. Yields the elements from `start` to `end`
 * in the order in which they stand; `sequenceTags` are walked into whatever their length. Throws
 * MalformedDicom, with the offset, on anything it does not understand.
 */
export function* walk(
  bytes: Buffer,
  start: number,
  end: number,
  form: Form,
  sequenceTags: ReadonlySet<number> = new Set(),
): Generator<WalkedElement> {
  for (let at = start; at < end; ) {
    const element = readElement(bytes, at, end, form, sequenceTags);
    yield element;
    at = element.end;
  }
}

/** The one element at `at`; the rest as with `walk`. */
export function readElement(
  bytes: Buffer,
  at: number,
  limit: number,
  form: Form,
  sequenceTags: ReadonlySet<number> = new Set(),
  depth = 0,
): WalkedElement {
  need(at, 8, limit);
  const tag = readTag(bytes, at, form);
  const vr = form.explicit ? bytes.toString('latin1', at + 4, at + 6) : '';
  if (form.explicit && !VR.test(vr)) throw new MalformedDicom(`no VR at ${(at + 4).toString()}`);
  const short = SHORT_VRS.test(vr);
  const lengthAt = form.explicit ? at + (short ? 6 : 8) : at + 4;
  const valueAt = form.explicit && short ? at + 8 : lengthAt + 4;
  need(at, valueAt - at, limit);
  const length = short ? read16(bytes, lengthAt, form) : read32(bytes, lengthAt, form);
  const openEnded = !short && length === UNDEFINED_LENGTH;
  const place = { tag, at, lengthAt, valueAt, openEnded };
  // PS3.5 section 6.2.2 note 2 (CP-246): what is in a sequence written as UN is implicit little endian.
  const inside = vr === 'UN' ? IMPLICIT_LE : form;
  if (openEnded) {
    const { items, end } = readItems(bytes, valueAt, limit, inside, true, depth);
    return { ...place, items, valueEnd: end - 8, end };
  }
  need(valueAt, length, limit);
  const end = valueAt + length;
  const items = sequenceTags.has(tag)
    ? readItems(bytes, valueAt, end, inside, false, depth).items
    : undefined;
  return { ...place, items, valueEnd: end, end };
}

/** Items up to the sequence's delimiter, which counts in `end`, or up to `limit` when there is none. */
function readItems(
  bytes: Buffer,
  start: number,
  limit: number,
  form: Form,
  delimited: boolean,
  depth: number,
): { items: WalkedItem[]; end: number } {
  const items: WalkedItem[] = [];
  let at = start;
  while (delimited || at < limit) {
    need(at, 8, limit);
    const tag = readTag(bytes, at, form);
    const length = read32(bytes, at + 4, form);
    const valueAt = at + 8;
    if (delimited && tag === SEQUENCE_DELIMITER) return { items, end: valueAt };
    if (tag !== ITEM) throw new MalformedDicom(`no item at ${at.toString()}`);
    if (length === UNDEFINED_LENGTH) {
      const valueEnd = openItemEnd(bytes, valueAt, limit, form, depth);
      items.push({ at, valueAt, valueEnd, end: valueEnd + 8, form });
      at = valueEnd + 8;
    } else {
      need(valueAt, length, limit);
      at = valueAt + length;
      items.push({ at: valueAt - 8, valueAt, valueEnd: at, end: at, form });
    }
  }
  return { items, end: at };
}

/** Where the item's delimiter begins. */
function openItemEnd(bytes: Buffer, start: number, limit: number, form: Form, depth: number): number {
  if (depth > NESTING_MAX) throw new MalformedDicom(`nested too deep at ${start.toString()}`);
  for (let at = start; ; ) {
    need(at, 8, limit);
    if (readTag(bytes, at, form) === ITEM_DELIMITER) return at;
    at = readElement(bytes, at, limit, form, new Set(), depth + 1).end;
  }
}

function need(at: number, length: number, limit: number): void {
  if (at + length > limit) throw new MalformedDicom(`cut off at ${at.toString()}`);
}

const read16 = (bytes: Buffer, at: number, form: Form): number =>
  form.bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);

const read32 = (bytes: Buffer, at: number, form: Form): number =>
  form.bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);

const readTag = (bytes: Buffer, at: number, form: Form): number =>
  read16(bytes, at, form) * 0x1_00_00 + read16(bytes, at + 2, form);

/** A 32 bit value, such as a group length. */
export const readNumber = read32;
