import { Unauthorized } from './access/errors.ts';
import type { Authorize } from './access/principal.ts';
import type { createApi } from './http/api/app.ts';
import { contentPath } from './http/api/content.ts';
import { fetchBridge } from './http/bridge.ts';
import type { Handler, RequestHeaders } from './http/exchange.ts';
import { problem } from './http/problem.ts';
import { router } from './http/router.ts';
import { landing, landingHeaders, preferredLanguage } from './ops/landing.ts';
import { programVersion } from './ops/version.ts';
import { uploadsPath } from './upload/address.ts';
import { cors } from './upload/cors.ts';

export interface Dispatched {
  readonly uploads: Handler;
  readonly content: Handler;
  readonly authorize: Authorize;
  readonly api: ReturnType<typeof createApi>;
  readonly limits: { readonly jsonBodyBytesMax: number; readonly manifestBytesMax: number };
  /** Where metrics and health are, for the page. */
  readonly ops: { readonly host: string; readonly port: number };
  /** Origins of browsers whose pages may ask. */
  readonly corsOrigins: readonly string[];
}

/** Who answers which address. Uploads and contents are streamed; the rest is JSON and one page. */
export function dispatcher(parts: Dispatched): Handler {
  const { uploads, content, authorize, api, limits, ops, corsOrigins } = parts;
  const { jsonBodyBytesMax, manifestBytesMax } = limits;
  const fetch = (request: Request): Response | Promise<Response> => api.fetch(request);
  const holderOf = (headers: RequestHeaders): string | undefined => {
    const principal = authorize(headers);
    return 'refused' in principal ? undefined : principal.organization;
  };
  const json = fetchBridge(fetch, { bodyBytesMax: jsonBodyBytesMax, holderOf });
  // What lists every instance of a transfer is larger than other JSON.
  const lists = fetchBridge(fetch, { bodyBytesMax: manifestBytesMax, holderOf });
  /** The token before the body, which is held whole: a stranger must not make us hold one. */
  const known = (handler: Handler): Handler => {
    return (exchange) => {
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
        const principal = authorize(exchange.headers);
        if ('refused' in principal) {
          exchange.answer(problem(new Unauthorized(principal)));
          return undefined;
        }
      }
      return handler(exchange);
    };
  };
  const page: Handler = (exchange) => {
    if (exchange.path !== '/' || (exchange.method !== 'GET' && exchange.method !== 'HEAD')) {
      return json(exchange);
    }
    const language = preferredLanguage(exchange.headers.get('accept-language'));
    const body = landing({ version: programVersion(), ops, language });
    exchange.answer({ status: 200, headers: landingHeaders, body });
    return undefined;
  };
  const routed = router([
    { prefix: uploadsPath, handler: uploads },
    { prefix: contentPath, handler: content },
    { prefix: '/v1/transfers/*/manifest', handler: known(lists) },
    { prefix: '/v1/deliveries/*/acknowledge', handler: known(lists) },
    { prefix: '/', handler: known(page) },
  ]);
  return cors(corsOrigins, routed);
}
