import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { boundaryOf, MultipartTap } from './multipart-tap.ts';
import { reset } from './reset.ts';
import { referencedSopInstanceUids } from './stow-answer.ts';

const HOST = '127.0.0.1';
/** Of an answer is kept for reading; a receipt of 30 instances has 10 kB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** RFC 9110 section 7.6.1: these are of one connection and not passed on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** One POST to …/studies, growing while it goes by. Times are milliseconds of `performance.now()`. */
export interface StowRecord {
  readonly at: number;
  readonly path: string;
  /** In the order of the parts; a part counts as soon as its head was seen, also when it was cut off. */
  readonly sopInstanceUids: readonly string[];
  /** Parts begun, also those without a UID. */
  readonly parts: number;
  /** Of the body, as seen so far. */
  readonly bytes: number;
  /** The receiver's; undefined when it did not answer. */
  readonly status: number | undefined;
  /** Stored, says the receiver's answer, (0008,1199). */
  readonly responseReferenced: readonly string[];
  /** The whole answer was handed to the client's connection while that was open. */
  readonly answered: boolean;
  /** When that was. */
  readonly answeredAt: number | undefined;
  /** The sender or the receiver vanished in the middle. */
  readonly cut: boolean;
}

/** An HTTP/1.1 reverse proxy before a STOW-RS receiver that writes down what was sent and confirmed. */
export interface RecordingProxy {
  readonly port: number;
  /** Without a slash at the end; paths are passed on as they come. */
  readonly url: string;
  /** In the order in which they began. */
  readonly stows: readonly StowRecord[];
  /** Number of the other requests, by `METHOD /path` without the query. */
  readonly others: ReadonlyMap<string, number>;
  /**
   * UIDs sent again in a request that began after an answer which confirmed them had been handed to the
   * client's connection. A client that is killed in the millisecond before it reads that answer is
   * accused wrongly: look at the times then.
   */
  sentAfterConfirmed(): string[];
  /** Cuts what is open. */
  close(): Promise<void>;
}

export interface RecordingProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Listens on a free port of 127.0.0.1. A receiver that refuses or breaks is a reset to the client. */
export async function openRecordingProxy({ target }: RecordingProxyOptions): Promise<RecordingProxy> {
  const stows: StowRecord[] = [];
  const others = new Map<string, number>();
  const agent = new Agent({ keepAlive: true });

  const server = createServer((incoming, answer) => {
    const path = (incoming.url ?? '/').replace(/\?.*$/, '');
    const options: RequestOptions = {
      ...target,
      agent,
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: passedOn(incoming.rawHeaders),
    };
    let recording: Recording | undefined;
    if (incoming.method === 'POST' && /\/studies(?:\/[^/]*)?$/.test(path)) {
      recording = new Recording(path, boundaryOf(incoming.headers['content-type']));
      stows.push(recording.record);
    } else {
      const name = `${incoming.method ?? ''} ${path}`;
      others.set(name, (others.get(name) ?? 0) + 1);
    }
    forward(incoming, answer, options, recording).catch(() => {
      recording?.cut();
      reset(incoming.socket);
    });
  });
  // A study takes longer than Node's five minutes on a slow line.
  server.requestTimeout = 0;
  server.listen(0, HOST);
  await once(server, 'listening');
  // Listening on an IP address and port, the address is an object.
  const { port } = server.address() as AddressInfo;

  return {
    port,
    url: `http://${HOST}:${port.toString()}`,
    stows,
    others,
    sentAfterConfirmed: () => sentAfterConfirmed(stows),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

async function forward(
  incoming: IncomingMessage,
  answer: ServerResponse,
  options: RequestOptions,
  recording: Recording | undefined,
): Promise<void> {
  const upstream = request(options);
  // Its errors are told by the promises below; one that comes after them has nobody left to tell.
  upstream.on('error', () => undefined);
  // The sender is gone: what it began must not reach the receiver as a whole request.
  answer.on('close', () => upstream.destroy());
  const response = once(upstream, 'response');
  const sent = pipeline(incoming, (chunks: AsyncIterable<Uint8Array>) => tapped(chunks, recording), upstream);
  // A receiver may answer before it has read everything; then the rest of the body is of no interest.
  sent.catch(() => undefined);
  const [received]: IncomingMessage[] = await response;
  if (received === undefined) throw new Error('no answer');
  const status = received.statusCode ?? 502;
  const { socket } = incoming;
  // The event and not a promise: it comes before the client can have begun its next request.
  answer.on('finish', () => {
    if (!socket.destroyed) recording?.answered();
  });
  answer.writeHead(status, passedOn(received.rawHeaders));
  await pipeline(
    received,
    (chunks: AsyncIterable<Uint8Array>) =>
      readAlong(chunks, (body) =>
        recording?.answer(status, decoded(body, received.headers['content-encoding'])),
      ),
    answer,
  );
}

/** Passes an answer on and hands its body over at its end, before the last byte's finish. */
async function* readAlong(
  chunks: AsyncIterable<Uint8Array>,
  whole: (body: Buffer) => void,
): AsyncGenerator<Uint8Array> {
  const kept: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes <= ANSWER_BYTES_MAX) kept.push(chunk);
    yield chunk;
  }
  whole(Buffer.concat(kept));
}

/** Clients that allow it get compressed answers, and so do we; one that cannot be read confirms nothing. */
function decoded(body: Buffer, encoding: string | undefined): string {
  try {
    if (encoding === 'gzip') return gunzipSync(body).toString('utf8');
    if (encoding === 'deflate') return inflateSync(body).toString('utf8');
    if (encoding === 'br') return brotliDecompressSync(body).toString('utf8');
    return body.toString('utf8');
  } catch {
    return '';
  }
}

async function* tapped(
  chunks: AsyncIterable<Uint8Array>,
  recording: Recording | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of chunks) {
      recording?.take(chunk);
      yield chunk;
    }
  } finally {
    recording?.end();
  }
}

/** Raw headers with the names as they were, in Node's flat form, so that repeated ones survive. */
function passedOn(raw: readonly string[]): string[] {
  return raw.filter((_, index) => !HOP_BY_HOP.has((raw[index - (index % 2)] ?? '').toLowerCase()));
}

/** Writes one record. */
class Recording {
  readonly record: Writable<StowRecord>;
  readonly #tap: MultipartTap | undefined;

  constructor(path: string, boundary: string | undefined) {
    const sopInstanceUids: string[] = [];
    if (boundary !== undefined) this.#tap = new MultipartTap(boundary, (uid) => sopInstanceUids.push(uid));
    this.record = {
      at: performance.now(),
      path,
      sopInstanceUids,
      parts: 0,
      bytes: 0,
      status: undefined,
      responseReferenced: [],
      answered: false,
      answeredAt: undefined,
      cut: false,
    };
  }

  take(chunk: Uint8Array): void {
    this.record.bytes += chunk.byteLength;
    this.#tap?.take(chunk);
    this.record.parts = this.#tap?.parts ?? 0;
  }

  end(): void {
    this.#tap?.end();
  }

  answer(status: number, body: string): void {
    this.record.status = status;
    this.record.responseReferenced = referencedSopInstanceUids(body);
  }

  answered(): void {
    this.record.answered = true;
    this.record.answeredAt = performance.now();
  }

  cut(): void {
    this.record.cut = true;
  }
}

function sentAfterConfirmed(stows: readonly StowRecord[]): string[] {
  const confirmedAt = new Map<string, number>();
  for (const { answeredAt, responseReferenced } of stows) {
    if (answeredAt === undefined) continue;
    for (const uid of responseReferenced) {
      confirmedAt.set(uid, Math.min(answeredAt, confirmedAt.get(uid) ?? answeredAt));
    }
  }
  const again = new Set<string>();
  for (const { at, sopInstanceUids } of stows) {
    for (const uid of sopInstanceUids) {
      const confirmed = confirmedAt.get(uid);
      if (confirmed !== undefined && at > confirmed) again.add(uid);
    }
  }
  return [...again];
}
