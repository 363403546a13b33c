import { SluisError } from '../ops/error.ts';
import type { Refusal } from './principal.ts';

const reasons = {
  'no-token': 'the request has no bearer token: send Authorization: Bearer TOKEN',
  'unknown-token': 'the bearer token is not known here: check the token file, or have a new key made',
  'expired-token': 'the bearer token has expired: have a new key made',
} as const;

/** 401, RFC 6750 section 3. */
export class Unauthorized extends SluisError {
  override readonly name = 'Unauthorized';
  readonly code = 'SLUIS_ACCESS_UNAUTHORIZED';
  readonly remedy = 'fix-request';
  override readonly facts;
  readonly headers = { 'WWW-Authenticate': 'Bearer realm="sluis"' };

  constructor({ refused }: Refusal) {
    super(reasons[refused]);
    this.facts = { refused };
  }
}

/** 403: who asks is known, and may not do this. */
export class Forbidden extends SluisError {
  override readonly name = 'Forbidden';
  readonly code = 'SLUIS_ACCESS_FORBIDDEN';
  readonly remedy = 'fix-request';
}
