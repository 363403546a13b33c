import { z } from 'zod';
import { type ErrorFacts, type Remedy, SluisError } from '../ops/error.ts';
import { DETAIL_CHARACTERS_MAX, RETRY_AFTER_MS_MAX } from './limits.ts';

const body = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
});

/** What a person can do about an answer, by HTTP status; where nothing is listed the detail says enough. */
const advice: Readonly<Record<number, string>> = {
  401: 'Check --token-file: the token is unknown, expired or cut off',
  403: 'This token may not do that; ask whoever manages the keys of your organization',
  404: 'Check the address of --server and the id',
  413: 'Send it in smaller transfers',
  423: 'Another program is sending the same upload; this one goes on when that one stops',
  429: 'The exchange asks to slow down',
  503: 'The exchange is busy or its disk is filling up',
  507: 'The disk of the exchange is full; its operator has to make room',
};

/** The exchange answered with an error (application/problem+json, RFC 9457). */
export class ExchangeProblem extends SluisError {
  override readonly name = 'ExchangeProblem';
  readonly code: `SLUIS_${string}`;
  readonly remedy: Remedy;
  readonly status: number;
  readonly retryAfterMs: number;
  override readonly facts: ErrorFacts;

  constructor(status: number, answer: Uint8Array, retryAfter: string | undefined) {
    const { code, sentence } = read(status, answer);
    super(`${sentence} (${code})`);
    this.status = status;
    this.code = code;
    this.remedy = remedyOf(status);
    this.retryAfterMs = retryAfterMs(retryAfter);
    this.facts = { status };
  }
}

/** 501 and 505 are for ever; everything else of the 500s passes (RFC 9110, 15.6). 423: a lease runs out. 460: what came is not what was sent. */
function remedyOf(status: number): Remedy {
  if (status === 501 || status === 505) return 'give-up';
  return status >= 500 || [408, 423, 425, 429, 460].includes(status) ? 'retry' : 'fix-request';
}

function read(status: number, answer: Uint8Array): { code: `SLUIS_${string}`; sentence: string } {
  const parsed = body.safeParse(json(answer));
  const { code, title, detail } = parsed.success ? parsed.data : {};
  const said = plain(detail ?? title ?? '') || `the exchange answered ${status.toString()}`;
  const next = advice[status];
  return {
    code: isCode(code) ? code : `SLUIS_HTTP_${status.toString()}`,
    sentence: next === undefined ? said : `${said.replace(/\.$/u, '')}. ${next}`,
  };
}

function json(answer: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(answer).toString('utf8'));
  } catch {
    return {};
  }
}

function isCode(code: string | undefined): code is `SLUIS_${string}` {
  return code !== undefined && /^SLUIS_[A-Z0-9_]{1,64}$/u.test(code);
}

/** Words from outside, without what would move a terminal's cursor, and not endless. */
export function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, DETAIL_CHARACTERS_MAX);
}

/** RFC 9110, 10.2.3: seconds or a date. What is neither counts as no wish. */
function retryAfterMs(header: string | undefined): number {
  if (header === undefined) return 0;
  const ms = /^\d{1,9}$/u.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : 0;
}
