import { normalizeBsn } from './bsn.ts';
import type { ForeignElement } from './foreign.ts';
import { type IdentityValues, type SequenceSite, visit } from './identity-values.ts';
import {
  FOREIGN_ELEMENTS_MAX,
  HINTS_MAX,
  NESTED_VALUES_MAX,
  SEQUENCES_MAX,
  VALUE_BYTES_MAX,
} from './limits.ts';
import { Tag } from './tags.ts';
import { NO_BYTES, plainText, trimPadding } from './text.ts';
import type { Window } from './window.ts';

/** Who else stands in an instance. Patient data. */
export interface OtherPeople {
  /** Somebody is named in a sequence whom the dataset itself does not name, or too many to say who. */
  readonly present: boolean;
  /** The sequences they stand in; empty when there are too many. */
  readonly foreign: readonly ForeignElement[];
  /** Numbers in sequences that can be a BSN, the patient's own among them. */
  readonly bsns: readonly string[];
}

/**
 * Looks through the dataset's sequences for people. An item of (0400,0561) that says COERCE holds earlier
 * forms of the same patient's values (PS3.3 section C.12.1.1.9) and is nobody else; other reasons for a
 * modification, such as CORRECT, mean that it was about somebody else.
 */
export function findOtherPeople(window: Window, values: IdentityValues): OtherPeople {
  // Made for the first who is named: the sequences of most instances name nobody.
  let known: KnownPerson | undefined;
  const person = (): KnownPerson => {
    known ??= new KnownPerson(values);
    return known;
  };
  const sequences = values.sequences.filter((sequence) => namesAnother(window, sequence, person));
  const tooMany =
    known?.lost === true ||
    values.sequences.length > SEQUENCES_MAX ||
    sequences.length > FOREIGN_ELEMENTS_MAX;
  return {
    present: tooMany || sequences.length > 0,
    foreign: tooMany ? [] : sequences.map(({ tag, at, to }) => ({ tag, at, bytes: to - at })),
    bsns: known === undefined ? [] : [...known.bsns],
  };
}

function namesAnother(window: Window, sequence: SequenceSite, person: () => KnownPerson): boolean {
  const { bytes } = window;
  let found = false;
  let item = -1;
  let another = false;
  let coerced = false;
  const endItem = (): void => {
    found ||= another && !coerced;
    another = false;
    coerced = false;
  };
  visit(window, sequence, (tag, from, to, path) => {
    const [outer, inner] = path;
    if (outer !== undefined && outer.item !== item) {
      endItem();
      item = outer.item;
    }
    if (!isLookedAt(tag) || to - from > VALUE_BYTES_MAX) return;
    const known = person();
    if (known.lost) return;
    const text = plainText(bytes, from, to);
    if (tag === Tag.reasonForModification) {
      const itsOwn = sequence.tag === Tag.originalAttributes && inner === undefined;
      if (itsOwn) coerced = text === 'COERCE';
    } else if (sequence.tag !== Tag.otherPatientIdsSequence || inner !== undefined || tag !== Tag.patientId) {
      another = known.isAnother(tag, text) || another;
    }
  });
  endItem();
  return found;
}

function isLookedAt(tag: number): boolean {
  switch (tag) {
    case Tag.patientName:
    case Tag.patientId:
    case Tag.otherPatientIds:
    case Tag.reasonForModification:
      return true;
    default:
      return false;
  }
}

/** The dataset's own patient, by all ids and names it gives him. */
class KnownPerson {
  readonly bsns = new Set<string>();
  /** There were more different ids or names than are told apart. */
  lost = false;
  readonly #ids: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;
  /** What was looked at, so that it is done once for each text. */
  readonly #judgedIds = new Map<string, boolean>();
  readonly #judgedNames = new Map<string, boolean>();

  constructor({ own, otherIds }: IdentityValues) {
    const values = (tag: number) => valuesOf(plainText(own.get(tag) ?? NO_BYTES));
    const others = [...otherIds.values()].map(({ patientId }) => patientId);
    this.#ids = new Set(
      [...values(Tag.patientId), ...values(Tag.otherPatientIds), ...others].map(comparableId),
    );
    const names = [...values(Tag.patientName), ...values(Tag.otherPatientNames)];
    this.#names = new Set(names.map(comparableName));
  }

  /** False for an empty text: it names nobody. */
  isAnother(tag: number, text: string): boolean {
    if (text === '') return false;
    const isName = tag === Tag.patientName;
    const judged = isName ? this.#judgedNames : this.#judgedIds;
    const before = judged.get(text);
    if (before !== undefined) return before;
    if (judged.size >= NESTED_VALUES_MAX) {
      this.lost = true;
      return true;
    }
    const another = isName ? this.#isOtherName(text) : this.#isOtherId(text);
    judged.set(text, another);
    return another;
  }

  #isOtherName(text: string): boolean {
    const name = comparableName(text);
    return name !== '' && !this.#names.has(name);
  }

  #isOtherId(text: string): boolean {
    let another = false;
    for (const id of valuesOf(text)) {
      const bsn = normalizeBsn(id);
      if (bsn !== undefined && this.bsns.size < HINTS_MAX) this.bsns.add(bsn);
      another ||= !this.#ids.has(bsn ?? id);
    }
    return another;
  }
}

function valuesOf(text: string): string[] {
  return text
    .split('\\')
    .map(trimPadding)
    .filter((value) => value !== '');
}

/** A number that lost its leading zero somewhere is the same number. */
function comparableId(id: string): string {
  return normalizeBsn(id) ?? id;
}

/** Empty components at the end of a name say nothing (PS3.5 section 6.2.1), nor does the case of its letters. */
function comparableName(name: string): string {
  // A pattern that ends with `+$` tries again at each of 4,096 characters.
  let to = name.length;
  while (to > 0 && /[\s^=]/.test(name.charAt(to - 1))) to -= 1;
  return name.slice(0, to).toUpperCase();
}
