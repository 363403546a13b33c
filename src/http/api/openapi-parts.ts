import type { HeaderParameter } from './app.ts';

const problemRef = { $ref: '#/components/schemas/Problem' };

export const idParameter = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };

/** `headers`: what the answer tells in them, name by name. */
export function answers(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  const told = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return {
    [status]: { description: 'done', ...(told.length === 0 ? {} : { headers: Object.fromEntries(told) }) },
    default: { description: 'a problem', content: { 'application/problem+json': { schema: problemRef } } },
  };
}

export function headerParameters(headers: readonly HeaderParameter[] = []): unknown[] {
  return headers.map((header) => ({ ...header, in: 'header', schema: { type: 'string' } }));
}

export function bodyOf(mediaType: string, schema: unknown): { required: boolean; content: object } {
  return { required: true, content: { [mediaType]: { schema } } };
}
