import { Unauthorized } from '../../access/errors.ts';
import type { Authorize } from '../../access/principal.ts';
import type { Offers } from '../../delivery/offers.ts';
import type { Storage } from '../../storage/storage.ts';
import { preferred } from '../accept.ts';
import { MethodNotAllowed, NotFound } from '../errors.ts';
import type { Exchange, Handler } from '../exchange.ts';
import { problem } from '../problem.ts';
import { rangeOf } from '../range.ts';
import { NotAcceptable, RangeNotSatisfiable } from './errors.ts';

const path = /^\/v1\/deliveries\/([0-9a-f-]{36})\/content$/;

/** What can be asked for; who says nothing gets the first. */
const packings = [
  { packing: 'multipart', type: 'multipart/related', root: 'application/dicom' },
  { packing: 'zip', type: 'application/zip' },
] as const;

/** Where a delivery's content is mounted; it is streamed and not part of the JSON API. */
export const contentPath = '/v1/deliveries/*/content';

interface ContentParts {
  readonly authorize: Authorize;
  readonly offers: Offers;
  readonly storage: Storage;
}

/**
 * GET /v1/deliveries/:id/content: what this mailbox gets, as a package or as an archive by Accept, with Range
 * and If-Range (RFC 9110 sections 12.5.1, 13.1.5 and 14), so that a pull goes on at any byte.
 */
export function contentHandler({ authorize, offers, storage }: ContentParts): Handler {
  return async (exchange) => {
    const principal = authorize(exchange.headers);
    if ('refused' in principal) {
      throw new Unauthorized(principal);
    }
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
      throw new MethodNotAllowed(['GET', 'HEAD']);
    }
    const id = path.exec(exchange.path)?.[1];
    if (id === undefined) {
      throw new NotFound();
    }
    const { delivery, digests } = offers.digests(principal, id);
    const packing = preferred(exchange.headers.get('accept'), packings)?.packing;
    if (packing === undefined) {
      throw new NotAcceptable(packings.map(({ type }) => type));
    }
    const composition = offers.content(delivery, digests, packing);
    const etag = offers.etag(delivery, packing);
    const range = wantedRange(exchange, etag, composition.total);
    if (range === 'unsatisfiable') {
      exchange.answer(problem(new RangeNotSatisfiable(composition.total)));
      return;
    }
    const { start, end } = range ?? { start: 0, end: composition.total };
    const headers = {
      'Content-Type': offers.contentType(delivery, packing),
      // Numbers only: what a browser calls the file says nothing of whose it is.
      ...(packing === 'zip' ? { 'Content-Disposition': `attachment; filename="${delivery.id}.zip"` } : {}),
      'Accept-Ranges': 'bytes',
      Vary: 'Accept',
      ETag: etag,
      'Cache-Control': 'no-store',
      ...(range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${composition.total}` }),
    };
    const status = range === undefined ? 200 : 206;
    if (exchange.method === 'GET') {
      await offers.begun(delivery);
    }
    await exchange.stream({ status, headers, bytes: end - start }, composition.read(storage, start, end));
  };
}

/** RFC 9110 section 14.2: a Range means something for GET only. */
function wantedRange({ method, headers }: Exchange, etag: string, bytes: number): ReturnType<typeof rangeOf> {
  if (method !== 'GET') {
    return undefined;
  }
  const ifRange = headers.get('if-range');
  return ifRange === undefined || ifRange === etag ? rangeOf(headers.get('range'), bytes) : undefined;
}
