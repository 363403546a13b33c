import { Hono } from 'hono';
import type { z } from 'zod';
import { Unauthorized } from '../../access/errors.ts';
import type { Authorize, Principal } from '../../access/principal.ts';
import { asError } from '../../ops/error.ts';
import type { Log } from '../../ops/log.ts';
import { MethodNotAllowed, NotFound } from '../errors.ts';
import type { Answer } from '../exchange.ts';
import { problem } from '../problem.ts';
import { RequestInvalid } from './errors.ts';
import { parseJson } from './json.ts';
import { jsonValuesMax, pathNameCharactersMax } from './limits.ts';

/** A header of a request, for /openapi.json. */
export interface HeaderParameter {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
}

/** One route of the JSON API: what it takes, what it answers, and the words for /openapi.json. */
export interface Route<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With `:name` for a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly status: number;
  /** Headers that it reads beside those of every request. */
  readonly headers?: readonly HeaderParameter[];
  readonly query?: Query;
  readonly body?: Body;
  /** What JSON.parse may make of the body: members, elements, objects and arrays together. */
  readonly bodyValuesMax?: number;
  handle(request: ApiRequest<z.infer<Query>, z.infer<Body>>): unknown;
}

export interface ApiRequest<Query = unknown, Body = unknown> {
  readonly principal: Principal;
  readonly query: Query;
  readonly body: Body;
  readonly signal: AbortSignal;
  readonly param: (name: string) => string;
  readonly header: (name: string) => string | undefined;
}

/** What a handler answers when the status is not the route's own. */
export class WithStatus {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

/** Keeps a route's own types while the table of all routes has none. */
export function route<Query extends z.ZodType, Body extends z.ZodType>(one: Route<Query, Body>): Route {
  return one as unknown as Route;
}

interface ApiOptions {
  readonly routes: readonly Route[];
  readonly authorize: Authorize;
  readonly openapi: unknown;
  readonly log: Log;
}

/** The JSON API as a fetch function: bearer token, zod-checked input, problem+json errors. */
export function createApi({ routes, authorize, openapi, log }: ApiOptions): Hono {
  const app = new Hono();
  app.get('/openapi.json', (context) => context.json(openapi as object));
  for (const one of routes) {
    app.on(one.method, one.path, async (context) => {
      const principal = authorize(new Map(context.req.raw.headers));
      if ('refused' in principal) {
        throw new Unauthorized(principal);
      }
      const answer = await one.handle({
        principal,
        query: one.query === undefined ? undefined : checked('query', one.query, context.req.query()),
        body:
          one.body === undefined ? undefined : checked('body', one.body, await jsonOf(context.req.raw, one)),
        signal: context.req.raw.signal,
        param: (name) => pathName(context.req.param(name)),
        header: (name) => context.req.header(name),
      });
      const [status, body] =
        answer instanceof WithStatus ? [answer.status, answer.body] : [one.status, answer];
      return Response.json(body, { status, headers: { 'Cache-Control': 'no-store' } });
    });
  }
  app.onError((thrown) => {
    const answer = problem(thrown);
    if (answer.status >= 500) {
      log.error('api.failed', { status: answer.status, error: asError(thrown) });
    }
    return responseOf(answer);
  });
  app.notFound((context) => {
    const { method, path } = context.req;
    const other = routes.filter((one) => matches(one.path, path)).map((one) => one.method);
    const misses = other.length > 0 && !other.some((one) => one === method);
    return responseOf(problem(misses ? new MethodNotAllowed(other) : new NotFound()));
  });
  return app;
}

function matches(pattern: string, path: string): boolean {
  const parts = path.split('/');
  const wanted = pattern.split('/');
  return (
    wanted.length === parts.length && wanted.every((part, at) => part.startsWith(':') || part === parts[at])
  );
}

function checked(where: 'body' | 'query', schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw RequestInvalid.of(where, parsed.error);
  }
  return parsed.data;
}

async function jsonOf(request: Request, { bodyValuesMax = jsonValuesMax }: Route): Promise<unknown> {
  return parseJson(new Uint8Array(await request.arrayBuffer()), bodyValuesMax);
}

/** Nothing of ours has a longer name. */
function pathName(name = ''): string {
  if (name.length > pathNameCharactersMax) {
    throw new NotFound();
  }
  return name;
}

function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body === undefined ? null : Buffer.from(body), { status, headers: { ...headers } });
}
