import { HEADER_BYTES_MIN, isKnownVr, UNDEFINED } from './element.ts';
import { DicomError } from './error.ts';
import type { Encoding } from './syntaxes.ts';
import type { Window } from './window.ts';

/** Every real dataset begins in a group up to this one, so the zero byte of the group tells the byte order. */
const FIRST_GROUP_MAX = 0x00ff;

/**
 * What the first element at `at` looks like; undefined when it looks like no element at all. Where the
 * group tells no byte order (fragments that begin with a private group), `declared` is believed.
 */
export function sniff(window: Window, at: number, declared?: Encoding): Encoding | undefined {
  window.require(at + HEADER_BYTES_MIN, at);
  const known = isKnownVr(window.view.getUint16(at + 4));
  const little = window.view.getUint16(at, true);
  const big = window.view.getUint16(at);
  if (isFirstGroup(little)) return known ? 'explicit-le' : 'implicit-le';
  if (isFirstGroup(big)) return known ? 'explicit-be' : undefined;
  if (known) return declared === 'explicit-be' ? 'explicit-be' : 'explicit-le';
  return declared === 'implicit-le' && implicitLengthFits(window, at) ? 'implicit-le' : undefined;
}

/**
 * The encoding of a dataset that nothing declares, if it is a dataset: it has to begin in group 0008,
 * and a length has to fit. Undefined for everything else.
 */
export function sniffBare(window: Window, at: number): Encoding | undefined {
  if (window.total - at < HEADER_BYTES_MIN) return undefined;
  const encoding = sniff(window, at);
  if (encoding === undefined) return undefined;
  const group = window.view.getUint16(at, encoding !== 'explicit-be');
  if (group !== 0x0008) return undefined;
  return encoding !== 'implicit-le' || implicitLengthFits(window, at) ? encoding : undefined;
}

function implicitLengthFits(window: Window, at: number): boolean {
  const length = window.view.getUint32(at + 4, true);
  return length === UNDEFINED || at + HEADER_BYTES_MIN + length <= window.total;
}

function isFirstGroup(group: number): boolean {
  return group !== 0 && group <= FIRST_GROUP_MAX;
}

const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['PK', 'a ZIP archive'],
  ['%PDF', 'a PDF'],
  ['\xff\xd8\xff', 'a JPEG picture'],
  ['\x89PNG', 'a PNG picture'],
  ['GIF8', 'a GIF picture'],
  ['MZ', 'a Windows program'],
  ['\x1f\x8b', 'a gzip file'],
  ['\0\x05\x16\x07', 'an AppleDouble file'],
];

/** The refusal for what is no DICOM, with what it seems to be instead. */
export function notDicom(window: Window): DicomError {
  return new DicomError('NOT_DICOM', `this is no DICOM: ${appearance(window.bytes)}`, 0);
}

function appearance(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'it is empty';
  const found = BEGINNINGS.find(([beginning]) =>
    Array.from(beginning).every((character, index) => bytes[index] === character.charCodeAt(0)),
  );
  if (found !== undefined) return `it begins like ${found[1]}`;
  const start = bytes.subarray(0, 512);
  if (start.every((byte) => byte === 0)) return 'it begins with nothing but zeros';
  if (start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))) return 'it reads like text';
  return 'it has neither a preamble nor a dataset';
}
