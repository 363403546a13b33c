import type { z } from 'zod';
import { SluisError } from '../../ops/error.ts';

/** 400: the body or query is not of the form that /openapi.json describes. Names paths, never values. */
export class RequestInvalid extends SluisError {
  override readonly name = 'RequestInvalid';
  readonly code = 'SLUIS_REQUEST_INVALID';
  readonly remedy = 'fix-request';

  constructor(where: 'body' | 'query' | 'path', problems: readonly string[]) {
    super(`the ${where} is not right: ${problems.join('; ')}`);
  }

  static of(where: 'body' | 'query', error: z.ZodError): RequestInvalid {
    return new RequestInvalid(
      where,
      error.issues.slice(0, 20).map((issue) => `${issue.path.join('.') || where}: ${wordsOf(issue)}`),
    );
  }
}

/** zod's own words name no value, but keys that nobody asked for: of these only what looks like a mistyped name. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') {
    return issue.message;
  }
  const names = issue.keys.filter((key) => /^[A-Za-z]{1,40}$/.test(key));
  return names.length === 0
    ? 'has a key that nobody knows'
    : `nobody knows the key ${names.slice(0, 5).join(', ')}`;
}

/** 406, RFC 9110 section 15.5.7. */
export class NotAcceptable extends SluisError {
  override readonly name = 'NotAcceptable';
  readonly code = 'SLUIS_NOT_ACCEPTABLE';
  readonly remedy = 'fix-request';
  readonly headers = { Vary: 'Accept' };

  constructor(types: readonly string[]) {
    super(`Accept names nothing of what there is: ${types.join(', ')}`);
  }
}

/** 416, RFC 9110 section 15.5.17. */
export class RangeNotSatisfiable extends SluisError {
  override readonly name = 'RangeNotSatisfiable';
  readonly code = 'SLUIS_RANGE_NOT_SATISFIABLE';
  readonly remedy = 'fix-request';
  readonly headers: Readonly<Record<string, string>>;

  constructor(bytes: number) {
    super(`the range lies behind the ${bytes.toString()} bytes there are`);
    this.headers = { 'Content-Range': `bytes */${bytes.toString()}` };
  }
}
