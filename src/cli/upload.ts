import { Readable } from 'node:stream';
import { asError, SluisError } from '../ops/error.ts';
import { transferAnswer } from './answers.ts';
import { type ExchangeClient, type Reply, retryAfterOf } from './client.ts';
import { AnswerUnexpected } from './errors.ts';
import { IDLE_MS_MAX, UPLOADS_MAX } from './limits.ts';
import { ExchangeProblem } from './problem.ts';
import type { Progress } from './progress.ts';

/** The bytes of an upload, which can be made again from any offset. */
export interface Content {
  readonly bytes: number;
  /** The bytes [start, end). */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** What went over the line in this run. */
export interface Sent {
  /** Handed to the line, what was cut off and sent again counted each time. */
  readonly bytes: number;
  /** Of those, what the exchange had no use for. */
  readonly twice: number;
}

const TUS = { 'tus-resumable': '1.0.0' } as const;

/** The exchange is at another byte than the PATCH that was just sent, or took none of it. */
class OffsetMoved extends SluisError {
  override readonly name = 'OffsetMoved';
  readonly code = 'SLUIS_CLI_OFFSET';
  readonly remedy = 'resume';
}

/**
 * Brings a package or a ZIP to the exchange as the upload of one transfer (tus 1.0.0, Core and Creation).
 *
 * Keeps nothing on this side: which upload belongs to the transfer and how far it is, the exchange
 * knows. So every failure has one answer, whatever it was: ask again where it stands and go on there.
 */
export class PackageUpload {
  readonly #client: ExchangeClient;
  readonly #transfer: string;
  readonly #filetype: string;
  readonly #content: Content;
  readonly #progress: Progress;
  #sent = 0;

  constructor(
    client: ExchangeClient,
    transfer: string,
    filetype: string,
    content: Content,
    progress: Progress,
  ) {
    this.#client = client;
    this.#transfer = transfer;
    this.#filetype = filetype;
    this.#content = content;
    this.#progress = progress;
  }

  /** Resolves when the exchange has every byte. Throws GaveUp, ExchangeProblem and the content's own errors. */
  async send(): Promise<Sent> {
    const patience = this.#client.patience();
    let path: string | undefined;
    let first: number | undefined;
    let furthest = 0;
    let lost = 0;
    for (;;) {
      try {
        path ??= await this.#findOrCreate();
        const offset = await this.#head(path);
        first ??= offset;
        if (offset > furthest) patience.progress();
        furthest = Math.max(furthest, offset);
        this.#progress.jump(offset);
        if (offset === this.#content.bytes || (await this.#patch(path, offset)) === this.#content.bytes) {
          return { bytes: this.#sent, twice: Math.max(0, this.#sent - (this.#content.bytes - first)) };
        }
        patience.progress();
      } catch (thrown) {
        if (path !== undefined && isGone(thrown)) {
          lost += 1;
          if (lost >= UPLOADS_MAX) throw thrown;
          path = undefined;
          first = undefined;
          furthest = 0;
        } else {
          await patience.pause(asError(thrown), retryAfterOf(thrown));
        }
      }
    }
  }

  async #findOrCreate(): Promise<string> {
    const { uploads } = await this.#client.json(transferAnswer, {
      method: 'GET',
      path: `/v1/transfers/${this.#transfer}`,
    });
    const usable = uploads.filter((upload) => upload.bytes === this.#content.bytes);
    const furthest = usable.sort((a, b) => b.offset - a.offset)[0];
    if (furthest !== undefined) return this.#client.pathOf(furthest.location);
    // Asked once: when the answer is lost, the list above knows whether the upload was made.
    const reply = await this.#client.ask({
      method: 'POST',
      path: '/v1/uploads',
      headers: {
        ...TUS,
        'upload-length': this.#content.bytes.toString(),
        'upload-metadata': `transfer ${base64(this.#transfer)},filetype ${base64(this.#filetype)}`,
      },
    });
    reply.body.resume();
    const location = reply.header('location');
    if (location === undefined)
      throw new AnswerUnexpected('an upload was made, but the exchange named no location');
    return this.#client.pathOf(location);
  }

  async #head(path: string): Promise<number> {
    const reply = await this.#client.ask({ method: 'HEAD', path, headers: TUS });
    reply.body.resume();
    return this.#offsetOf(reply);
  }

  async #patch(path: string, offset: number): Promise<number> {
    const bytes = this.#content.bytes - offset;
    const idle = new AbortController();
    const body = Readable.from(this.#watched(offset, idle), { objectMode: false });
    try {
      const reply = await this.#client.ask({
        method: 'PATCH',
        path,
        headers: {
          ...TUS,
          'content-type': 'application/offset+octet-stream',
          'upload-offset': offset.toString(),
          'content-length': bytes.toString(),
        },
        body,
        bytes,
        signal: idle.signal,
      });
      reply.body.resume();
      const reached = this.#offsetOf(reply);
      if (reached <= offset)
        throw new OffsetMoved(`the exchange took nothing behind byte ${offset.toString()}`);
      return reached;
    } catch (thrown) {
      if (thrown instanceof ExchangeProblem && thrown.status === 409) {
        throw new OffsetMoved('the exchange stands at another byte than was sent', { cause: thrown });
      }
      throw thrown;
    } finally {
      body.destroy();
    }
  }

  /** The content, counted, and cut when the line takes nothing of it for too long. */
  async *#watched(offset: number, idle: AbortController): AsyncGenerator<Uint8Array> {
    const timer = setTimeout(() => idle.abort(), IDLE_MS_MAX);
    try {
      for await (const piece of this.#content.read(offset, this.#content.bytes)) {
        yield piece;
        this.#sent += piece.length;
        this.#progress.add(piece.length);
        timer.refresh();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #offsetOf(reply: Reply): number {
    const text = reply.header('upload-offset') ?? '';
    const offset = Number(text);
    if (!/^\d{1,16}$/u.test(text) || offset > this.#content.bytes) {
      throw new AnswerUnexpected('the exchange named no usable Upload-Offset');
    }
    return offset;
  }
}

/** 404 and 410: the upload expired or its state was lost. The transfer may still stand. */
function isGone(thrown: unknown): boolean {
  return thrown instanceof ExchangeProblem && (thrown.status === 404 || thrown.status === 410);
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
