import type { Exchange, Handler, RequestHeaders } from '../http/exchange.ts';
import { problem } from '../http/problem.ts';
import { OriginRefused } from './errors.ts';

type Headers = Readonly<Record<string, string>>;

/** Everything that a page sends to the dialects, to contents or to the API, and that a browser asks about. */
export const requestHeaders = [
  'Authorization',
  'Content-Digest',
  'Content-Disposition',
  'Content-Type',
  'Repr-Digest',
  'Idempotency-Key',
  'If-Range',
  'Range',
  'Tus-Resumable',
  'Upload-Checksum',
  'Upload-Complete',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Draft-Interop-Version',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'X-HTTP-Method-Override',
  'X-Request-ID',
  'X-Requested-With',
];

/** What a page may read of an answer, beside what every page may. */
export const answerHeaders = [
  'Accept-Patch',
  'Accept-Ranges',
  'Allow',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Location',
  'Repr-Digest',
  'Retry-After',
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Complete',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Draft-Interop-Version',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Limit',
  'Upload-Metadata',
  'Upload-Offset',
  'Want-Content-Digest',
  'Want-Repr-Digest',
];

/** A browser asks again after so long; none keeps an answer for longer than a day. */
const preflightSecondsMax = 86_400;

/**
 * Lets pages of the listed origins (exactly as a browser writes them: `https://pacs.example`) read what
 * `handler` answers. With an empty list no page can. Requests of other origins are served without a word
 * of it, as are those of programs; only a preflight, which exists for nothing else, is refused and says why.
 * Cookies mean nothing here, so credentials of the browser are never allowed.
 */
export function cors(origins: readonly string[], handler: Handler): Handler {
  const allowed = new Set(origins);
  return (exchange) => {
    const given = exchange.headers.get('origin');
    const origin = given !== undefined && allowed.has(given) ? given : undefined;
    if (isPreflight(exchange)) {
      exchange.answer(
        origin === undefined
          ? problem(new OriginRefused())
          : { status: 204, headers: permission(origin, exchange.headers) },
      );
      return undefined;
    }
    if (allowed.size === 0) {
      return handler(exchange);
    }
    return run(handler, adding(exchange, origin === undefined ? {} : sharedWith(origin)));
  };
}

/** Fetch standard, CORS-preflight request. Any other OPTIONS is a question about the upload protocol. */
function isPreflight({ method, headers }: Exchange): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

function permission(origin: string, asked: RequestHeaders): Headers {
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'Access-Control-Allow-Headers': requestHeaders.join(', '),
    'Access-Control-Max-Age': String(preflightSecondsMax),
    // Private Network Access: a page on the internet asks a server inside the hospital.
    ...(asked.get('access-control-request-private-network') === 'true'
      ? { 'Access-Control-Allow-Private-Network': 'true' }
      : {}),
    Vary: 'Origin, Access-Control-Request-Private-Network',
  };
}

function sharedWith(origin: string): Headers {
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': answerHeaders.join(', '),
  };
}

/** The exchange, whose answer has `more` headers. A cache must keep the answers to two origins apart, so all of them vary. */
function adding(exchange: Exchange, more: Headers): Exchange {
  const { method, path, query, headers, remoteAddress, body } = exchange;
  const all = (own: Headers = {}): Headers => {
    const vary = Object.keys(own).find((name) => name.toLowerCase() === 'vary') ?? 'Vary';
    const before = own[vary];
    return { ...own, ...more, [vary]: before === undefined ? 'Origin' : `${before}, Origin` };
  };
  return {
    method,
    path,
    query,
    headers,
    remoteAddress,
    body,
    get gone() {
      return exchange.gone;
    },
    get answered() {
      return exchange.answered;
    },
    answer: (answer) => exchange.answer({ ...answer, headers: all(answer.headers) }),
    stream: (head, source) => exchange.stream({ ...head, headers: all(head.headers) }, source),
  };
}

/** What the handler throws is answered here, on the exchange with the headers: a page can read it then. */
function run(handler: Handler, exchange: Exchange): void | Promise<void> {
  const failed = (thrown: unknown): never => {
    if (!exchange.answered && !exchange.gone.aborted) {
      exchange.answer(problem(thrown));
    }
    throw thrown;
  };
  try {
    return handler(exchange)?.catch(failed);
  } catch (thrown) {
    return failed(thrown);
  }
}
