import type { RequestHeaders } from '../http/exchange.ts';

/** Who asks: a known API key and the organization it speaks for. */
export interface Principal {
  readonly key: string;
  readonly organization: string;
}

/** Why a request is not let in. Says nothing of which tokens exist. */
export interface Refusal {
  readonly refused: 'no-token' | 'unknown-token' | 'expired-token';
}

/** Synchronous, so that an upload's body is never waited for: one hash and one LMDB read. */
export type Authorize = (headers: RequestHeaders) => Principal | Refusal;
