import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import { PeerGone, Unanswered } from './errors.ts';
import type { Exchange, Handler } from './exchange.ts';
import { problem } from './problem.ts';

/**
 * Runs a handler so that nothing it throws escapes. An unanswered throw becomes a problem answer, and so
 * does an async handler that ends without an answer; a synchronous one may answer later.
 * Resolves, never rejects, when the handler has ended.
 */
export async function serve(handler: Handler, exchange: Exchange, log: Log): Promise<void> {
  try {
    const ended = handler(exchange);
    if (ended === undefined) return;
    await ended;
    if (!exchange.answered && !exchange.gone.aborted) throw new Unanswered();
  } catch (thrown) {
    if (thrown instanceof PeerGone) log.debug('http.peer-gone', { bytes: thrown.bytes });
    const answer = problem(thrown);
    // The path is not logged: what a stranger puts into it is unknown.
    if (answer.status >= 500 && answer.status !== 503) {
      log.error('http.failed', { status: answer.status, error: asError(thrown) });
    }
    if (!exchange.answered) exchange.answer(answer);
  }
}
