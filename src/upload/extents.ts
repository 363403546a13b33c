import type { UploadRecord } from '../state/records.ts';
import { slice } from '../storage/reader.ts';
import type { Extent } from '../storage/storage.ts';

type Located = Pick<UploadRecord, 'content' | 'offset'>;

/** The bytes of an upload that are published so far, as extents; of a concatenated one none before it is received. */
export function extentsOf({ content, offset }: Located): Extent[] {
  if (offset === 0) {
    return [];
  }
  if (content.of === 'object') {
    return [{ object: content.object, start: 0, bytes: offset }];
  }
  const whole = content.parts.map(({ object, bytes }) => ({ object, start: 0, bytes: bytes ?? 0 }));
  return slice(whole, 0, offset);
}

/** A run of them. Throws RangeError when it goes beyond what is published. */
export function extentsBetween(upload: Located, start: number, bytes: number): Extent[] {
  return slice(extentsOf(upload), start, start + bytes);
}
