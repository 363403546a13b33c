import { trimmedText } from './dicom-file.ts';
import { type Form, type WalkedElement, type WalkedItem, walk } from './dicom-walk.ts';

export interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Buffer;
}

/** One element that a patient's identity was added to, or that was added. */
export interface Addition {
  /** As `0010,1002`. */
  readonly tag: string;
  /** The edits of the source that would make it; ascending. */
  readonly edits: readonly Edit[];
  readonly insertedAt: number;
  /** The item of (0010,1002) that is new. */
  readonly item: WalkedItem | undefined;
}

export const GROUP_LENGTH = 0x0010_0000;
const ISSUER = 0x0010_0021;
const QUALIFIERS = 0x0010_0024;
const RETIRED_IDS = 0x0010_1000;
const OTHER_IDS = 0x0010_1002;
const ORIGINAL = 0x0400_0561;
/** In the order of their tags, which is that of the edits. */
const ADDED_TO = [ISSUER, QUALIFIERS, RETIRED_IDS, OTHER_IDS, ORIGINAL] as const;
const WALKED_INTO = new Set<number>([QUALIFIERS, OTHER_IDS, ORIGINAL]);

/** Who a dataset is about, and the record of changes: its elements up to (0400,0561). */
export interface IdentityElements {
  readonly elements: ReadonlyMap<number, WalkedElement>;
  /** They stand in the order of their tags, each once. */
  readonly ascending: boolean;
  /** Where an element with this tag would begin. */
  placeOf(tag: number): number;
  /** Where group 0010 ends. */
  readonly groupEnd: number;
}

export function identityElements(bytes: Buffer, datasetAt: number, form: Form): IdentityElements {
  const elements = new Map<number, WalkedElement>();
  let ascending = true;
  let last = 0;
  let groupEnd = datasetAt;
  for (const element of walk(bytes, datasetAt, bytes.byteLength, form, WALKED_INTO)) {
    if (element.tag > ORIGINAL) break;
    if (element.tag <= last) ascending = false;
    last = element.tag;
    elements.set(element.tag, element);
    if (element.tag <= 0x0010_ffff) groupEnd = element.end;
  }
  const placeOf = (tag: number): number =>
    [...elements.values()]
      .filter((one) => one.tag < tag)
      .reduce((at, one) => Math.max(at, one.end), datasetAt);
  return { elements, ascending, placeOf, groupEnd };
}

/**
 * What was added, as far as that can explain a difference, or why it is not permitted: an issuer for a Patient
 * ID that had none, a value behind those of the retired (0010,1000), an item behind those of (0010,1002), and
 * one behind those of (0400,0561) that keeps what stood in the last two.
 */
export function findAdditions(
  source: IdentityElements,
  delivered: IdentityElements,
  before: Buffer,
  after: Buffer,
): Addition[] | string {
  if (source.ascending && !delivered.ascending) return 'delivered has elements out of order';
  const additions: Addition[] = [];
  for (const tag of ADDED_TO) {
    const there = source.elements.get(tag);
    const now = delivered.elements.get(tag);
    if (now === undefined) {
      if (there !== undefined) return `delivered has no ${named(tag)}`;
      continue;
    }
    if (there !== undefined && before.subarray(there.at, there.end).equals(after.subarray(now.at, now.end)))
      continue;
    const found =
      there === undefined ? added(tag, source, now, after) : appended(tag, there, now, before, after);
    if (typeof found === 'string') return found;
    additions.push(found);
  }
  return additions;
}

/** An element that the source does not have. */
function added(tag: number, source: IdentityElements, now: WalkedElement, after: Buffer): Addition | string {
  const items = now.items?.length ?? 0;
  if ((tag === OTHER_IDS || tag === QUALIFIERS || tag === ORIGINAL) && items !== 1) {
    return items === 0
      ? `delivered has an empty ${named(tag)}`
      : `${named(tag)} was added with ${items.toString()} items`;
  }
  const hasIssuer = source.elements.has(ISSUER) || source.elements.has(QUALIFIERS);
  if ((tag === ISSUER || tag === QUALIFIERS) && hasIssuer) return 'the Patient ID had an issuer before';
  const at = source.placeOf(tag);
  const edits = [{ at, remove: 0, insert: after.subarray(now.at, now.end) }];
  return { tag: digits(tag), edits, insertedAt: at, item: tag === OTHER_IDS ? now.items?.[0] : undefined };
}

/** What stands behind what the source has. */
function appended(
  tag: number,
  there: WalkedElement,
  now: WalkedElement,
  before: Buffer,
  after: Buffer,
): Addition | string {
  if (tag === OTHER_IDS || tag === ORIGINAL) return appendedItem(there, now, before, after);
  if (tag === RETIRED_IDS) return appendedValue(there, now, before, after);
  return `${named(tag)} was changed`;
}

function appendedItem(
  there: WalkedElement,
  now: WalkedElement,
  before: Buffer,
  after: Buffer,
): Addition | string {
  const [were, are] = [there.items ?? [], now.items ?? []];
  const item = are.at(-1);
  const name = named(there.tag);
  if (item === undefined) return `delivered has an empty ${name}`;
  if (are.length !== were.length + 1) {
    return `${name} went from ${were.length.toString()} to ${are.length.toString()} items`;
  }
  if (now.openEnded !== there.openEnded) return `${name} changed between defined and undefined length`;
  const insert = after.subarray(item.at, item.end);
  const edits = [...lengthField(there, now, before, after), { at: there.valueEnd, remove: 0, insert }];
  return {
    tag: digits(there.tag),
    edits,
    insertedAt: there.valueEnd,
    item: there.tag === OTHER_IDS ? item : undefined,
  };
}

/** One more value of a text, with a backslash between; padding may go and come. */
function appendedValue(
  there: WalkedElement,
  now: WalkedElement,
  before: Buffer,
  after: Buffer,
): Addition | string {
  const [was, is] = [
    trimmedText(before, there.valueAt, there.valueEnd),
    trimmedText(after, now.valueAt, now.valueEnd),
  ];
  if (!(was === '' ? is !== '' : is.startsWith(`${was}\\`)))
    return `${named(there.tag)} does not begin as it did`;
  const value = {
    at: there.valueAt,
    remove: there.valueEnd - there.valueAt,
    insert: after.subarray(now.valueAt, now.valueEnd),
  };
  const edits = [...lengthField(there, now, before, after), value];
  return { tag: digits(there.tag), edits, insertedAt: there.valueAt, item: undefined };
}

function lengthField(there: WalkedElement, now: WalkedElement, before: Buffer, after: Buffer): Edit[] {
  const insert = after.subarray(now.lengthAt, now.valueAt);
  if (before.subarray(there.lengthAt, there.valueAt).equals(insert)) return [];
  return [{ at: there.lengthAt, remove: there.valueAt - there.lengthAt, insert }];
}

function digits(tag: number): string {
  const all = tag.toString(16).padStart(8, '0');
  return `${all.slice(0, 4)},${all.slice(4)}`;
}

const named = (tag: number): string => `(${digits(tag)})`;
