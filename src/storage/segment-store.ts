import { setMaxListeners } from 'node:events';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { GetObjectCommandOutput, Part as S3Part } from '@aws-sdk/client-s3';
import { type MetadataValue, S3Store } from '@tus/s3-store';
import { TUS_RESUMABLE, Upload } from '@tus/utils';
import { StorageDamaged } from './errors.ts';
import { answerMs, connectMs, multipartAgeMsMax, partsAtOnce, silenceMs, socketsMax } from './limits.ts';
import { damaged, isMissing, reached } from './s3-errors.ts';
import type { Credentials, S3Options } from './s3-options.ts';
import { type SegmentName, type SegmentPlace, segmentName, segmentPlace } from './segments.ts';
import type { FileRange, ObjectId } from './storage.ts';

/** A segment under way to S3. */
interface Sending {
  readonly from: FileRange;
  readonly signal: AbortSignal;
}

interface StoreOptions extends Omit<S3Options, 'folder' | 'log' | 'spoolBytesMax' | 'credentialsFile'> {
  readonly credentials: Credentials;
  readonly partBytes: number;
}

/**
 * Segments in S3: each is an upload of @tus/s3-store, of a length that is known, in parts that are sent side by
 * side from its file. Of what that store does, these are ours: parts come from the file without a copy of it, a
 * part belongs to its number whatever failed before, its notes (`.info`) are kept in memory because nobody would
 * read them, and its expiry, which aborts everybody's uploads, is never called.
 */
export class SegmentStore extends S3Store {
  readonly #prefix: string;
  readonly #partBytes: number;
  readonly #silenceMs: number;
  readonly #sending = new Map<string, Sending>();
  readonly #ended = new AbortController();

  constructor(options: StoreOptions) {
    const { endpoint, region, bucket, prefix, forcePathStyle, credentials, partBytes } = options;
    const { requestChecksumCalculation, responseChecksumValidation } = options;
    super({
      partSize: partBytes,
      minPartSize: 1,
      useTags: false,
      maxConcurrentPartUploads: partsAtOnce,
      s3ClientConfig: {
        bucket,
        region,
        forcePathStyle,
        credentials: { ...credentials },
        requestChecksumCalculation,
        responseChecksumValidation,
        ...(endpoint === null ? {} : { endpoint }),
        requestHandler: {
          connectionTimeout: connectMs,
          socketTimeout: options.silenceMs ?? silenceMs,
          httpAgent: { maxSockets: socketsMax },
          httpsAgent: { maxSockets: socketsMax },
        },
      },
    });
    this.#prefix = prefix;
    this.#partBytes = partBytes;
    this.#silenceMs = options.silenceMs ?? silenceMs;
    // One for each request under way.
    setMaxListeners(0, this.#ended.signal);
    // Around each try: one that hangs must not keep the program from stopping, and none may follow it.
    this.client.middlewareStack.add((next) => (args) => this.#untilTheEnd(() => next(args)), {
      step: 'finalizeRequest',
      priority: 'low',
      name: 'untilTheEnd',
    });
    if (requestChecksumCalculation === 'WHEN_SUPPORTED' || endpoint?.startsWith('https:') !== false) {
      // A CRC-32 or TLS sees to the bytes already: the SHA-256 of the signature would cost more than all the rest.
      this.client.middlewareStack.add(
        (next, { commandName }) =>
          (args) => {
            const { request } = args as { request?: { headers?: Record<string, string> } };
            if (commandName === 'UploadPartCommand' && request?.headers !== undefined) {
              request.headers['x-amz-content-sha256'] ??= 'UNSIGNED-PAYLOAD';
            }
            return next(args);
          },
        { step: 'build', name: 'unsignedParts' },
      );
    }
  }

  /** Resolves when S3 has all of a segment, and has said so when it was asked. */
  async put(place: SegmentPlace, from: FileRange, isNew: boolean, signal: AbortSignal): Promise<void> {
    const key = this.#key(segmentName(place));
    // What a lost answer or a kill left: it is the same bytes, or too short.
    if (!isNew && (await this.#has(key, from.bytes))) {
      await this.clearCache(key);
      return;
    }
    this.#sending.set(key, { from, signal });
    try {
      if ((await this.cache.get(key)) === undefined) {
        await this.create(new Upload({ id: key, size: from.bytes, offset: 0 }));
      }
      await this.write(Readable.from([]), key, 0);
    } catch (error) {
      if (isMissing(error)) {
        // Completed, aborted or forgotten there: the next try begins anew.
        await this.clearCache(key);
      }
      throw error;
    } finally {
      this.#sending.delete(key);
    }
    if (!(await this.#has(key, from.bytes))) {
      throw new Error('S3 completed a segment, but does not have it');
    }
  }

  /** What is sent to S3 of an object that was removed meanwhile is nobody's any more: asked with no request under way. */
  async removeAll(object: ObjectId): Promise<void> {
    await reached(async () => {
      const isOurs = (key: string | undefined): key is string => this.#placeOf(key)?.object === object;
      await this.#abort(`${object}-`, ({ Key }) => isOurs(Key));
      for await (const keys of this.#keys(`${object}-`)) {
        const ours = keys.filter(isOurs);
        if (ours.length > 0) {
          const Objects = ours.map((Key) => ({ Key }));
          const { Errors = [] } = await within(answerMs, (abortSignal) =>
            this.client.deleteObjects(
              { Bucket: this.bucket, Delete: { Objects, Quiet: true } },
              { abortSignal },
            ),
          );
          if (Errors.length > 0) {
            throw new Error(`S3 did not delete ${Errors.length} segments: ${Errors[0]?.Code ?? ''}`);
          }
        }
      }
    });
  }

  /** Every object that has a segment in S3. */
  async *objects(): AsyncGenerator<ObjectId> {
    let last: string | undefined;
    for await (const keys of this.#keys('')) {
      for (const key of keys) {
        const object = this.#placeOf(key)?.object;
        if (object !== undefined && object !== last) {
          last = object;
          yield object;
        }
      }
    }
  }

  /** Gives up multipart uploads under our prefix: those that are `stale`, and those that are too old. Never another's. */
  async sweep(isStale: (place: SegmentPlace) => boolean): Promise<number> {
    const before = Date.now() - multipartAgeMsMax;
    return this.#abort('', ({ Key, Initiated }) => {
      const place = this.#placeOf(Key);
      return place !== undefined && (isStale(place) || (Initiated?.getTime() ?? before) < before);
    });
  }

  /** Bytes of a segment. Rejects StorageDamaged when S3 does not have it. */
  async bytesOf(name: SegmentName): Promise<number> {
    const asked = { Bucket: this.bucket, Key: this.#key(name) };
    const { ContentLength = 0 } = await reached(() =>
      within(this.#silenceMs, (abortSignal) => this.client.headObject(asked, { abortSignal })).catch(
        damaged(name),
      ),
    );
    return ContentLength;
  }

  /** The bytes [start, end) of a segment, as far as they come. Rejects StorageDamaged when it has less. */
  async get(name: SegmentName, start: number, end: number): Promise<Readable> {
    const asked = { Bucket: this.bucket, Key: this.#key(name), Range: `bytes=${start}-${end - 1}` };
    const answer: GetObjectCommandOutput = await within(this.#silenceMs, (abortSignal) =>
      this.client.getObject(asked, { abortSignal }),
    ).catch(damaged(name));
    if (!(answer.Body instanceof Readable)) {
      throw new TypeError('S3 answered without a body');
    }
    const { ContentLength: bytes = 0 } = answer;
    if (bytes !== end - start) {
      answer.Body.destroy();
      const message = `segment ${name} ends at byte ${start + bytes}, ${end} were recorded`;
      throw new StorageDamaged(message, { object: name, end: start + bytes, recorded: end });
    }
    return answer.Body;
  }

  /** Rejects when the bucket is not there, or not ours to use. */
  async look(): Promise<void> {
    await this.client.headBucket({ Bucket: this.bucket });
  }

  /** Nothing can be asked any more. */
  get isEnded(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Nothing is asked any more; what is under way is given up. */
  end(): void {
    this.#ended.abort(new Error('the program stops'));
    this.client.destroy();
  }

  async #untilTheEnd<T>(ask: () => Promise<T>): Promise<T> {
    const { signal } = this.#ended;
    signal.throwIfAborted();
    let onEnd: (() => void) | undefined;
    const ended = new Promise<never>((_, reject) => {
      onEnd = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onEnd);
    });
    try {
      return await Promise.race([ask(), ended]);
    } finally {
      if (onEnd !== undefined) {
        signal.removeEventListener('abort', onEnd);
      }
    }
  }

  protected override async saveMetadata(upload: Upload, uploadId: string): Promise<void> {
    await this.cache.set(upload.id, { file: upload, 'upload-id': uploadId, 'tus-version': TUS_RESUMABLE });
  }

  /** There is none: every part but the last has its full size. */
  protected override downloadIncompletePart(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Those that S3 does not have yet, side by side. */
  protected override async uploadParts(metadata: MetadataValue): Promise<number> {
    const key = metadata.file.id;
    const { from, signal } = this.#sent(key);
    const there = new Map((await this.retrieveParts(key)).map(({ PartNumber, Size }) => [PartNumber, Size]));
    const parts = this.#partsOf(from).filter(({ number, bytes }) => there.get(number) !== bytes);
    const file = await open(from.path, 'r');
    try {
      const sent = await Promise.allSettled(
        parts.map(async ({ number, start, bytes }) => {
          const permit = await this.partUploadSemaphore.acquire();
          try {
            signal.throwIfAborted();
            const part = Buffer.allocUnsafeSlow(bytes);
            for (let done = 0; done < bytes; ) {
              const { bytesRead } = await file.read(part, done, bytes - done, start + done);
              if (bytesRead === 0) {
                throw new StorageDamaged(`the spool's file of ${key} is too short`, { object: key });
              }
              done += bytesRead;
            }
            await this.uploadPart(metadata, part, number);
          } finally {
            await permit.release();
          }
        }),
      );
      const failed = sent.find((one) => one.status === 'rejected');
      if (failed !== undefined) {
        throw failed.reason;
      }
    } finally {
      await file.close();
    }
    return from.bytes;
  }

  protected override async uploadPart(
    metadata: MetadataValue,
    part: Readable | Buffer,
    number: number,
  ): Promise<string> {
    const { id: Key } = metadata.file;
    const { ETag = '' } = await this.client.uploadPart(
      {
        Bucket: this.bucket,
        Key,
        UploadId: metadata['upload-id'],
        PartNumber: number,
        Body: part,
      },
      { abortSignal: this.#sent(Key).signal },
    );
    return ETag;
  }

  /** Completes what has every part in its size: a list that is behind would leave a hole. */
  protected override async finishMultipartUpload(
    metadata: MetadataValue,
    parts: S3Part[],
  ): Promise<string | undefined> {
    const wanted = this.#partsOf(this.#sent(metadata.file.id).from);
    const isWhole =
      parts.length === wanted.length &&
      wanted.every(({ number, bytes }, at) => parts[at]?.PartNumber === number && parts[at].Size === bytes);
    if (!isWhole) {
      throw new Error('S3 does not list the parts that it was sent');
    }
    return super.finishMultipartUpload(metadata, parts);
  }

  #partsOf({ start, bytes }: FileRange) {
    const count = Math.max(1, Math.ceil(bytes / this.#partBytes));
    return Array.from({ length: count }, (_, at) => ({
      number: at + 1,
      start: start + at * this.#partBytes,
      bytes: Math.min(this.#partBytes, bytes - at * this.#partBytes),
    }));
  }

  #sent(key: string): Sending {
    const sending = this.#sending.get(key);
    if (sending === undefined) {
      throw new Error(`nothing of ${key} is being sent`);
    }
    return sending;
  }

  async #has(key: string, bytes: number): Promise<boolean> {
    try {
      const { ContentLength } = await this.client.headObject({ Bucket: this.bucket, Key: key });
      return ContentLength === bytes;
    } catch (error) {
      if (isMissing(error)) {
        return false;
      }
      throw error;
    }
  }

  async *#keys(beginning: string): AsyncGenerator<string[]> {
    let ContinuationToken: string | undefined;
    do {
      const asked = {
        Bucket: this.bucket,
        Prefix: this.#prefix + beginning,
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      };
      const page = await reached(() =>
        within(answerMs, (abortSignal) => this.client.listObjectsV2(asked, { abortSignal })),
      );
      yield (page.Contents ?? []).flatMap(({ Key }) => Key ?? []);
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async #abort(
    beginning: string,
    which: (upload: { Key?: string | undefined; Initiated?: Date | undefined }) => boolean,
  ): Promise<number> {
    let aborted = 0;
    let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
    for (;;) {
      const asked = { Bucket: this.bucket, Prefix: this.#prefix + beginning, ...marker };
      const page = await within(answerMs, (abortSignal) =>
        this.client.listMultipartUploads(asked, { abortSignal }),
      );
      for (const upload of (page.Uploads ?? []).filter(which)) {
        const { Key, UploadId } = upload;
        await this.client
          .abortMultipartUpload({ Bucket: this.bucket, Key, UploadId })
          .catch((error: unknown) => {
            if (!isMissing(error)) throw error;
          });
        await this.clearCache(Key ?? '');
        aborted++;
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
      if (IsTruncated !== true || NextKeyMarker === undefined) {
        return aborted;
      }
      marker = {
        KeyMarker: NextKeyMarker,
        ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
      };
    }
  }

  #key(name: SegmentName): string {
    return this.#prefix + name;
  }

  #placeOf(key: string | undefined): SegmentPlace | undefined {
    return key?.startsWith(this.#prefix) === true ? segmentPlace(key.slice(this.#prefix.length)) : undefined;
  }
}

/** Gives up what is not answered in time, however often the SDK tried it by then. */
async function within<T>(ms: number, ask: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ms);
  try {
    return await ask(late.signal);
  } finally {
    clearTimeout(timer);
  }
}
