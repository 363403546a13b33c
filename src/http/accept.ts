import { type MediaType, parseMediaType } from '../study/media-type.ts';

/** A representation that can be answered. */
export interface Representation {
  /** For example `multipart/related`, in small letters. */
  readonly type: string;
  /** What its parameter `type` says, of a multipart (RFC 2387). */
  readonly root?: string;
}

/**
 * Which of the representations a client prefers by its Accept header (RFC 9110 section 12.5.1); of equal
 * ones the first, and the first when the header is absent or says nothing. Undefined when it takes none.
 */
export function preferred<R extends Representation>(
  accept: string | undefined,
  representations: readonly R[],
): R | undefined {
  const ranges = elementsOf(accept ?? '').flatMap((text) => parseMediaType(text) ?? []);
  if (ranges.length === 0) {
    return representations[0];
  }
  let best: R | undefined;
  let bestQuality = 0;
  for (const representation of representations) {
    const quality = qualityOf(representation, ranges);
    if (quality > bestQuality) {
      best = representation;
      bestQuality = quality;
    }
  }
  return best;
}

/** What the most specific range that means it says of it; 0 when none does. */
function qualityOf(representation: Representation, ranges: readonly MediaType[]): number {
  let quality = 0;
  let most = 0;
  for (const range of ranges) {
    const specificity = specificityOf(representation, range);
    if (specificity > most) {
      most = specificity;
      quality = weightOf(range.parameters.get('q'));
    }
  }
  return quality;
}

/** 1 for any, 2 for the type's first half, 3 for the type, 4 with what it holds; 0 for another one. */
function specificityOf({ type, root }: Representation, range: MediaType): number {
  if (range.type === '*/*') {
    return 1;
  }
  if (range.type === `${type.split('/')[0] ?? ''}/*`) {
    return 2;
  }
  const wanted = range.parameters.get('type')?.toLowerCase();
  if (range.type !== type || (wanted !== undefined && root !== undefined && wanted !== root)) {
    return 0;
  }
  return wanted === undefined ? 3 : 4;
}

/** RFC 9110 section 12.4.2; one that is none counts as 1, as if it were not there. */
function weightOf(text: string | undefined): number {
  return text !== undefined && /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 1;
}

/** The elements of a list (RFC 9110 section 5.6.1); a comma in quotes parts nothing. */
function elementsOf(list: string): string[] {
  const elements: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < list.length; at += 1) {
    const character = list[at];
    if (character === '"') {
      quoted = !quoted;
    } else if (character === '\\' && quoted) {
      at += 1;
    } else if (character === ',' && !quoted) {
      elements.push(list.slice(from, at));
      from = at + 1;
    }
  }
  return [...elements, list.slice(from)];
}
