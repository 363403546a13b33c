import { type DestinationStream, destination, pino } from 'pino';
import { asError, SluisError } from './error.ts';

/**
 * Everything a log line may say beside its event name. A closed list, so that a patient's name cannot
 * slip in by spreading an object: what is not named here does not compile.
 */
export interface LogFacts {
  readonly upload?: string;
  readonly transfer?: string;
  readonly delivery?: string;
  readonly mailbox?: string;
  readonly organization?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly bytes?: number;
  readonly count?: number;
  readonly status?: number;
  readonly ms?: number;
  readonly port?: number;
  readonly listener?: string;
  readonly path?: string;
  readonly code?: string;
  /** An error: only what `closed` names is logged; messages are made without patient data. */
  readonly error?: unknown;
}

/** One event name + closed facts. error = a person should look; warn = we coped. */
export interface Log {
  debug(event: string, facts?: LogFacts): void;
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines, one an event, on standard error unless told otherwise: standard output is for what a command prints. */
export function openLog(level: LogLevel, to: DestinationStream = destination({ dest: 2, sync: true })): Log {
  const lines = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      serializers: { error: closed },
    },
    to,
  );
  const at =
    (write: (facts: LogFacts, event: string) => void) =>
    (event: string, facts: LogFacts = {}) =>
      write(facts, event);
  return {
    debug: at((facts, event) => lines.debug(facts, event)),
    info: at((facts, event) => lines.info(facts, event)),
    warn: at((facts, event) => lines.warn(facts, event)),
    error: at((facts, event) => lines.error(facts, event)),
  };
}

/**
 * Of an error nothing else. Libraries hang whole requests on theirs, with tokens in the headers, and a cause
 * is often such an error.
 */
function closed(thrown: unknown) {
  const error: Error & { readonly code?: unknown } = asError(thrown);
  return {
    type: error.name,
    code: typeof error.code === 'string' || typeof error.code === 'number' ? error.code : undefined,
    message: error.message,
    stack: error.stack,
    facts: error instanceof SluisError ? error.facts : undefined,
  };
}
