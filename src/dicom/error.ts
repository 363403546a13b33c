import { tagText } from './tags.ts';

export type DicomErrorCode =
  /** No DICOM at all: text, a ZIP archive, a picture, noise. */
  | 'NOT_DICOM'
  /** The bytes end before what they announce. */
  | 'TRUNCATED'
  /** The file meta names one transfer syntax and the dataset is written in another. */
  | 'SYNTAX_LIES'
  /** A transfer syntax that is not read here. */
  | 'SYNTAX_UNSUPPORTED'
  /** The bytes contradict PS3.5 or themselves. */
  | 'MALFORMED'
  /** Sequences nested deeper than NESTING_MAX. */
  | 'TOO_DEEP'
  /** What a scan has to see lies behind WINDOW_BYTES_MAX. */
  | 'HEAD_TOO_LARGE';

/**
 * The only thing that functions of this folder throw about bytes, whatever the bytes are.
 *
 * Holds where and why, never a value: neither `reason` nor `message` can carry patient data.
 */
export class DicomError extends Error {
  override readonly name = 'DicomError';
  readonly code: DicomErrorCode;
  /** As in `0010,1002`; '' when the fault belongs to no element. */
  readonly tag: string;
  /** Byte of the instance, from its first. */
  readonly offset: number;
  /** A sentence for a person. */
  readonly reason: string;

  constructor(code: DicomErrorCode, reason: string, offset: number, tag?: number) {
    const place = tag === undefined ? '' : tagText(tag);
    super(`${reason} (${place === '' ? '' : `${place} `}at byte ${offset.toString()})`);
    this.code = code;
    this.reason = reason;
    this.offset = offset;
    this.tag = place;
  }
}
