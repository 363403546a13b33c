import { createServer, type Server, type ServerResponse } from 'node:http';
import { asError, Fatal } from './error.ts';
import * as limits from './limits.ts';
import type { Log } from './log.ts';
import type { Part } from './part.ts';

/** Whether traffic should come, and what each part says of itself ('ready', 'starting', 'draining' …). */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, string>>;
}

export interface OpsServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly ready: () => Readiness;
  readonly log: Log;
}

/** The process ends with this when a port cannot be had. */
const EXIT_PORT_TAKEN = 3;

/**
 * Metrics and health, on a port of their own that no patient's browser and no hospital reaches:
 *
 * - `GET /metrics`  the Prometheus text format
 * - `GET /healthz`  200 while the process turns its event loop; nothing else is asked
 * - `GET /readyz`   200, or 503 while starting or draining: `{"ready":false,"parts":{"state":"starting"}}`
 *
 * Starts before every other part and stops after them, so that draining can be seen.
 */
export class OpsServer implements Part {
  readonly #options: OpsServerOptions;
  readonly #server: Server;
  #stopping = false;

  constructor(options: OpsServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: limits.OPS_HEADER_BYTES_MAX,
        headersTimeout: limits.OPS_HEADERS_MS_MAX,
        requestTimeout: limits.OPS_REQUEST_MS_MAX,
        keepAliveTimeout: limits.OPS_KEEP_ALIVE_MS,
        connectionsCheckingInterval: limits.OPS_CHECK_MS,
      },
      (request, response) => {
        void this.#answer(request.method ?? '', request.url ?? '', response);
      },
    );
    this.#server.maxConnections = limits.OPS_CONNECTIONS_MAX;
  }

  /** Throws before `start` and after `stop`. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string')
      throw new RangeError('the ops server does not listen');
    return address.port;
  }

  /** Rejects Fatal when the port cannot be had. */
  async start(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'another program has it' : error.message;
        const help = 'give another with --ops-port or SLUIS_OPS_PORT';
        reject(
          new Fatal(
            `the ops port ${host}:${port.toString()} cannot be had: ${why}; ${help}`,
            EXIT_PORT_TAKEN,
            error,
          ),
        );
      };
      this.#server.once('error', refused);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', refused);
        resolve();
      });
    });
    this.#options.log.info('ops.listening', { port: this.port });
  }

  async stop(deadline: AbortSignal): Promise<void> {
    if (!this.#server.listening) return;
    this.#stopping = true;
    const cut = () => this.#server.closeAllConnections();
    deadline.addEventListener('abort', cut, { once: true });
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    if (deadline.aborted) cut();
    await closed;
    deadline.removeEventListener('abort', cut);
  }

  async #answer(method: string, url: string, response: ServerResponse): Promise<void> {
    const path = url.split('?', 1)[0];
    response.once('finish', () => {
      // A connection that is kept alive after its last answer would hold `stop` for as long.
      if (this.#stopping) this.#server.closeIdleConnections();
    });
    const known = path === '/metrics' || path === '/healthz' || path === '/readyz';
    if (!known)
      return send(response, 404, 'text/plain; charset=utf-8', 'here are /metrics, /healthz and /readyz\n');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return send(response, 405, 'text/plain; charset=utf-8', 'GET and HEAD only\n');
    }
    if (path === '/healthz') return send(response, 200, 'text/plain; charset=utf-8', 'alive\n');
    try {
      if (path === '/readyz') {
        const readiness = this.#options.ready();
        send(response, readiness.ready ? 200 : 503, 'application/json', `${JSON.stringify(readiness)}\n`);
      } else {
        const text = await this.#options.metrics.text();
        send(response, 200, this.#options.metrics.contentType, text);
      }
    } catch (thrown) {
      this.#options.log.error('ops.answer-failed', { path, error: asError(thrown) });
      send(response, 500, 'text/plain; charset=utf-8', 'this could not be read; the log says why\n');
    }
  }
}

/** Node itself leaves the body of a HEAD answer away. */
function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
