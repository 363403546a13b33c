import type { RequestHeaders } from '../http/exchange.ts';
import {
  ExtensionUnsupported,
  HeaderInvalid,
  MediaTypeUnsupported,
  TusVersionUnsupported,
} from './errors.ts';
import { headerDigitsMax } from './limits.ts';

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

/** tus 1.0.0, Core, PATCH: the body's media type; parameters are ignored. Throws MediaTypeUnsupported. */
export function checkBodyType(headers: RequestHeaders): void {
  if (!isUploadBody(headers)) {
    throw new MediaTypeUnsupported();
  }
}

/** Whether the body is bytes of an upload. */
export function isUploadBody(headers: RequestHeaders): boolean {
  const [type = ''] = (headers.get('content-type') ?? '').split(';');
  return type.trim().toLowerCase() === 'application/offset+octet-stream';
}

/** Headers of extensions whose place is kept for later. Silence would say that they were honoured. */
const unsupported = [
  ['Upload-Defer-Length', 'creation-defer-length'],
  ['Upload-Checksum', 'checksum'],
  ['Upload-Concat', 'concatenation'],
] as const;

/** Throws ExtensionUnsupported for a request that needs an extension we do not offer. */
export function checkExtensions(headers: RequestHeaders): void {
  for (const [name, extension] of unsupported) {
    if (headers.has(name.toLowerCase())) {
      throw new ExtensionUnsupported(name, extension);
    }
  }
}
