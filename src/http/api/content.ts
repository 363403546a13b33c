import { Unauthorized } from '../../access/errors.ts';
import type { Authorize } from '../../access/principal.ts';
import type { Offers } from '../../delivery/offers.ts';
import type { Storage } from '../../storage/storage.ts';
import { MethodNotAllowed, NotFound } from '../errors.ts';
import type { Exchange, Handler } from '../exchange.ts';
import { problem } from '../problem.ts';
import { rangeOf } from '../range.ts';
import { RangeNotSatisfiable } from './errors.ts';

const path = /^\/v1\/deliveries\/([0-9a-f-]{36})\/content$/;

/** Where a delivery's content is mounted; it is streamed and not part of the JSON API. */
export const contentPath = '/v1/deliveries/*/content';

interface ContentParts {
  readonly authorize: Authorize;
  readonly offers: Offers;
  readonly storage: Storage;
}

/**
 * GET /v1/deliveries/:id/content: the package as this mailbox gets it, with Range and If-Range
 * (RFC 9110 sections 13.1.5 and 14), so that a pull goes on at any byte.
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
    const composition = offers.content(delivery, digests);
    const etag = offers.etag(delivery);
    const range = wantedRange(exchange, etag, composition.total);
    if (range === 'unsatisfiable') {
      exchange.answer(problem(new RangeNotSatisfiable(composition.total)));
      return;
    }
    const { start, end } = range ?? { start: 0, end: composition.total };
    const headers = {
      'Content-Type': offers.contentType(delivery),
      'Accept-Ranges': 'bytes',
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
