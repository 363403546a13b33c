import { Server } from '@tus/server';
import { Unauthorized } from '../../access/errors.ts';
import { RequestMalformed } from '../../http/errors.ts';
import type { Answer, Exchange, Handler } from '../../http/exchange.ts';
import { problem } from '../../http/problem.ts';
import { SluisError } from '../../ops/error.ts';
import type { Log } from '../../ops/log.ts';
import { newId } from '../../state/ids.ts';
import { StorageBehind, StorageDamaged, StorageFull } from '../../storage/errors.ts';
import { idIn, uploadsPath } from '../address.ts';
import { checksumAlgorithms } from '../checksum.ts';
import type { TusOptions } from '../tus.ts';
import { BodyStream } from './body-stream.ts';
import { EngineStore } from './data-store.ts';
import { lockDrainMs } from './limits.ts';
import { LeaseLocker, noLocker } from './locker.ts';
import { currentScope, inScope, type RequestScope } from './request-scope.ts';

/**
 * The engine `tus-node-server`: @tus/server, unchanged, on our records, bytes and leases. For who wants its
 * reading of tus; how that differs from ours is listed in test/upload/node-server/differences.ts.
 *
 * Mount it where tusHandler is mounted, on the node:http listener.
 */
export function nodeServerHandler(options: TusOptions): Handler {
  const server = new NodeServer(options);
  return (exchange) => server.handle(exchange);
}

class NodeServer {
  readonly #authorize: TusOptions['authorize'];
  readonly #log: Log;
  readonly #server: Server;

  constructor({ uploads, authorize, seal, unseal, log }: TusOptions) {
    this.#authorize = authorize;
    this.#log = log;
    const locker = new LeaseLocker();
    this.#server = new Server({
      path: uploadsPath,
      datastore: new EngineStore({ uploads, seal, unseal }),
      locker: ({ method }) => (method === 'HEAD' || method === 'GET' ? noLocker : locker),
      lockDrainTimeout: lockDrainMs,
      maxSize: uploads.settings.bytesMax,
      // The host is not ours to know: behind a proxy this server has more names than one.
      relativeLocation: true,
      namingFunction: () => newId(),
      // Its own search looks at the whole URL, and takes a query for a part of the id.
      getFileIdFromRequest: (request) => idIn(new URL(request.url).pathname),
      // It would let pages of every origin in; which may is for cors.ts to say.
      allowedOrigins: [],
      onResponseError: (_request, error) => this.#refuse(error),
    });
  }

  async handle(exchange: Exchange): Promise<void> {
    const { method, headers } = exchange;
    const principal = method === 'OPTIONS' ? undefined : this.#authorize(headers);
    if (principal !== undefined && 'refused' in principal) {
      answer(exchange, problem(new Unauthorized(principal)));
      return;
    }
    const scope: RequestScope = { method, headers, principal, bodyBytes: exchange.body.length };
    const body = new BodyStream(exchange.body);
    try {
      const request = requestOf(exchange, body);
      const response = await inScope(scope, () => this.#server.handleWeb(request));
      await respond(exchange, response, scope.refusal);
    } finally {
      body.end();
    }
  }

  /** Errors of ours get the answer they have everywhere; those of @tus/server keep theirs. */
  #refuse(
    error: Error | { status_code: number; body: string },
  ): { status_code: number; body: string } | undefined {
    if ('status_code' in error) {
      return undefined;
    }
    if (error instanceof StorageFull || error instanceof StorageBehind) {
      this.#log.warn('upload.storage-full', { error });
    } else if (!(error instanceof SluisError) || error instanceof StorageDamaged) {
      this.#log.error('upload.failed', { error });
    }
    const refusal = problem(error);
    currentScope().refusal = refusal;
    return { status_code: refusal.status, body: String(refusal.body ?? '') };
  }
}

function requestOf({ method, path, query, headers, body }: Exchange, stream: BodyStream): Request {
  try {
    const given = new Headers();
    for (const [name, value] of headers) {
      // Where we are is not told by what a proxy says, and @tus/server refuses one that lists two protocols.
      if (name !== 'x-forwarded-proto') {
        // The fetch standard holds a header's bytes as Latin-1.
        given.append(name, Buffer.from(value, 'utf8').toString('latin1'));
      }
    }
    const url = new URL('http://localhost');
    url.pathname = path;
    url.search = query;
    const hasBody = (method === 'POST' || method === 'PATCH') && body.length !== 0;
    return new Request(url, {
      method,
      headers: given,
      ...(hasBody ? { body: stream.stream, duplex: 'half' } : {}),
    });
  } catch (error) {
    throw new RequestMalformed(error);
  }
}

async function respond(exchange: Exchange, response: Response, refusal: Answer | undefined): Promise<void> {
  const { status, body } = response;
  const own = [...response.headers].filter(([name]) => !name.startsWith('access-control-'));
  const headers = { ...Object.fromEntries(own), ...lowerCase(refusal?.headers), ...saying(exchange) };
  if (exchange.method === 'GET' && status === 200 && body !== null) {
    const bytes = Number(response.headers.get('content-length'));
    await exchange.stream({ status, headers: { ...common, ...headers }, bytes }, body);
  } else if (exchange.method === 'HEAD' || body === null) {
    answer(exchange, { status, headers });
  } else {
    answer(exchange, { status, headers, body: new Uint8Array(await response.arrayBuffer()) });
  }
}

/** What @tus/server says nothing of. */
function saying({ method }: Exchange): Record<string, string> {
  return method === 'OPTIONS' ? { 'tus-checksum-algorithm': checksumAlgorithms.join(',') } : {};
}

/** tus 1.0.0, Core: Tus-Resumable in every answer. None may come from a cache, and none is for a browser to guess at. */
const common = {
  'tus-resumable': '1.0.0',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

function answer(exchange: Exchange, { headers, ...rest }: Answer): void {
  exchange.answer({ ...rest, headers: { ...common, ...lowerCase(headers) } });
}

/** As a fetch Response has them, so that none comes twice. */
function lowerCase(headers: Answer['headers'] = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
