import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import type { Receiving } from '../../state/records.ts';
import type { Storage } from '../../storage/storage.ts';
import { composeInstance, readSegments, storedInstance } from '../../study/composing.ts';
import { NothingSent, ReceiverUnclear, ReceiverUnreachable } from '../errors.ts';
import { answerBytesMax } from '../limits.ts';
import type { TaggedInstance } from '../tagging.ts';
import { readQidoAnswer, readStowAnswer, type StowAnswer } from './stow-answer.ts';

export interface StowSettings {
  readonly connections: number;
  readonly connectMs: number;
  readonly idleWriteMs: number;
  readonly answerMs: number;
  readonly answerMsPer10MiB: number;
}

export interface StowOutcome extends StowAnswer {
  readonly status: number;
  /** From Retry-After, when the receiver said so. */
  readonly retryAfterMs: number | undefined;
}

/**
 * A chunk smaller than a socket's buffer (16 KiB, from Node 22 on 64 KiB) may still be queued when the
 * next is asked for, and storage then reads into it: such a one is copied.
 */
const copiedBytesMax = 64 * 1024;

/**
 * A receiver that speaks STOW-RS (PS3.18 section 10.5): patched heads from memory, the rest straight from
 * storage, with a Content-Length, no faster than the receiver reads.
 */
export class StowReceiver {
  readonly #pool: Pool;
  readonly #root: string;
  readonly #tokenFile: string | null;
  readonly #storage: Storage;
  readonly #settings: StowSettings;

  constructor(receiving: Receiving & { by: 'stow' }, storage: Storage, settings: StowSettings) {
    const url = new URL(receiving.url);
    this.#pool = new Pool(url.origin, {
      connections: settings.connections,
      pipelining: 1,
      connect: { timeout: settings.connectMs },
    });
    this.#root = url.pathname.replace(/\/+$/, '');
    this.#tokenFile = receiving.tokenFile;
    this.#storage = storage;
    this.#settings = settings;
  }

  /**
   * Sends instances of any studies in one request and reads which of them the receiver says it holds.
   * Rejects when there was no whole answer: then nothing is known of any of them; but after
   * NothingSent none of them went out.
   */
  async send(batch: readonly TaggedInstance[], signal: AbortSignal): Promise<StowOutcome> {
    const boundary = `sluis-${randomBytes(16).toString('hex')}`;
    const heads = batch.map(({ bytes }) =>
      Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\nContent-Length: ${bytes}\r\n\r\n`),
    );
    const tail = Buffer.from(`--${boundary}--\r\n`);
    const bytes = batch.reduce(
      (sum, one, at) => sum + (heads[at]?.byteLength ?? 0) + one.bytes + 2,
      tail.byteLength,
    );
    const { idleWriteMs, answerMs, answerMsPer10MiB } = this.#settings;
    const watch = new RequestWatch(signal);
    watch.limit(idleWriteMs, 'the receiver took nothing');
    try {
      const response = await this.#pool.request({
        method: 'POST',
        path: `${this.#root}/studies`,
        headers: {
          ...this.#authorization(),
          'content-type': `multipart/related; type="application/dicom"; boundary=${boundary}`,
          'content-length': String(bytes),
          accept: 'application/dicom+json',
        },
        // undici counts anew with every write that the socket takes, so in effect from the last byte on.
        headersTimeout: answerMs + Math.ceil(bytes / (10 * 1024 * 1024)) * answerMsPer10MiB,
        signal: watch.signal,
        // undici takes any async iterable and asks for a chunk when the socket has drained; its types name Readable.
        body: this.#body(batch, heads, tail, watch) as unknown as Readable,
      });
      const retryAfter = Number(response.headers['retry-after']);
      return {
        ...readStowAnswer(await this.#read(response.body, watch)),
        status: response.statusCode,
        retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
      };
    } catch (thrown) {
      throw watch.hasBegun ? thrown : new NothingSent(connectionError(thrown, unreachableBeforeBody));
    } finally {
      watch.end();
    }
  }

  /**
   * Asks by QIDO-RS (PS3.18 section 10.6) whether the receiver holds an instance. False also when it
   * has no QIDO service: then sending again is all that is left, and a SOP Instance UID is idempotent.
   * Rejects when it can't be asked now, or answers in no way that says it.
   */
  async holds({ instance }: TaggedInstance, signal: AbortSignal): Promise<boolean> {
    const { scan, sopInstanceUid } = instance;
    const { studyInstanceUid: study = '', seriesInstanceUid: series = '' } = scan ?? {};
    // An instance may come without them; then all there is to ask for is itself.
    const within = study === '' || series === '' ? '' : `/studies/${study}/series/${series}`;
    const watch = new RequestWatch(signal);
    try {
      const { statusCode, body } = await this.#pool.request({
        method: 'GET',
        path: `${this.#root}${within}/instances`,
        query: { SOPInstanceUID: sopInstanceUid },
        headers: { ...this.#authorization(), accept: 'application/dicom+json' },
        headersTimeout: this.#settings.answerMs,
        signal: watch.signal,
      });
      const text = await this.#read(body, watch);
      if ([204, 404, 405, 501].includes(statusCode)) {
        return false;
      }
      const found = statusCode === 200 ? readQidoAnswer(text) : undefined;
      if (found === undefined) {
        const how = statusCode === 200 ? 'in no way that can be read' : String(statusCode);
        throw new ReceiverUnclear(`asked for an instance, the receiver answered ${how}`);
      }
      return found.has(sopInstanceUid);
    } catch (thrown) {
      throw connectionError(thrown, unreachableCodes);
    } finally {
      watch.end();
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** All of an answer, whose head came in time: who gives a byte now and then is not waited for any longer. */
  async #read(body: AsyncIterable<Uint8Array>, watch: RequestWatch): Promise<string> {
    watch.sent();
    watch.limit(this.#settings.answerMs, 'the receiver did not end its answer');
    return readText(body);
  }

  async *#body(
    batch: readonly TaggedInstance[],
    heads: readonly Buffer[],
    tail: Buffer,
    watch: RequestWatch,
  ): AsyncGenerator<Uint8Array> {
    watch.begin();
    for (const [at, { instance, edits, bytes }] of batch.entries()) {
      yield heads[at] ?? Buffer.alloc(0);
      const segments = composeInstance(storedInstance(instance), edits);
      for await (const chunk of readSegments(this.#storage, segments, 0, bytes)) {
        watch.progress();
        yield chunk.byteLength > copiedBytesMax ? chunk : Buffer.from(chunk);
      }
      yield Buffer.from('\r\n');
    }
    yield tail;
    watch.sent();
  }

  #authorization(): Record<string, string> {
    // Read each time: a rotated token needs no restart.
    return this.#tokenFile === null
      ? {}
      : { authorization: `Bearer ${readFileSync(this.#tokenFile, 'utf8').trim()}` };
  }
}

/** Codes of a connection that does not come about. */
const unreachableCodes: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The same while nothing of a body was asked for: later a reset says that the line, or an object, is bad. */
const unreachableBeforeBody: ReadonlySet<unknown> = new Set([...unreachableCodes, 'ECONNRESET']);

/** ReceiverUnreachable for these codes; else the error as it is. */
function connectionError(thrown: unknown, codes: ReadonlySet<unknown>): unknown {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return codes.has(code) ? new ReceiverUnreachable(String(code), thrown) : thrown;
}

/** Aborts a request when its lane stops, or when its receiver takes or answers nothing for too long. */
class RequestWatch {
  readonly #controller = new AbortController();
  readonly #lane: AbortSignal;
  readonly #stop = (): void => this.#controller.abort(this.#lane.reason);
  #timer: NodeJS.Timeout | undefined;
  #hasBegun = false;
  #sent = false;

  constructor(lane: AbortSignal) {
    this.#lane = lane;
    // Not AbortSignal.any: the lane's signal lives long, and would keep something of every request.
    lane.addEventListener('abort', this.#stop, { once: true });
    if (lane.aborted) {
      this.#stop();
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether anything of the body was asked for: before that nothing goes out. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** From now on no longer than this; for the body, than this after each chunk. */
  limit(ms: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#controller.abort(new ReceiverUnclear(`${what} within ${ms / 1000} s`)),
      ms,
    );
  }

  begin(): void {
    this.#hasBegun = true;
  }

  progress(): void {
    // To refresh a timer that was cleared would start it again, and the answer's limit is not the body's.
    if (!this.#sent) {
      this.#timer?.refresh();
    }
  }

  /** The whole body is out, or is no longer wanted: now the answer's own limits count. */
  sent(): void {
    if (!this.#sent) {
      this.#sent = true;
      clearTimeout(this.#timer);
    }
  }

  end(): void {
    this.#sent = true;
    clearTimeout(this.#timer);
    this.#lane.removeEventListener('abort', this.#stop);
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > answerBytesMax) {
      throw new ReceiverUnclear(`the receiver's answer is larger than ${answerBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
