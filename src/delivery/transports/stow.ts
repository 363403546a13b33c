import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import type { Receiving } from '../../state/records.ts';
import type { Storage } from '../../storage/storage.ts';
import { composeInstance, readSegments } from '../../study/composing.ts';
import { ReceiverUnclear } from '../errors.ts';
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
      bodyTimeout: settings.answerMs,
    });
    this.#root = url.pathname.replace(/\/+$/, '');
    this.#tokenFile = receiving.tokenFile;
    this.#storage = storage;
    this.#settings = settings;
  }

  /**
   * Sends instances of any studies in one request and reads which of them the receiver says it holds.
   * Rejects when there was no whole answer: then nothing is known of any of them.
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
    const watch = new RequestWatch(signal, idleWriteMs);
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
        ...readStowAnswer(await readText(response.body)),
        status: response.statusCode,
        retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
      };
    } finally {
      watch.end();
    }
  }

  /**
   * Asks by QIDO-RS (PS3.18 section 10.6) whether the receiver holds an instance. False also when it
   * has no QIDO service: then sending again is all that is left, and a SOP Instance UID is idempotent.
   * Rejects when it can't be asked now.
   */
  async holds({ instance }: TaggedInstance, signal: AbortSignal): Promise<boolean> {
    const { scan, sopInstanceUid } = instance;
    const { studyInstanceUid: study = '', seriesInstanceUid: series = '' } = scan ?? {};
    // An instance may come without them; then all there is to ask for is itself.
    const within = study === '' || series === '' ? '' : `/studies/${study}/series/${series}`;
    const response = await this.#pool.request({
      method: 'GET',
      path: `${this.#root}${within}/instances`,
      query: { SOPInstanceUID: sopInstanceUid },
      headers: { ...this.#authorization(), accept: 'application/dicom+json' },
      headersTimeout: this.#settings.answerMs,
      signal,
    });
    const text = await readText(response.body);
    if ([204, 404, 405, 501].includes(response.statusCode)) {
      return false;
    }
    if (response.statusCode !== 200) {
      throw new ReceiverUnclear(`asked for an instance, the receiver answered ${response.statusCode}`);
    }
    return readQidoAnswer(text).has(sopInstanceUid);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async *#body(
    batch: readonly TaggedInstance[],
    heads: readonly Buffer[],
    tail: Buffer,
    watch: RequestWatch,
  ): AsyncGenerator<Uint8Array> {
    for (const [at, { instance, edits, bytes }] of batch.entries()) {
      yield heads[at] ?? Buffer.alloc(0);
      const segments = composeInstance(instance.extents, instance.bytes, edits);
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

/** Aborts a request when its lane stops, or when its receiver takes nothing of the body for too long. */
class RequestWatch {
  readonly #controller = new AbortController();
  readonly #lane: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = (): void => this.#controller.abort(this.#lane.reason);
  #sent = false;

  constructor(lane: AbortSignal, idleMs: number) {
    this.#lane = lane;
    this.#timer = setTimeout(() => {
      this.#controller.abort(new ReceiverUnclear(`the receiver took nothing for ${idleMs / 1000} s`));
    }, idleMs);
    // Not AbortSignal.any: the lane's signal lives long, and would keep something of every request.
    lane.addEventListener('abort', this.#stop, { once: true });
    if (lane.aborted) {
      this.#stop();
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  progress(): void {
    // To refresh a timer that was cleared would start it again.
    if (!this.#sent) {
      this.#timer.refresh();
    }
  }

  /** The whole body is out: now the answer's own limit counts. */
  sent(): void {
    this.#sent = true;
    clearTimeout(this.#timer);
  }

  end(): void {
    this.sent();
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
