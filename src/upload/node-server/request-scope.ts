import assert from 'node:assert';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Upload } from '@tus/utils';
import type { Principal } from '../../access/principal.ts';
import type { Answer, RequestHeaders } from '../../http/exchange.ts';

/** What the store has to know of the request that @tus/server works on, and does not tell it. */
export interface RequestScope {
  readonly method: string;
  readonly headers: RequestHeaders;
  /** The declared length of its body, as in RequestBody. */
  readonly bodyBytes: number | undefined;
  /** Undefined for OPTIONS alone, which never comes to the store. */
  readonly principal: Principal | undefined;
  /** What @tus/server was last told of an upload, and answers from. */
  shown?: Upload;
  /** The answer to what was thrown, where that was ours. */
  refusal?: Answer;
}

const scopes = new AsyncLocalStorage<RequestScope>();

export function inScope<R>(scope: RequestScope, run: () => R): R {
  return scopes.run(scope, run);
}

export function currentScope(): RequestScope {
  const scope = scopes.getStore();
  assert(scope !== undefined, 'a request of @tus/server has no scope');
  return scope;
}

export function currentPrincipal(): Principal {
  const { principal } = currentScope();
  assert(principal !== undefined, 'a request without a principal came to the store');
  return principal;
}
