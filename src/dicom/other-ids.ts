import { VALUE_BYTES_MAX } from './limits.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { plainText } from './text.ts';
import { type OnValue, visitItems } from './visit.ts';
import { Window } from './window.ts';

/** What one item of (0010,1002) says about one number; '' for what it does not say. Byte for character. */
export interface OtherId extends Qualifiers {
  patientId: string;
  issuerOfPatientId: string;
  typeOfPatientId: string;
}

/** What the one item of (0010,0024) says about who issued a number. */
export interface Qualifiers {
  universalEntityId: string;
  universalEntityIdType: string;
  identifierTypeCode: string;
}

export interface ReadQualifiers extends Readonly<Qualifiers> {
  /** Something else stands there than which kind of number it is, which (0040,0035) says. */
  readonly namesIssuer: boolean;
}

/** PS3.3 table 10-18: what the item itself holds, and what its (0010,0024) holds. */
const IN_ITEM: ReadonlyMap<number, keyof OtherId> = new Map([
  [Tag.patientId, 'patientId'],
  [Tag.issuerOfPatientId, 'issuerOfPatientId'],
  [Tag.typeOfPatientId, 'typeOfPatientId'],
]);
const IN_QUALIFIERS: ReadonlyMap<number, keyof Qualifiers> = new Map([
  [Tag.universalEntityId, 'universalEntityId'],
  [Tag.universalEntityIdType, 'universalEntityIdType'],
  [Tag.identifierTypeCode, 'identifierTypeCode'],
]);

export const NO_QUALIFIERS: Readonly<Qualifiers> = {
  universalEntityId: '',
  universalEntityIdType: '',
  identifierTypeCode: '',
};

function emptyId(): OtherId {
  return { patientId: '', issuerOfPatientId: '', typeOfPatientId: '', ...NO_QUALIFIERS };
}

/** True when both say the same of the number and of who issued it. */
export function isSameId(one: Readonly<OtherId>, other: Readonly<OtherId>): boolean {
  return (
    one.patientId === other.patientId &&
    one.issuerOfPatientId === other.issuerOfPatientId &&
    one.typeOfPatientId === other.typeOfPatientId &&
    isSameQualifiers(one, other)
  );
}

export function isSameQualifiers(one: Readonly<Qualifiers>, other: Readonly<Qualifiers>): boolean {
  return (
    one.universalEntityId === other.universalEntityId &&
    one.universalEntityIdType === other.universalEntityIdType &&
    one.identifierTypeCode === other.identifierTypeCode
  );
}

/**
 * What a (0010,0024) says whose bytes, without header and delimiter, are `items`; undefined when it says
 * nothing at all: no item, or none with a value.
 *
 * @throws DicomError when they are not a sequence of items
 */
export function readQualifiers(items: Uint8Array, encoding: Encoding): ReadQualifiers | undefined {
  const found = { ...NO_QUALIFIERS };
  let says = false;
  let namesIssuer = false;
  visitItems(
    new Window(items, items.byteLength),
    { tag: Tag.issuerOfPatientIdQualifiers, from: 0, limit: items.byteLength, open: false, encoding },
    (tag, from, to, path) => {
      if (to > from) says = true;
      if (to > from && tag !== Tag.identifierTypeCode) namesIssuer = true;
      const field = path.length === 1 && path[0]?.item === 0 ? IN_QUALIFIERS.get(tag) : undefined;
      if (field !== undefined && to - from <= VALUE_BYTES_MAX)
        found[field] = plainText(items.subarray(from, to));
    },
  );
  return says ? { ...found, namesIssuer } : undefined;
}

/**
 * The items of a (0010,1002) whose bytes, without header and delimiter, are `items`.
 *
 * @throws DicomError when they are not a sequence of items
 */
export function readOtherIds(items: Uint8Array, encoding: Encoding): OtherId[] {
  const found = new Map<number, OtherId>();
  const sequence = {
    tag: Tag.otherPatientIdsSequence,
    from: 0,
    limit: items.byteLength,
    open: false,
    encoding,
  };
  visitItems(new Window(items, items.byteLength), sequence, collectOtherIds(items, found));
  return [...found.values()];
}

/** Collects, by number, the items of the outermost sequence that is visited; those that hold no value leave no entry. */
export function collectOtherIds(bytes: Uint8Array, into: Map<number, OtherId>): OnValue {
  return (tag, from, to, path) => {
    const [outer, inner, deeper] = path;
    if (outer === undefined || deeper !== undefined || to - from > VALUE_BYTES_MAX) return;
    const qualifies = inner?.sequence === Tag.issuerOfPatientIdQualifiers && inner.item === 0;
    const field = inner === undefined ? IN_ITEM.get(tag) : qualifies ? IN_QUALIFIERS.get(tag) : undefined;
    if (field === undefined) return;
    const id = into.get(outer.item) ?? emptyId();
    id[field] = plainText(bytes.subarray(from, to));
    into.set(outer.item, id);
  };
}
