import { describe, expect, it } from 'vitest';
import { Fatal } from '../../src/ops/error.ts';
import { openLog } from '../../src/ops/log.ts';

function logged(error: unknown): Record<string, unknown> {
  const lines: string[] = [];
  openLog('info', { write: (line) => lines.push(line) }).error('delivery.failed', { error });
  return JSON.parse(lines.join('')) as Record<string, unknown>;
}

describe('the log', () => {
  it('says of an error its type, code, message and stack, and nothing that a library hung on it', () => {
    const cause = new Error('Annelies van der Berg');
    const error = Object.assign(new TypeError('the line was cut', { cause }), {
      code: 'ECONNRESET',
      headers: { authorization: 'Bearer sluis_secret' },
    });
    const line = logged(error);
    expect(line.event).toBe('delivery.failed');
    expect(line.error).toEqual({
      type: 'TypeError',
      code: 'ECONNRESET',
      message: 'the line was cut',
      stack: error.stack,
    });
    expect(JSON.stringify(line)).not.toMatch(/secret|Annelies/);
  });

  it('says the facts of an error that was made on purpose, and takes what is no error', () => {
    expect(logged(new Fatal('it cannot go on', 3))).toMatchObject({
      error: { type: 'Fatal', code: 'SLUIS_FATAL', facts: {} },
    });
    expect(logged('just words')).toMatchObject({ error: { message: 'just words' } });
  });
});
