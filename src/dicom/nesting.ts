import { type Header, UNDEFINED, VR } from './element.ts';
import { DicomError } from './error.ts';
import { NESTING_MAX } from './limits.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';

/** What is open: a sequence that awaits items, an item that awaits elements, or encapsulated fragments. */
interface Open {
  readonly kind: 'sequence' | 'item' | 'fragments';
  readonly encoding: Encoding;
}

/**
 * Finds the end of what has no length: told each header in order, it says how many bytes of value to
 * pass over before the next one (PS3.5 section 7.5, and A.4 for encapsulated pixel data).
 *
 * Only undefined lengths are entered, so its memory is bounded by NESTING_MAX and a defined length of
 * any size costs nothing. Throws MALFORMED and TOO_DEEP.
 */
export class Nesting {
  readonly #dataset: Encoding;
  readonly #open: Open[] = [];
  #sequences = 0;

  constructor(dataset: Encoding) {
    this.#dataset = dataset;
  }

  /** False when the next header is one of the dataset's own. */
  get inside(): boolean {
    return this.#open.length > 0;
  }

  /** How the next header is written. */
  get encoding(): Encoding {
    return this.#open.at(-1)?.encoding ?? this.#dataset;
  }

  /** Bytes of value behind this header; 0 when what follows is the next header. */
  take(header: Header, offset: number): number {
    const innermost = this.#open.at(-1);
    if (innermost?.kind === 'sequence' || innermost?.kind === 'fragments') {
      return this.#takeItem(header, offset, innermost);
    }
    if (innermost?.kind === 'item' && header.tag === Tag.itemEnd) {
      this.#close(header, offset);
      return 0;
    }
    if (groupOf(header.tag) === groupOf(Tag.item)) {
      throw new DicomError(
        'MALFORMED',
        'an item or delimiter stands where an element belongs',
        offset,
        header.tag,
      );
    }
    if (header.length !== UNDEFINED) return header.length;
    this.#enter(header, offset);
    return 0;
  }

  #takeItem(header: Header, offset: number, inside: Open): number {
    if (header.tag === Tag.sequenceEnd) {
      this.#close(header, offset);
      if (inside.kind === 'sequence') this.#sequences -= 1;
      return 0;
    }
    if (header.tag !== Tag.item) {
      throw new DicomError('MALFORMED', 'an element stands where an item belongs', offset, header.tag);
    }
    if (header.length !== UNDEFINED) return header.length;
    if (inside.kind === 'fragments') {
      throw new DicomError('MALFORMED', 'a fragment of pixel data has no length', offset, header.tag);
    }
    this.#open.push({ kind: 'item', encoding: inside.encoding });
    return 0;
  }

  #enter(header: Header, offset: number): void {
    const { kind, encoding } = insideOf(header, this.encoding, offset);
    if (kind === 'sequence') {
      this.#sequences += 1;
      if (this.#sequences > NESTING_MAX) throw tooDeep(header, offset);
    }
    this.#open.push({ kind, encoding });
  }

  #close(header: Header, offset: number): void {
    if (header.length !== 0) {
      throw new DicomError('MALFORMED', 'a delimiter has a length', offset, header.tag);
    }
    this.#open.pop();
  }
}

export function tooDeep(header: Header, offset: number): DicomError {
  const limit = NESTING_MAX.toString();
  return new DicomError('TOO_DEEP', `sequences are nested more than ${limit} deep`, offset, header.tag);
}

/** What an element of undefined length opens. */
export function insideOf(header: Header, encoding: Encoding, offset: number): Open {
  const { tag, vr } = header;
  if (tag === Tag.pixelData || vr === VR.OB || vr === VR.OW) return { kind: 'fragments', encoding };
  if (vr === VR.SQ || vr === VR.none) return { kind: 'sequence', encoding };
  // CP-246, now PS3.5 section 6.2.2 note 4: UN of undefined length is implicit little endian inside, even in big endian.
  if (vr === VR.UN) return { kind: 'sequence', encoding: 'implicit-le' };
  throw new DicomError(
    'MALFORMED',
    'only sequences and pixel data may have an undefined length',
    offset,
    tag,
  );
}
