import type { RequestHeaders } from '../http/exchange.ts';
import { idIn } from './address.ts';
import { type Checksum, checksumAlgorithms, checksumBytes } from './checksum.ts';
import {
  ConcatenationInvalid,
  ExtensionUnsupported,
  HeaderInvalid,
  MediaTypeUnsupported,
  TusVersionUnsupported,
} from './errors.ts';
import { concatPartsMax, headerDigitsMax } from './limits.ts';
import type { Concatenation } from './requests.ts';

/** Tus-Extension: every one but checksum-trailer. */
export const tusExtensions = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'checksum',
  'expiration',
  'termination',
  'concatenation',
  'concatenation-unfinished',
];

/** tus 1.0.0, Core, Tus-Resumable: in every request but OPTIONS. Throws TusVersionUnsupported. */
export function checkTusVersion(headers: RequestHeaders): void {
  if (headers.get('tus-resumable') !== '1.0.0') {
    throw new TusVersionUnsupported();
  }
}

/**
 * A number of bytes: digits only, so that neither "5x" nor "1e3" nor "-0" is taken for one.
 * Throws HeaderInvalid, also when the header is missing.
 */
export function bytesHeader(headers: RequestHeaders, name: 'Upload-Offset' | 'Upload-Length'): number {
  const text = headers.get(name.toLowerCase());
  if (text === undefined) {
    throw new HeaderInvalid(name, 'is missing');
  }
  if (!/^[0-9]+$/.test(text) || text.length > headerDigitsMax) {
    throw new HeaderInvalid(name, `a number of bytes in at most ${headerDigitsMax} digits`);
  }
  return Number(text);
}

/**
 * tus 1.0.0, Creation, POST: how long a new upload is; null when that is told later. Throws HeaderInvalid
 * unless exactly one of the two headers says so.
 */
export function lengthOfNew(headers: RequestHeaders): number | null {
  const deferred = headers.get('upload-defer-length');
  if (deferred === undefined) {
    if (!headers.has('upload-length')) {
      throw new HeaderInvalid('Upload-Length', 'is missing, and so is Upload-Defer-Length: 1');
    }
    return bytesHeader(headers, 'Upload-Length');
  }
  if (deferred !== '1') {
    throw new HeaderInvalid('Upload-Defer-Length', 'its only value is 1');
  }
  if (headers.has('upload-length')) {
    throw new HeaderInvalid(
      'Upload-Defer-Length',
      'says that the length is told later, but Upload-Length came too',
    );
  }
  return null;
}

/** tus 1.0.0, Checksum: that of this body; undefined when it has none. Throws HeaderInvalid. */
export function checksumHeader(headers: RequestHeaders): Checksum | undefined {
  const text = headers.get('upload-checksum');
  if (text === undefined) {
    return undefined;
  }
  const [name, base64 = '', ...more] = text.split(' ');
  const algorithm = checksumAlgorithms.find((one) => one === name);
  if (algorithm === undefined) {
    throw new HeaderInvalid('Upload-Checksum', `begins with one of ${checksumAlgorithms.join(', ')}`);
  }
  const value = Buffer.from(base64, 'base64');
  // Buffer skips what is no Base64: only what it would write itself has nothing else in it.
  const isStrict = value.toString('base64') === base64 && more.length === 0;
  if (!isStrict || value.byteLength !== checksumBytes[algorithm]) {
    throw new HeaderInvalid(
      'Upload-Checksum',
      `${algorithm}, one space, and ${checksumBytes[algorithm]} bytes in Base64`,
    );
  }
  return { algorithm, value };
}

/**
 * tus 1.0.0, Concatenation: what a new upload is to it; null when it has nothing to do with it. URLs of
 * parts may be relative to `path`, that of the request. Throws ConcatenationInvalid.
 */
export function concatHeader(headers: RequestHeaders, path: string): Concatenation | null {
  const text = headers.get('upload-concat');
  if (text === undefined) {
    return null;
  }
  if (text === 'partial') {
    return { of: 'partial' };
  }
  const [, list] = /^final;(.*)$/.exec(text) ?? [];
  if (list === undefined) {
    throw new ConcatenationInvalid(
      'says partial, or final; and the URLs of its parts with one space between',
    );
  }
  if (headers.has('upload-length') || headers.has('upload-defer-length')) {
    throw new ConcatenationInvalid('a final upload is as long as its parts: leave Upload-Length out');
  }
  const urls = list.split(' ');
  if (urls.length > concatPartsMax) {
    throw new ConcatenationInvalid(`names 1 to ${concatPartsMax} partial uploads`);
  }
  const parts = urls.map((url, at) => {
    const id = idInUrl(url, path);
    if (id === undefined) {
      throw new ConcatenationInvalid(`its part ${at + 1} is not the URL of an upload here`);
    }
    return id;
  });
  return { of: 'final', parts, header: text };
}

/** The host is not looked at: behind a proxy this server has more names than it knows. */
function idInUrl(text: string, path: string): string | undefined {
  // The URL parser forgives tabs, backslashes and empty queries; here they are no URL (RFC 3986).
  if (!/^[\x21-\x7e]+$/.test(text) || /[\\?#@]/.test(text)) {
    return undefined;
  }
  const base = `http://host${path}`;
  if (!URL.canParse(text, base)) {
    return undefined;
  }
  const { protocol, pathname } = new URL(text, base);
  return protocol === 'http:' || protocol === 'https:' ? idIn(pathname.replace(/\/$/, '')) : undefined;
}

/** tus 1.0.0, Core, PATCH: the body's media type; parameters are ignored. Throws MediaTypeUnsupported. */
export function checkBodyType(headers: RequestHeaders): void {
  if (!isUploadBody(headers)) {
    throw new MediaTypeUnsupported();
  }
}

/** Whether the body is bytes of an upload. */
export function isUploadBody(headers: RequestHeaders): boolean {
  const text = headers.get('content-type') ?? '';
  const [type = ''] = text.split(';');
  // A comma: the header came twice, and a reader before us may have believed the other one.
  return type.trim().toLowerCase() === 'application/offset+octet-stream' && !text.includes(',');
}

/** Headers of an extension that is not in 1.0.0. Silence would say that the upload is protected by it. */
const unsupported = [
  ['Upload-Secret', 'challenge'],
  ['Upload-Challenge', 'challenge'],
] as const;

/** Throws ExtensionUnsupported for a request that needs an extension we do not offer. */
export function checkExtensions(headers: RequestHeaders): void {
  for (const [name, extension] of unsupported) {
    if (headers.has(name.toLowerCase())) {
      throw new ExtensionUnsupported(name, extension);
    }
  }
}
