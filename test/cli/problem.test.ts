import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RETRY_AFTER_MS_MAX } from '../../src/cli/limits.ts';
import { ExchangeProblem } from '../../src/cli/problem.ts';

const FUZZ_MS = Number(process.env.FUZZ_SECONDS ?? 2) * 1000;

describe('an error answer', () => {
  it('becomes a sentence with a code and what to do', () => {
    const answer = Buffer.from(
      JSON.stringify({ code: 'SLUIS_ACCESS_UNAUTHORIZED', detail: 'the token is not known.' }),
    );
    const problem = new ExchangeProblem(401, answer, undefined);
    expect(problem.code).toBe('SLUIS_ACCESS_UNAUTHORIZED');
    expect(problem.remedy).toBe('fix-request');
    expect(problem.message).toMatch(
      /^the token is not known\. Check --token-file.*\(SLUIS_ACCESS_UNAUTHORIZED\)$/u,
    );
  });

  it.each([
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
    [507, 'retry'],
    [423, 'retry'],
    [501, 'give-up'],
    [400, 'fix-request'],
    [403, 'fix-request'],
  ])('with %i means: %s', (status, remedy) => {
    expect(new ExchangeProblem(status, new Uint8Array(), undefined).remedy).toBe(remedy);
  });

  it.each([
    ['7', 7_000],
    ['0', 0],
    ['999999', RETRY_AFTER_MS_MAX],
    ['soon', 0],
    ['-5', 0],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ])('reads Retry-After %j', (header, ms) => {
    expect(new ExchangeProblem(503, new Uint8Array(), header).retryAfterMs).toBe(ms);
  });

  it('never brings control characters or endless text to a terminal, whatever was answered', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 2000 }),
          fc.json().map((text) => Buffer.from(text)),
          fc
            .record({ code: fc.string(), detail: fc.string({ maxLength: 3000, unit: 'binary' }) })
            .map((one) => Buffer.from(JSON.stringify(one))),
        ),
        fc.string(),
        (answer, header) => {
          const { message, code, retryAfterMs } = new ExchangeProblem(500, answer, header);
          expect(message).not.toMatch(/\p{Cc}/u);
          expect(message.length).toBeLessThan(800);
          expect(code).toMatch(/^SLUIS_[A-Z0-9_]+$/u);
          expect(retryAfterMs).toBeLessThanOrEqual(RETRY_AFTER_MS_MAX);
        },
      ),
      { interruptAfterTimeLimit: FUZZ_MS, numRuns: 100_000 },
    );
  });
});
