import { COUNTED_GROUPS_MAX } from './limits.ts';
import type { CountedGroup } from './sites.ts';
import { groupOf, isGroupLength, isPrivate, Tag } from './tags.ts';

/** Collects, along the elements of the top level, the groups with a length that a patch may have to count anew. */
export class CountedGroups {
  readonly #found: CountedGroup[] = [];
  #open: Omit<CountedGroup, 'to'> | undefined;

  /** The next element begins at `at`. */
  meet(tag: number, at: number): void {
    if (this.#open !== undefined && this.#open.group !== groupOf(tag)) this.#close(at);
  }

  /** It is a (gggg,0000) whose value of 4 bytes ends at `end`. */
  count(tag: number, at: number, end: number): void {
    const group = groupOf(tag);
    if (isPrivate(tag) && this.#found.length >= COUNTED_GROUPS_MAX) return;
    this.#open = { group, at, lengthAt: end - 4, from: end };
  }

  /** The top level ends at `at`. */
  end(at: number): void {
    this.#close(at);
  }

  /** All of them; one that is still open has no end. */
  get found(): readonly CountedGroup[] {
    return this.#open === undefined ? this.#found : [...this.#found, { ...this.#open, to: null }];
  }

  #close(at: number): void {
    if (this.#open === undefined) return;
    this.#found.push({ ...this.#open, to: at });
    this.#open = undefined;
  }
}

/** A patch writes into groups 0010 and 0400, and takes elements out of private ones. */
export function isCounted(tag: number): boolean {
  return isGroupLength(tag) && (PATCHED.has(groupOf(tag)) || isPrivate(tag));
}

const PATCHED: ReadonlySet<number> = new Set([groupOf(Tag.patientId), groupOf(Tag.originalAttributes)]);
