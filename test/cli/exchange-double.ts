import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setAsideOf } from './set-aside.ts';

export const TOKEN = 'a-token-for-tests';

interface DoubleUpload {
  readonly id: string;
  readonly transfer: string;
  readonly filetype: string;
  readonly length: number;
  bytes: Buffer;
  setAside: object[];
}

interface DoubleManifest {
  instances: { sopInstanceUid: string; bytes: number; sha256: string }[];
  reports: { sha256: string; bytes: number; mediaType: string }[];
}

interface DoubleTransfer {
  readonly id: string;
  readonly key: string;
  readonly body: string;
  readonly order: Record<string, unknown>;
  manifest: DoubleManifest | undefined;
  state: string;
  reasons: string[];
}

export interface OfferedItem {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly content: Uint8Array;
}

export interface OfferedReport {
  /** Its media type. */
  readonly report: string;
  readonly content: Uint8Array;
}

interface DoubleDelivery {
  readonly id: string;
  readonly transfer: string;
  etag: string;
  readonly items: Record<string, unknown>[];
  readonly content: Buffer;
  acknowledged: unknown;
}

/** Answers instead of the contract, once; false lets the contract answer. */
type Fault = (request: IncomingMessage, response: ServerResponse, route: string) => boolean;

/**
 * The contract that the commands rely on (api.contract.ts, which the exchange passes too), with all of its
 * state in memory and a real socket; this one can be told to fail at any place.
 */
export class ExchangeDouble {
  readonly transfers: DoubleTransfer[] = [];
  readonly uploads: DoubleUpload[] = [];
  readonly deliveries: DoubleDelivery[] = [];
  /** `METHOD /path` of every request, in order. */
  readonly requests: string[] = [];
  /** Bytes after which the line is cut, one a PATCH; then PATCHes go through. */
  readonly cutUploads: number[] = [];
  /** The same for the content of deliveries. */
  readonly cutContents: number[] = [];
  readonly faults: Fault[] = [];
  /** What a complete transfer becomes. */
  outcome: { state: string; reasons: string[] } = { state: 'ready', reasons: [] };
  /** Bytes of each content that went out. */
  readonly ranges: string[] = [];
  url = '';
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<ExchangeDouble> {
    const server = createServer();
    const double = new ExchangeDouble(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // Kept here: a request that is left in the middle of its body lets go of its socket.
      const { socket } = request;
      double.#answer(request, response).catch(() => socket.destroy());
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    double.url = `http://127.0.0.1:${(server.address() as AddressInfo).port.toString()}`;
    return double;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  /** Answers the next request for `route` (a beginning, as in 'PUT /v1/transfers/') with this problem. */
  failOnce(route: string, status: number, headers: Record<string, string> = {}, code = 'SLUIS_TEST'): void {
    this.faults.push((_, response, asked) => {
      if (!asked.startsWith(route)) return false;
      problem(response, status, code, 'as the test wants it', headers);
      return true;
    });
  }

  /** Cuts the line of the next request for `route` before anything is answered. */
  cutOnce(route: string): void {
    this.faults.push((request, _, asked) => {
      if (!asked.startsWith(route)) return false;
      request.socket.destroy();
      return true;
    });
  }

  /** Puts a delivery into the inbox. */
  offer(items: readonly (OfferedItem | OfferedReport)[]): DoubleDelivery {
    const parts: Buffer[] = [];
    let offset = 0;
    const listed = items.map(({ content, ...item }) => {
      const type = 'report' in item ? item.report : 'application/dicom';
      const head = Buffer.from(`--b\r\nContent-Type: ${type}\r\n\r\n`);
      const at = offset + head.length;
      parts.push(head, Buffer.from(content), Buffer.from('\r\n'));
      offset = at + content.length + 2;
      return {
        ...('report' in item
          ? { report: { mediaType: item.report } }
          : { ...item, seriesInstanceUid: '1.2' }),
        offset: at,
        bytes: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
        crc32: '00000000',
      };
    });
    parts.push(Buffer.from('--b--\r\n'));
    const delivery: DoubleDelivery = {
      id: randomUUID(),
      transfer: randomUUID(),
      etag: `"${randomUUID()}"`,
      items: listed,
      content: Buffer.concat(parts),
      acknowledged: undefined,
    };
    this.deliveries.push(delivery);
    return delivery;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const route = `${request.method ?? ''} ${url.pathname}`;
    this.requests.push(route);
    const fault = this.faults.findIndex((one) => one(request, response, route));
    if (fault >= 0) {
      this.faults.splice(fault, 1);
      return;
    }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      problem(response, 401, 'SLUIS_ACCESS_UNAUTHORIZED', 'the token is not known');
      return;
    }
    const [, , kind, id = '', rest] = url.pathname.split('/');
    if (kind === 'transfers') await this.#transfer(request, response, id, rest);
    else if (kind === 'uploads') await this.#upload(request, response, id);
    else if (kind === 'mailboxes') this.#inbox(response);
    else if (kind === 'deliveries') await this.#delivery(request, response, id, rest);
    else problem(response, 404, 'SLUIS_HTTP_NOT_FOUND', 'there is nothing here');
  }

  async #transfer(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    rest: string | undefined,
  ): Promise<void> {
    if (request.method === 'POST') {
      const body = (await bodyOf(request)).toString();
      const key = String(request.headers['idempotency-key']);
      const known = this.transfers.find((one) => one.key === key);
      if (known !== undefined && known.body !== body) {
        problem(response, 422, 'SLUIS_IDEMPOTENCY_KEY_REUSED', 'another request had this key');
        return;
      }
      const order = JSON.parse(body) as Record<string, unknown>;
      const made = {
        id: randomUUID(),
        key,
        body,
        order,
        manifest: undefined,
        state: 'receiving',
        reasons: [],
      };
      if (known === undefined) this.transfers.push(made);
      json(response, known === undefined ? 201 : 200, { id: (known ?? made).id });
      return;
    }
    if (id === '') {
      json(response, 200, { items: this.transfers.map((one) => this.#view(one)), next: null });
      return;
    }
    const transfer = this.transfers.find((one) => one.id === id);
    if (transfer === undefined) {
      problem(response, 404, 'SLUIS_TRANSFER_UNKNOWN', 'no transfer of yours has that id');
    } else if (rest === 'manifest') {
      const sealed = JSON.parse((await bodyOf(request)).toString()) as Partial<DoubleManifest>;
      transfer.manifest = { instances: [], reports: [], ...sealed };
      json(response, 200, this.#view(transfer));
    } else {
      json(response, 200, this.#view(transfer));
    }
  }

  #view(transfer: DoubleTransfer): Record<string, unknown> {
    const uploads = this.uploads.filter((one) => one.transfer === transfer.id);
    if (transfer.state === 'receiving' && uploads.some((one) => one.bytes.length === one.length)) {
      Object.assign(transfer, this.outcome);
    }
    const { instances, reports } = transfer.manifest ?? { instances: [], reports: [] };
    const setAside = uploads.flatMap((one) => one.setAside);
    return {
      id: transfer.id,
      state: transfer.state,
      reasons: transfer.reasons,
      from: transfer.order.from,
      to: transfer.order.to,
      instances: instances.length,
      reports: reports.length,
      bytes: [...instances, ...reports].reduce((sum, { bytes }) => sum + bytes, 0),
      setAside: { count: setAside.length, items: setAside },
      // Of what was not sent to its end nothing is queued.
      deliveries: (transfer.state === 'expired' ? [] : ['north']).map((mailbox) => ({
        id: transfer.id,
        mailbox,
        state: 'queued',
        delivered: 0,
        of: 3,
        attempts: 2,
        lastOutcome: 'the receiver answered 503',
        receipt: null,
      })),
      uploads: uploads.map(({ id, length, bytes }) => ({
        id,
        location: `/v1/uploads/${id}`,
        bytes: length,
        offset: bytes.length,
        state: 'receiving',
      })),
    };
  }

  async #upload(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
    if (request.method === 'POST') {
      const metadata = new Map(
        String(request.headers['upload-metadata'])
          .split(',')
          .map((pair) => {
            const [key = '', value = ''] = pair.split(' ');
            return [key, Buffer.from(value, 'base64').toString()];
          }),
      );
      const made = {
        id: randomUUID(),
        transfer: metadata.get('transfer') ?? '',
        filetype: metadata.get('filetype') ?? '',
        length: Number(request.headers['upload-length']),
        bytes: Buffer.alloc(0),
        setAside: [],
      };
      this.uploads.push(made);
      response.writeHead(201, { location: `http://elsewhere.example/v1/uploads/${made.id}` }).end();
      return;
    }
    const upload = this.uploads.find((one) => one.id === id);
    if (upload === undefined) {
      problem(response, 404, 'SLUIS_UPLOAD_NOT_FOUND', 'there is no such upload');
      return;
    }
    if (request.method === 'PATCH') {
      if (Number(request.headers['upload-offset']) !== upload.bytes.length) {
        problem(response, 409, 'SLUIS_UPLOAD_OFFSET_CONFLICT', 'the upload is elsewhere');
        return;
      }
      await this.#take(request, upload, this.cutUploads.shift() ?? Number.POSITIVE_INFINITY);
      const isWhole = upload.bytes.length === upload.length;
      if (isWhole) upload.setAside = await setAsideOf(upload.filetype, upload.bytes);
    }
    const headers = { 'upload-offset': upload.bytes.length, 'upload-length': upload.length };
    response.writeHead(request.method === 'PATCH' ? 204 : 200, headers).end();
  }

  async #take(request: IncomingMessage, upload: DoubleUpload, most: number): Promise<void> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of request) {
      const taken = (piece as Buffer).subarray(0, most - bytes);
      pieces.push(taken);
      bytes += taken.length;
      if (bytes >= most) break;
    }
    upload.bytes = Buffer.concat([upload.bytes, ...pieces]);
    if (bytes >= most) throw new Error('cut');
  }

  #inbox(response: ServerResponse): void {
    const items = this.deliveries
      .filter(({ acknowledged }) => acknowledged === undefined)
      .map(({ id, transfer, items: { length }, content }) => ({
        delivery: id,
        transfer,
        from: 'south',
        priority: 'routine',
        instances: length,
        bytes: content.length,
      }));
    json(response, 200, { items, next: null });
  }

  async #delivery(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    rest: string | undefined,
  ): Promise<void> {
    const delivery = this.deliveries.find((one) => one.id === id);
    if (delivery === undefined) {
      problem(response, 404, 'SLUIS_DELIVERY_UNKNOWN', 'no delivery of yours has that id');
    } else if (rest === 'acknowledge') {
      delivery.acknowledged = JSON.parse((await bodyOf(request)).toString());
      json(response, 200, { id, state: 'confirmed' });
    } else if (rest === 'content') {
      await this.#content(request, response, delivery);
    } else {
      const { transfer, etag, items, content } = delivery;
      json(response, 200, {
        id,
        transfer,
        mailbox: 'north',
        state: 'queued',
        etag,
        bytes: content.length,
        items,
      });
    }
  }

  async #content(
    request: IncomingMessage,
    response: ServerResponse,
    { content, etag }: DoubleDelivery,
  ): Promise<void> {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/u.exec(request.headers.range ?? '') ?? [];
    const ranged = first !== undefined && request.headers['if-range'] === etag;
    const [start, end] = ranged ? [Number(first), Number(last) + 1] : [0, content.length];
    this.ranges.push(`${start.toString()}-${end.toString()}`);
    const part = content.subarray(start, end);
    response.writeHead(ranged ? 206 : 200, {
      etag,
      'content-length': part.length,
      ...(ranged
        ? {
            'content-range': `bytes ${start.toString()}-${(end - 1).toString()}/${content.length.toString()}`,
          }
        : {}),
    });
    const most = this.cutContents.shift();
    if (most === undefined) {
      response.end(part);
      return;
    }
    await new Promise((sent) => response.write(part.subarray(0, most), sent));
    request.socket.end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
    .end(JSON.stringify({ code, title: 'Problem', detail, status }));
}
