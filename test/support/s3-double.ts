import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

/** A request as its AWS name, without `Command`. */
export type S3Call =
  | 'HeadBucket'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'DeleteObjects'
  | 'ListObjectsV2';

/**
 * What goes wrong: 500; the connection ends in the middle of the answer; it never comes; it is done, but the
 * answer is lost; the list is as it was before.
 */
export type S3Fault = 'refuse' | 'cut' | 'hang' | 'lose' | 'stale';

export interface S3DoubleOptions {
  /** Asked before each request is answered. */
  fault?: (call: S3Call, key: string) => S3Fault | undefined;
  /** Names in one page of a list. */
  pageMax?: number;
  port?: number;
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string | number>;
  readonly body?: string | Buffer;
}

interface Asked {
  readonly call: S3Call;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly range: string | undefined;
  readonly fault: S3Fault | undefined;
}

interface Multipart {
  readonly key: string;
  readonly initiated: Date;
  readonly parts: Map<number, Buffer>;
}

/** As much of S3 as the storage asks for, in memory and with faults. The same contract is run by a real server. */
export class S3Double {
  readonly bucket = 'studies';
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, Multipart>();
  readonly calls: { readonly call: S3Call; readonly key: string }[] = [];
  readonly options: S3DoubleOptions;
  readonly endpoint: string;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, options: S3DoubleOptions) {
    this.#server = server;
    this.options = options;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port.toString()}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async start(options: S3DoubleOptions = {}): Promise<S3Double> {
    const server = createServer().listen(options.port ?? 0, '127.0.0.1');
    await once(server, 'listening');
    return new S3Double(server, options);
  }

  /** How often something was asked for. */
  count(call: S3Call): number {
    return this.calls.filter((one) => one.call === call).length;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close').catch(() => undefined);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.endpoint);
    const [, bucket, ...names] = decodeURIComponent(url.pathname).split('/');
    const key = names.join('/');
    const call = callOf(request.method ?? '', key, url.searchParams);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.calls.push({ call, key });
    const fault = this.options.fault?.(call, key);
    if (fault === 'hang') return;
    const body = Buffer.concat(chunks);
    const answer =
      fault === 'refuse'
        ? failure(500, 'InternalError')
        : bucket !== this.bucket
          ? failure(404, 'NoSuchBucket')
          : isBroken(request, body)
            ? failure(400, 'BadDigest')
            : this.#do({ call, key, query: url.searchParams, body, range: request.headers.range, fault });
    if (fault === 'lose') {
      response.destroy();
      return;
    }
    const { status, headers = {}, body: bytes = '' } = answer;
    response.writeHead(status, { 'Content-Length': Buffer.byteLength(bytes), ...headers });
    if (fault === 'cut') {
      response.write(bytes.slice(0, Math.ceil(bytes.length / 2)), () => response.destroy());
      return;
    }
    response.end(call === 'HeadObject' ? undefined : bytes);
  }

  #do({ call, key, query, body, range, fault }: Asked): Answer {
    const id = query.get('uploadId') ?? '';
    const upload = this.uploads.get(id);
    const needsUpload = ['UploadPart', 'ListParts', 'CompleteMultipartUpload', 'AbortMultipartUpload'];
    if (needsUpload.includes(call) && upload?.key !== key) return failure(404, 'NoSuchUpload');
    switch (call) {
      case 'HeadBucket':
        return { status: 200 };
      case 'CreateMultipartUpload': {
        const made = randomUUID();
        this.uploads.set(made, { key, initiated: new Date(), parts: new Map() });
        return xml('InitiateMultipartUploadResult', element('Key', key) + element('UploadId', made));
      }
      case 'UploadPart':
        upload?.parts.set(Number(query.get('partNumber')), body);
        return { status: 200, headers: { ETag: etag(body) } };
      case 'ListParts': {
        const parts = fault === 'stale' ? [] : [...(upload?.parts ?? [])].sort(([a], [b]) => a - b);
        const rows = parts.map(([number, bytes]) =>
          element(
            'Part',
            element('PartNumber', number) + element('ETag', etag(bytes)) + element('Size', bytes.byteLength),
          ),
        );
        return xml('ListPartsResult', rows.join('') + element('IsTruncated', false));
      }
      case 'CompleteMultipartUpload': {
        const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)</g)].map(([, number]) =>
          Number(number),
        );
        const parts = numbers.map((number) => upload?.parts.get(number));
        if (parts.length === 0 || parts.includes(undefined)) return failure(400, 'InvalidPart');
        this.objects.set(key, Buffer.concat(parts as Buffer[]));
        this.uploads.delete(id);
        return xml('CompleteMultipartUploadResult', element('Key', key));
      }
      case 'AbortMultipartUpload':
        this.uploads.delete(id);
        return { status: 204 };
      case 'ListMultipartUploads': {
        const all = [...this.uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''));
        const from = query.get('upload-id-marker');
        const begin = from === null ? 0 : all.findIndex(([id]) => id === from) + 1;
        const page = all.slice(begin, begin + this.#pageMax);
        const rows = page.map(([id, { key, initiated }]) =>
          element(
            'Upload',
            element('Key', key) + element('UploadId', id) + element('Initiated', initiated.toISOString()),
          ),
        );
        const last = page.at(-1);
        const more = begin + page.length < all.length && last !== undefined;
        const next = more
          ? element('NextKeyMarker', last[1].key) + element('NextUploadIdMarker', last[0])
          : '';
        return xml('ListMultipartUploadsResult', rows.join('') + next + element('IsTruncated', more));
      }
      case 'PutObject':
        this.objects.set(key, body);
        return { status: 200, headers: { ETag: etag(body) } };
      case 'HeadObject': {
        const bytes = this.objects.get(key);
        if (bytes === undefined) return { status: 404 };
        return { status: 200, headers: { 'Content-Length': bytes.byteLength, ETag: etag(bytes) } };
      }
      case 'GetObject':
        return this.#get(key, range);
      case 'DeleteObject':
        this.objects.delete(key);
        return { status: 204 };
      case 'DeleteObjects':
        for (const [, name = ''] of body.toString().matchAll(/<Key>([^<]*)</g)) this.objects.delete(name);
        return xml('DeleteResult', '');
      case 'ListObjectsV2': {
        const all = [...this.objects.keys()].filter((name) => name.startsWith(query.get('prefix') ?? ''));
        const after = query.get('continuation-token') ?? '';
        const rest = all.sort().filter((name) => name > after);
        const page = rest.slice(0, this.#pageMax);
        const more = page.length < rest.length;
        const rows = page.map((name) => element('Contents', element('Key', name)));
        const next = more ? element('NextContinuationToken', page.at(-1) ?? '') : '';
        return xml('ListBucketResult', rows.join('') + next + element('IsTruncated', more));
      }
    }
  }

  #get(key: string, range: string | undefined): Answer {
    const bytes = this.objects.get(key);
    if (bytes === undefined) return failure(404, 'NoSuchKey');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    if (from === undefined) return { status: 200, body: bytes };
    const start = Number(from);
    const end = Math.min(bytes.byteLength, Number(to) + 1);
    if (start >= bytes.byteLength) return failure(416, 'InvalidRange');
    const place = `bytes ${start.toString()}-${(end - 1).toString()}/${bytes.byteLength.toString()}`;
    return { status: 206, headers: { 'Content-Range': place }, body: bytes.subarray(start, end) };
  }

  get #pageMax(): number {
    return this.options.pageMax ?? 1000;
  }
}

function callOf(method: string, key: string, query: URLSearchParams): S3Call {
  if (key === '') {
    if (method === 'HEAD') return 'HeadBucket';
    if (method === 'POST') return 'DeleteObjects';
    return query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  }
  if (query.has('uploads')) return 'CreateMultipartUpload';
  const isMultipart = query.has('uploadId');
  switch (method) {
    case 'PUT':
      return isMultipart ? 'UploadPart' : 'PutObject';
    case 'POST':
      return 'CompleteMultipartUpload';
    case 'DELETE':
      return isMultipart ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'HEAD':
      return 'HeadObject';
    default:
      return isMultipart ? 'ListParts' : 'GetObject';
  }
}

/** What S3 would not take: bytes without the checksum that their header tells. */
function isBroken({ headers }: IncomingMessage, body: Buffer): boolean {
  const told = headers['x-amz-checksum-crc32'];
  const own = Buffer.alloc(4);
  own.writeUInt32BE(crc32(body));
  return told !== undefined && told !== own.toString('base64');
}

function etag(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function element(name: string, content: string | number | boolean): string {
  return `<${name}>${content.toString()}</${name}>`;
}

function xml(name: string, content: string): Answer {
  const body = `<?xml version="1.0"?>${element(name, content)}`;
  return { status: 200, headers: { 'Content-Type': 'application/xml' }, body };
}

function failure(status: number, code: string): Answer {
  return { ...xml('Error', element('Code', code) + element('Message', code)), status };
}
