import { type ErrorFacts, SluisError } from '../ops/error.ts';
import { bridgeLimits } from './limits.ts';

/** The peer vanished, or was cut for being idle. Everything that had arrived was written: `bytes`. */
export class PeerGone extends SluisError {
  override readonly name = 'PeerGone';
  readonly code = 'SLUIS_HTTP_PEER_GONE';
  readonly remedy = 'resume';
  override readonly facts: ErrorFacts;
  readonly bytes: number;

  constructor(bytes: number) {
    super(`the peer was gone after ${bytes.toString()} bytes`);
    this.bytes = bytes;
    this.facts = { bytes };
  }
}

/** Our own side stopped reading the body. Everything that had arrived was written: `bytes`. */
export class BodyStopped extends SluisError {
  override readonly name = 'BodyStopped';
  readonly code = 'SLUIS_HTTP_BODY_STOPPED';
  readonly remedy = 'resume';
  override readonly facts: ErrorFacts;
  readonly bytes: number;

  constructor(bytes: number, reason: unknown) {
    super(`reading the body was stopped after ${bytes.toString()} bytes`, { cause: reason });
    this.bytes = bytes;
    this.facts = { bytes };
  }
}

export class BodyTooLarge extends SluisError {
  override readonly name = 'BodyTooLarge';
  readonly code = 'SLUIS_HTTP_BODY_TOO_LARGE';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(bytesMax: number) {
    super(`the body may be at most ${bytesMax.toString()} bytes`);
    this.facts = { bytesMax };
  }
}

export class HeaderRepeated extends SluisError {
  override readonly name = 'HeaderRepeated';
  readonly code = 'SLUIS_HTTP_HEADER_REPEATED';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;

  constructor(header: string) {
    super(`the header ${header} came more than once; send it once`);
    this.facts = { header };
  }
}

/** The head cannot be served safely. The connection is closed, because its framing is in doubt. */
export class HeadRefused extends SluisError {
  override readonly name = 'HeadRefused';
  readonly code = 'SLUIS_HTTP_HEAD_REFUSED';
  readonly remedy = 'fix-request';
}

/** RFC 9110, 15.5.12: a chunked body, where the listener does not read chunks as RFC 9112, 7.1 has them. */
export class LengthRequired extends SluisError {
  override readonly name = 'LengthRequired';
  readonly code = 'SLUIS_HTTP_LENGTH_REQUIRED';
  readonly remedy = 'fix-request';

  constructor() {
    super('chunked bodies are not taken here; send the body with a Content-Length');
  }
}

/** RFC 9110, 15.5.18. */
export class ExpectationUnknown extends SluisError {
  override readonly name = 'ExpectationUnknown';
  readonly code = 'SLUIS_HTTP_EXPECTATION_UNKNOWN';
  readonly remedy = 'fix-request';

  constructor() {
    super('the only Expect served here is 100-continue');
  }
}

export class TooManyHeaders extends SluisError {
  override readonly name = 'TooManyHeaders';
  readonly code = 'SLUIS_HTTP_TOO_MANY_HEADERS';
  readonly remedy = 'fix-request';

  constructor(max: number) {
    super(`a request may have at most ${max.toString()} headers`);
  }
}

/** The bodies of other requests have taken the memory that there is for bodies. */
export class BodiesFull extends SluisError {
  override readonly name = 'BodiesFull';
  readonly code = 'SLUIS_HTTP_BODIES_FULL';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': bridgeLimits.retryAfterSeconds.toString() };

  constructor() {
    super('too many bodies are being received at once; send this one again later');
  }
}

export class RequestMalformed extends SluisError {
  override readonly name = 'RequestMalformed';
  readonly code = 'SLUIS_HTTP_REQUEST_MALFORMED';
  readonly remedy = 'fix-request';

  constructor(cause: unknown) {
    super('the request target, the method or a header cannot be understood', { cause });
  }
}

export class NotFound extends SluisError {
  override readonly name = 'NotFound';
  readonly code = 'SLUIS_HTTP_NOT_FOUND';
  readonly remedy = 'fix-request';

  constructor() {
    super('there is nothing at this address; GET /openapi.json lists what there is');
  }
}

export class MethodNotAllowed extends SluisError {
  override readonly name = 'MethodNotAllowed';
  readonly code = 'SLUIS_HTTP_METHOD_NOT_ALLOWED';
  readonly remedy = 'fix-request';
  readonly headers: Readonly<Record<string, string>>;

  constructor(allowed: readonly string[]) {
    super(`this address takes ${allowed.join(', ')}`);
    this.headers = { Allow: allowed.join(', ') };
  }
}

/** A streamed answer's source gave another number of bytes than its head promised. */
export class AnswerLength extends SluisError {
  override readonly name = 'AnswerLength';
  readonly code = 'SLUIS_HTTP_ANSWER_LENGTH';
  readonly remedy = 'give-up';
  override readonly facts: ErrorFacts;

  constructor(promised: number, given: number) {
    super(`the answer was announced with ${promised.toString()} bytes, its source gave ${given.toString()}`);
    this.facts = { promised, given };
  }
}

/** A handler ended without an answer. */
export class Unanswered extends SluisError {
  override readonly name = 'Unanswered';
  readonly code = 'SLUIS_HTTP_UNANSWERED';
  readonly remedy = 'give-up';

  constructor() {
    super('the request was not answered');
  }
}

export class ListenFailed extends SluisError {
  override readonly name = 'ListenFailed';
  readonly code = 'SLUIS_HTTP_LISTEN_FAILED';
  readonly remedy = 'give-up';
  override readonly facts: ErrorFacts;

  constructor(host: string, port: number, cause: unknown) {
    super(`cannot listen on ${host}, port ${port.toString()}: is it taken, or not of this machine?`, {
      cause,
    });
    this.facts = { host, port };
  }
}

/** uWebSockets.js was asked for by name, and its binary cannot be loaded here. */
export class ListenerMissing extends SluisError {
  override readonly name = 'ListenerMissing';
  readonly code = 'SLUIS_HTTP_LISTENER_MISSING';
  readonly remedy = 'give-up';

  constructor(cause: unknown) {
    super('uWebSockets.js has no binary for this platform; choose the listener auto or node-http', { cause });
  }
}
