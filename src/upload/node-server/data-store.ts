import type { Readable } from 'node:stream';
import { DataStore, Upload } from '@tus/utils';
import type { Principal } from '../../access/principal.ts';
import { PeerGone } from '../../http/errors.ts';
import type { UploadRecord } from '../../state/records.ts';
import { parseMetadata } from '../metadata.ts';
import { checksumHeader, tusExtensions } from '../tus-headers.ts';
import type { Uploads } from '../uploads.ts';
import { ReadableBody } from './readable-body.ts';
import { currentPrincipal, currentScope } from './request-scope.ts';

export interface EngineStoreOptions {
  readonly uploads: Uploads;
  readonly seal: (bytes: Uint8Array) => Uint8Array;
  readonly unseal: (sealed: Uint8Array) => Uint8Array;
}

/**
 * The engine as a store of @tus/server: the same records, bytes, offsets and durability as under our own
 * dialect, so that an upload that was begun under one goes on under the other.
 *
 * Concatenation is not offered: @tus/server asks its store for the extension under a misspelt name, and would
 * not tell it of the parts.
 */
export class EngineStore extends DataStore {
  override extensions = tusExtensions.filter((name) => !name.startsWith('concatenation'));
  readonly #uploads: Uploads;
  readonly #seal: EngineStoreOptions['seal'];
  readonly #unseal: EngineStoreOptions['unseal'];

  constructor({ uploads, seal, unseal }: EngineStoreOptions) {
    super();
    this.#uploads = uploads;
    this.#seal = seal;
    this.#unseal = unseal;
  }

  override async create(file: Upload): Promise<Upload> {
    // The header as it came: of what @tus/server read in it, bytes that are no UTF-8 are gone.
    const text = currentScope().headers.get('upload-metadata');
    const upload = await this.#uploads.create(currentPrincipal(), {
      ...parseMetadata(text ?? ''),
      id: file.id,
      length: file.size ?? null,
      ends: 'at-length',
      metadata: text === undefined ? null : this.#seal(Buffer.from(text, 'latin1')),
      digest: null,
      concat: null,
    });
    currentScope().shown = file;
    this.#tellExpiry(upload);
    return file;
  }

  override async getUpload(id: string): Promise<Upload> {
    const record = this.#uploads.head(id, currentPrincipal());
    const { offset, length } = record;
    const metadata = this.#metadataFor(currentPrincipal(), record);
    const upload = new Upload({
      id,
      offset,
      ...(length === null ? {} : { size: length }),
      ...(metadata === undefined ? {} : { metadata }),
    });
    currentScope().shown = upload;
    this.#tellExpiry(record);
    return upload;
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const { headers, bodyBytes, shown } = currentScope();
    const principal = currentPrincipal();
    const checksum = checksumHeader(headers);
    const room = shown?.size === undefined ? undefined : shown.size - offset;
    const body = new ReadableBody(stream, bodyBytes, room);
    let upload: UploadRecord;
    try {
      upload = await this.#uploads.append(id, principal, { offset, checksum }, body);
    } catch (error) {
      // @tus/server ends the body of a request that lost its lock, and answers with what was taken of it.
      if (!(error instanceof PeerGone)) throw error;
      upload = this.#uploads.head(id, principal);
    }
    this.#tellExpiry(upload);
    return upload.offset;
  }

  override async declareUploadLength(id: string, length: number): Promise<void> {
    await this.#uploads.declareLength(id, currentPrincipal(), length);
  }

  override async remove(id: string): Promise<void> {
    await this.#uploads.terminate(id, currentPrincipal());
  }

  /**
   * Not of DataStore: what GET looks for. A web stream: one that undici makes of a Node stream is closed once
   * more after a client that goes early has cancelled it, and nothing catches that.
   */
  read(id: string): ReadableStream<Uint8Array> {
    const bytes = this.#uploads.read(id, currentPrincipal()).bytes[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await bytes.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await bytes.return?.()),
      },
      // A chunk is the storage's again when the next one is asked for: nothing is read ahead.
      { highWaterMark: 0 },
    );
  }

  override deleteExpired(): Promise<number> {
    return this.#uploads.expire();
  }

  /** From the creation that #tellExpiry tells. */
  override getExpiration(): number {
    return this.#uploads.settings.expiryMs;
  }

  /**
   * @tus/server lets an upload expire `getExpiration` after its creation; ours do so many hours after their
   * last byte, and no later than so many days after their creation. So it is told a creation that comes out there.
   */
  #tellExpiry(upload: UploadRecord): void {
    const { shown } = currentScope();
    const at = this.#uploads.expiresAt(upload);
    if (shown !== undefined && at !== null) {
      shown.creation_date = new Date(at - this.getExpiration()).toISOString();
    }
  }

  #metadataFor(principal: Principal, { metadata, creator }: UploadRecord): Upload['metadata'] {
    // A client's file name can hold a patient's: only who sent it sees it again. @tus/server also makes the
    // head of a GET of it, which one name with a letter beyond Latin-1 makes it fail.
    if (metadata === null || creator !== principal.key || currentScope().method === 'GET') {
      return undefined;
    }
    const text = Buffer.from(this.#unseal(metadata)).toString('latin1');
    const pairs = text.split(',').map((pair) => pair.trim().split(' '));
    const known = pairs.filter(([key]) => key !== undefined && key !== '');
    return known.length === 0
      ? undefined
      : Object.fromEntries(known.map(([key = '', value]) => [key, decoded(value)]));
  }
}

function decoded(base64: string | undefined): string | null {
  return base64 === undefined || base64 === '' ? null : Buffer.from(base64, 'base64').toString('utf8');
}
