import type { RequestHeaders } from '../http/exchange.ts';
import type { UploadRecord } from '../state/records.ts';
import { digestText } from './digest-fields.ts';
import { HeaderInvalid, LengthInconsistent } from './errors.ts';
import type { UploadSettings } from './limits.ts';
import { mediaType, parseMetadata, type UploadMetadata } from './metadata.ts';
import { readBoolean, readCount } from './structured-fields.ts';

/** The iteration of the draft that is spoken here. Clients tell theirs; only a 104, which is never sent, depends on it. */
export const interopVersion = '8';

const partialUpload = 'application/partial-upload';

/** For OPTIONS (RFC 5789, 3.1) and with 415: what a PATCH may bring, of either dialect. */
export const acceptPatch = `${partialUpload}, application/offset+octet-stream`;

/** Upload-Complete; undefined when it is missing, or is no Boolean: "Other values MUST cause the entire header field to be ignored". */
export function uploadComplete(headers: RequestHeaders): boolean | undefined {
  const text = headers.get('upload-complete');
  return text === undefined ? undefined : readBoolean(text);
}

/** Upload-Offset or Upload-Length; undefined when it is missing or to be ignored. */
export function countHeader(
  headers: RequestHeaders,
  name: 'upload-offset' | 'upload-length',
): number | undefined {
  const text = headers.get(name);
  return text === undefined ? undefined : readCount(text);
}

/**
 * How long the upload is, as this request tells it: by Upload-Length, and by where its body ends when that is
 * the last. Undefined when by neither. Throws LengthInconsistent when the two differ.
 */
export function lengthTold(
  headers: RequestHeaders,
  offset: number,
  isLast: boolean,
  bodyBytes: number | undefined,
): number | undefined {
  const length = countHeader(headers, 'upload-length');
  const end = isLast && bodyBytes !== undefined ? offset + bodyBytes : undefined;
  if (length !== undefined && end !== undefined && length !== end) {
    throw new LengthInconsistent(length, end);
  }
  return length ?? end;
}

/** Whether the body is a part of a representation, and not one. */
export function isPartialUpload(headers: RequestHeaders): boolean {
  const text = headers.get('content-type') ?? '';
  const [type = ''] = text.split(';');
  // A comma: the header came twice, and a reader before us may have believed the other one.
  return type.trim().toLowerCase() === partialUpload && !text.includes(',');
}

/**
 * What a creation says of its upload. Addressing comes in tus's Upload-Metadata, which RUFH has no word for;
 * its `filetype` goes before Content-Type, which many clients fill in by themselves. Throws HeaderInvalid.
 */
export function metadataOf(headers: RequestHeaders): UploadMetadata {
  const metadata = parseMetadata(headers.get('upload-metadata') ?? '');
  return { ...metadata, filetype: metadata.filetype ?? contentType(headers) };
}

function contentType(headers: RequestHeaders): string | null {
  const text = headers.get('content-type') ?? '';
  if (text === '' || isPartialUpload(headers)) {
    return null;
  }
  const type = mediaType(text);
  if (type === undefined) {
    throw new HeaderInvalid('Content-Type', 'a media type, for example application/dicom');
  }
  return type;
}

/** Throws HeaderInvalid for a coded representation: its bytes would be kept and sent on as they are, and read by nobody. */
export function checkCoding(headers: RequestHeaders): void {
  const coding = headers.get('content-encoding') ?? 'identity';
  if (coding.trim().toLowerCase() !== 'identity') {
    throw new HeaderInvalid('Content-Encoding', 'send the bytes as they are, without a coding');
  }
}

/** Of tus: a body that is believed to be verified, and an upload that is believed to be a part. */
const ofTus = [
  ['Upload-Checksum', 'send Content-Digest'],
  ['Upload-Concat', 'RUFH has no parts'],
] as const;

/** Throws HeaderInvalid for what only tus has, and silence would promise. */
export function checkDialect(headers: RequestHeaders): void {
  for (const [name, instead] of ofTus) {
    if (headers.has(name.toLowerCase())) {
      throw new HeaderInvalid(name, `is of tus, and came without Tus-Resumable: ${instead}`);
    }
  }
}

/** `msLeft`: until the upload expires; null when it does not. */
export function uploadLimit({ bytesMax }: UploadSettings, msLeft: number | null): string {
  const age = msLeft === null ? '' : `, max-age=${Math.max(0, Math.floor(msLeft / 1000))}`;
  return `max-size=${bytesMax}${age}`;
}

/** For OPTIONS: the limits of an upload that is made now. */
export function newUploadLimit(settings: UploadSettings): string {
  return uploadLimit(settings, Math.min(settings.expiryMs, settings.expiryMsMax));
}

function booleanText(value: boolean): '?1' | '?0' {
  return value ? '?1' : '?0';
}

/** An upload's state as every answer that is about it tells it. */
export function stateOf(upload: UploadRecord): Record<string, string> {
  const isComplete = upload.state === 'received';
  return {
    'Upload-Offset': String(upload.offset),
    'Upload-Complete': booleanText(isComplete),
    ...(upload.length === null ? {} : { 'Upload-Length': String(upload.length) }),
    ...(isComplete && upload.digest !== null ? { 'Repr-Digest': digestText(upload.digest) } : {}),
  };
}
