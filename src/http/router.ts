import type { Handler } from './exchange.ts';
import { notFound } from './problem.ts';

export interface Route {
  /** Whole segments of a path, `*` for any one of them. `/` is everything. */
  readonly prefix: string;
  readonly handler: Handler;
}

/**
 * Gives a request to the first route whose prefix its path begins with, else answers 404. Paths are
 * compared as they came: an encoded slash does not separate, and `..` is a name like any other.
 */
export function router(routes: readonly Route[]): Handler {
  const table = routes.map(({ prefix, handler }) => ({ segments: segmentsOf(prefix), handler }));
  return (exchange) => {
    const path = segmentsOf(exchange.path);
    const route = table.find(({ segments }) => begins(path, segments));
    if (route) return route.handler(exchange);
    exchange.answer(notFound());
  };
}

function segmentsOf(path: string): string[] {
  const segments = path.split('/').slice(1);
  return segments.at(-1) === '' ? segments.slice(0, -1) : segments;
}

function begins(path: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((segment, at) => {
    const given = path[at];
    return segment === '*' ? given !== undefined && given !== '' : given === segment;
  });
}
