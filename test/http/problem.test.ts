import { describe, expect, it } from 'vitest';
import { HeadRefused, MethodNotAllowed, PeerGone } from '../../src/http/errors.ts';
import { type AnswersWith, methodNotAllowed, notFound, problem } from '../../src/http/problem.ts';
import { type Remedy, SluisError } from '../../src/ops/error.ts';

/** An error of a folder that this one knows nothing of. */
class Foreign extends SluisError implements AnswersWith {
  override readonly name = 'OffsetDiffers';
  readonly code = 'SLUIS_FOREIGN';
  readonly remedy: Remedy;
  override readonly facts = { stored: 5 };
  readonly headers: Readonly<Record<string, string>>;
  readonly problemType?: string;

  constructor(remedy: Remedy, headers: Readonly<Record<string, string>> = {}, problemType?: string) {
    super('the upload is at byte 5');
    this.remedy = remedy;
    this.headers = headers;
    if (problemType !== undefined) this.problemType = problemType;
  }
}

const bodyOf = (thrown: unknown) => JSON.parse(String(problem(thrown).body)) as Record<string, unknown>;

describe('a problem answer', () => {
  it('has a status by remedy for codes it does not know', () => {
    const statuses = (['fix-request', 'resume', 'retry', 'give-up'] as const).map(
      (remedy) => problem(new Foreign(remedy)).status,
    );
    expect(statuses).toEqual([400, 409, 503, 500]);
  });

  it('says what RFC 9457 asks for, and code, remedy and facts', () => {
    expect(bodyOf(new Foreign('resume'))).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'the upload is at byte 5',
      code: 'SLUIS_FOREIGN',
      remedy: 'resume',
      facts: { stored: 5 },
    });
    expect(bodyOf(new HeadRefused('no'))).not.toHaveProperty('facts');
  });

  it('carries the headers and the registered type that its error brings', () => {
    const answer = problem(new Foreign('resume', { 'Upload-Offset': '5' }, 'https://example.org/mismatch'));
    expect(answer.headers).toMatchObject({
      'Upload-Offset': '5',
      'Content-Type': 'application/problem+json',
    });
    expect(JSON.parse(String(answer.body))).toMatchObject({
      type: 'https://example.org/mismatch',
      title: 'Offset differs',
    });
  });

  it('says nothing of an error that was not made on purpose', () => {
    for (const thrown of [
      new Error('patient Jansen'),
      'patient Jansen',
      { code: 'patient Jansen' },
      undefined,
      null,
    ]) {
      const answer = problem(thrown);
      expect(answer.status).toBe(500);
      expect(String(answer.body)).toContain('SLUIS_INTERNAL');
      expect(JSON.stringify(answer)).not.toContain('Jansen');
    }
  });

  it('ignores headers that are not headers', () => {
    const odd = Object.assign(new PeerGone(1), { headers: { 'Retry-After': 5 } });
    expect(problem(odd).headers).not.toHaveProperty('Retry-After');
  });

  it('has its helpers for 404 and 405', () => {
    expect(notFound().status).toBe(404);
    const answer = methodNotAllowed(['GET', 'HEAD']);
    expect(answer).toMatchObject({ status: 405, headers: { Allow: 'GET, HEAD' } });
    expect(problem(new MethodNotAllowed(['GET'])).headers).toMatchObject({ Allow: 'GET' });
  });
});
