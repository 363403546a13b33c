import type { Exchange, Handler } from '../http/exchange.ts';
import { rufhHandler } from './rufh.ts';
import { acceptPatch, interopVersion, isPartialUpload, newUploadLimit } from './rufh-headers.ts';
import { type TusOptions, tusHandler } from './tus.ts';

/**
 * Both dialects on one path. A request speaks tus when it says so (Tus-Resumable), and RUFH when something in
 * it is RUFH's, or when it is one that means the same in both. OPTIONS tells of both.
 */
export function uploadsHandler(options: TusOptions): Handler {
  const offeredToo = {
    ...options.offeredToo,
    // "the server MUST include the Accept-Patch header field", and "the full application/partial-upload media type".
    'Accept-Patch': acceptPatch,
    'Upload-Limit': newUploadLimit(options.uploads.settings),
    'Upload-Draft-Interop-Version': interopVersion,
  };
  const tus = tusHandler({ ...options, offeredToo });
  const rufh = rufhHandler(options);
  return (exchange) => (isRufh(exchange) ? rufh(exchange) : tus(exchange));
}

/** Methods that ask the same of either dialect. */
const common: ReadonlySet<string> = new Set(['HEAD', 'GET', 'DELETE']);

function isRufh({ method, headers }: Exchange): boolean {
  if (headers.has('tus-resumable') || method === 'OPTIONS') {
    return false;
  }
  const isSaid = headers.has('upload-complete') || headers.has('upload-draft-interop-version');
  return isSaid || isPartialUpload(headers) || common.has(method);
}
