import { isObjectId } from './buckets.ts';
import type { Extent, ObjectId, Run } from './storage.ts';

/** The name of a segment of an object: of its file in the spool, and behind the prefix its key in S3. */
export type SegmentName = `${ObjectId}-${number}`;

export interface SegmentPlace {
  readonly object: ObjectId;
  readonly number: number;
}

export function segmentName({ object, number }: SegmentPlace): SegmentName {
  return `${object}-${number}` as SegmentName;
}

/** Undefined for a name that is not of ours. */
export function segmentPlace(name: string): SegmentPlace | undefined {
  const [, object = '', number] = /^(.+)-(0|[1-9]\d{0,8})$/.exec(name) ?? [];
  return number !== undefined && isObjectId(object) ? { object, number: Number(number) } : undefined;
}

/** Extents, cut where segments end. */
export function segmentRuns(extents: readonly Extent[], segmentBytes: number): Stretch[] {
  const runs: Stretch[] = [];
  for (const { object, start, bytes } of extents) {
    for (let at = start; at < start + bytes; ) {
      const number = Math.floor(at / segmentBytes);
      const end = Math.min(start + bytes, (number + 1) * segmentBytes);
      runs.push({ place: { object, number }, start: at - number * segmentBytes, bytes: end - at });
      at = end;
    }
  }
  return runs;
}

/** A run of bytes inside one segment. */
export interface Stretch extends Run {
  readonly place: SegmentPlace;
}
