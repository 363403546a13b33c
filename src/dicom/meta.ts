import { HEADER_BYTES_MIN, readHeader, tagAt, UNDEFINED } from './element.ts';
import { DicomError } from './error.ts';
import { VALUE_BYTES_MAX } from './limits.ts';
import { groupOf, Tag } from './tags.ts';
import { plainText } from './text.ts';
import type { Window } from './window.ts';

/** PS3.10 section 7.1: 128 bytes for anybody's use (a TIFF head, for one), then four letters. */
const PREAMBLE_BYTES = 128;
const PREFIX = 0x4449434d; // DICM
const META_GROUP = 0x0002;

export interface Meta {
  /** False when the instance begins with its dataset, or the preamble is followed by it. */
  readonly present: boolean;
  readonly mediaStorageSopClassUid: string;
  readonly mediaStorageSopInstanceUid: string;
  /** '' when the file does not say. */
  readonly transferSyntaxUid: string;
  readonly datasetAt: number;
}

/**
 * Reads preamble and file meta, both of which may be missing. The meta ends where its group ends:
 * (0002,0000) is absent or wrong too often to be used.
 */
export function readMeta(window: Window): Meta {
  const metaAt = skipPreamble(window);
  const values = new Map<number, string>();
  let at = metaAt;
  let last = 0;
  while (at < window.total) {
    if (window.total - at < HEADER_BYTES_MIN) break;
    window.require(at + HEADER_BYTES_MIN, at);
    const tag = tagAt(window.view, at, 'explicit-le');
    if (groupOf(tag) !== META_GROUP) break;
    if (tag <= last) throw new DicomError('MALFORMED', 'the file meta is out of order', at, tag);
    last = tag;
    const header = readHeader(window, at, 'explicit-le');
    if (header.length === UNDEFINED) {
      throw new DicomError('MALFORMED', 'a file meta element has no length', at, tag);
    }
    const from = at + header.bytes;
    at = from + header.length;
    if (READ.has(tag) && header.length <= VALUE_BYTES_MAX) {
      window.require(at, from, tag);
      values.set(tag, plainText(window.bytes.subarray(from, at)));
    }
  }
  return {
    present: at > metaAt,
    mediaStorageSopClassUid: values.get(Tag.mediaStorageSopClassUid) ?? '',
    mediaStorageSopInstanceUid: values.get(Tag.mediaStorageSopInstanceUid) ?? '',
    transferSyntaxUid: values.get(Tag.transferSyntaxUid) ?? '',
    datasetAt: at,
  };
}

const READ: ReadonlySet<number> = new Set([
  Tag.mediaStorageSopClassUid,
  Tag.mediaStorageSopInstanceUid,
  Tag.transferSyntaxUid,
]);

function skipPreamble(window: Window): number {
  const end = PREAMBLE_BYTES + 4;
  if (window.total < end) return 0;
  window.require(end, 0);
  return window.view.getUint32(PREAMBLE_BYTES) === PREFIX ? end : 0;
}
