import { createHash, randomBytes } from 'node:crypto';
import { newId } from '../state/ids.ts';
import { keys } from '../state/keys.ts';
import type { State, Transaction } from '../state/state.ts';
import type { Authorize } from './principal.ts';

/** Recognisable, so that a scanner for leaked secrets can find it. */
const tokenPrefix = 'sluis_';
const tokenPattern = /^Bearer +([A-Za-z0-9_-]{20,100})$/i;
const dayMs = 86_400_000;

export interface NewApiKey {
  readonly organization: string;
  readonly name: string;
  readonly days: number;
}

/**
 * Makes an API key and returns its token: 256 random bits, shown this once. Stored is only its SHA-256;
 * a random token needs no slow hash.
 */
export function createApiKey(
  tx: Transaction,
  { organization, name, days }: NewApiKey,
  now = Date.now(),
): string {
  const token = tokenPrefix + randomBytes(32).toString('base64url');
  tx.put(keys.apiKeys, digestOf(token), {
    id: newId(now),
    organization,
    name,
    createdAt: now,
    expiresAt: now + days * dayMs,
  });
  return token;
}

/** Bearer tokens (RFC 6750) checked against the stored hashes. */
export function authorizer(state: State, now: () => number = Date.now): Authorize {
  return (headers) => {
    const token = tokenPattern.exec(headers.get('authorization') ?? '')?.[1];
    if (token === undefined) {
      return { refused: 'no-token' };
    }
    const record = state.get(keys.apiKeys, digestOf(token));
    if (record === undefined) {
      return { refused: 'unknown-token' };
    }
    if (record.expiresAt <= now()) {
      return { refused: 'expired-token' };
    }
    return { key: record.id, organization: record.organization };
  };
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
