/** A byte range [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const pattern = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * The one range of a Range header (RFC 9110 section 14.2), of content of `bytes`. Undefined when the header
 * is absent, of another unit, malformed or names several: then the whole content is the right answer.
 * 'unsatisfiable' when it lies behind the end.
 */
export function rangeOf(header: string | undefined, bytes: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = pattern.exec(header ?? '') ?? [];
  if (first === '' && last === '') {
    return undefined;
  }
  if (first === '') {
    const suffix = Number(last);
    return suffix === 0 ? 'unsatisfiable' : { start: Math.max(0, bytes - suffix), end: bytes };
  }
  const start = Number(first);
  const end = last === '' ? bytes : Math.min(Number(last) + 1, bytes);
  if (last !== '' && Number(last) < start) {
    return undefined;
  }
  return start >= bytes ? 'unsatisfiable' : { start, end };
}
