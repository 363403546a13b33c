import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { scan } from '../../src/dicom/scan.ts';

/** How one STOW request is answered. Without anything: all is stored, 200, and the answer says so. */
export interface Plan {
  /** Which instances are stored, and named as stored. */
  readonly stores?: (uid: string) => boolean;
  /** UID → failure reason, for the list of failed instances; those that are not stored are in no list else. */
  readonly fails?: Readonly<Record<string, unknown>>;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the answer that says what was stored. */
  readonly body?: string;
  /** `before-reading`: nothing is read or answered. `after-reading`: stored, then the line is cut. */
  readonly cut?: 'before-reading' | 'after-reading';
  /** Neither reads nor answers. */
  readonly stalls?: boolean;
  /** Answers late, after the whole body. */
  readonly answersAfterMs?: number;
  /** Answers only then, after the whole body. */
  readonly answersAfter?: Promise<void>;
  /** Begins an answer and never ends it: a blank now and then. */
  readonly trickles?: boolean;
}

/** A STOW-RS and QIDO-RS server on a real socket that does what a test wants. */
export interface Pacs {
  readonly url: string;
  readonly port: number;
  /** What it holds: SOP Instance UID → bytes. */
  readonly held: Map<string, Buffer>;
  /** SOP Instance UIDs of every request that was read to its end. */
  readonly requests: string[][];
  /** Requests that arrived, read or not. */
  readonly posts: number;
  /** SOP Instance UIDs it was asked for. */
  readonly questions: string[];
  readonly heads: IncomingMessage['headers'][];
  /** The way of the next requests; the number counts from 0. */
  plan: (uids: readonly string[], request: number) => Plan;
  /** QIDO answers this status instead of its answer; null when it works. */
  qidoStatus: number | null;
  /** QIDO answers 200 and this text; null when it works. */
  qidoBody: string | null;
  /** QIDO begins its answers and never ends them. */
  qidoTrickles: boolean;
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export async function openPacs(): Promise<Pacs> {
  const held = new Map<string, Buffer>();
  const sockets = new Set<Socket>();
  let posts = 0;
  let port = 0;
  const server = createServer((request, response) => {
    const done = request.method === 'POST' ? store(request, response) : answerQuestion(request, response);
    done.catch(() => request.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });

  const store = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const number = posts++;
    pacs.heads.push(request.headers);
    const early = pacs.plan([], number);
    if (early.stalls === true) return;
    if (early.cut === 'before-reading') {
      request.socket.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const instances = partsOf(request.headers['content-type'] ?? '', Buffer.concat(chunks));
    const uids = [...instances.keys()];
    pacs.requests.push(uids);
    const plan = pacs.plan(uids, number);
    const stored = uids.filter((uid) => plan.stores?.(uid) ?? true);
    for (const uid of stored) held.set(uid, instances.get(uid) ?? Buffer.alloc(0));
    if (plan.cut === 'after-reading') {
      request.socket.destroy();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, plan.answersAfterMs ?? 0));
    await plan.answersAfter;
    if (plan.trickles === true) {
      trickle(response);
      return;
    }
    const headers = { 'Content-Type': 'application/dicom+json', ...plan.headers };
    response.writeHead(plan.status ?? 200, headers).end(plan.body ?? answerOf(stored, plan.fails ?? {}));
  };

  const answerQuestion = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const uid = new URL(request.url ?? '', 'http://pacs').searchParams.get('SOPInstanceUID') ?? '';
    pacs.questions.push(uid);
    if (pacs.qidoTrickles) trickle(response);
    else if (pacs.qidoBody !== null) response.writeHead(200).end(pacs.qidoBody);
    else if (pacs.qidoStatus !== null) response.writeHead(pacs.qidoStatus).end();
    else if (!held.has(uid)) response.writeHead(204).end();
    else response.writeHead(200).end(JSON.stringify([{ '00080018': { vr: 'UI', Value: [uid] } }]));
    await once(response, 'close');
  };

  const up = async (): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    // Listening on an IP address and port, the address is an object.
    port = (server.address() as AddressInfo).port;
  };
  const down = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const pacs: Pacs = {
    get url() {
      return `http://127.0.0.1:${port}/dicom-web/`;
    },
    get port() {
      return port;
    },
    get posts() {
      return posts;
    },
    held,
    requests: [],
    questions: [],
    heads: [],
    plan: () => ({}),
    qidoStatus: null,
    qidoBody: null,
    qidoTrickles: false,
    up,
    down,
    close: down,
  };
  await up();
  return pacs;
}

function trickle(response: ServerResponse): void {
  response.writeHead(200);
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
}

function partsOf(contentType: string, body: Buffer): Map<string, Buffer> {
  const boundary = /boundary="?([^";]+)/.exec(contentType)?.[1] ?? '';
  const instances = new Map<string, Buffer>();
  for (let at = 0; ; ) {
    const head = body.indexOf('\r\n\r\n', at);
    const lines = body.subarray(at, head).toString('latin1');
    if (head < 0 || !lines.startsWith(`--${boundary}\r\n`)) break;
    const length = Number(/content-length: *(\d+)/i.exec(lines)?.[1]);
    const bytes = body.subarray(head + 4, head + 4 + length);
    const found = scan(bytes, bytes.byteLength);
    if ('need' in found) throw new Error('an instance ends within its head');
    instances.set(found.sopInstanceUid, Buffer.from(bytes));
    at = head + 4 + length + 2;
  }
  if (!body.toString('latin1').endsWith(`\r\n--${boundary}--\r\n`)) throw new Error('the package has no end');
  return instances;
}

function answerOf(stored: readonly string[], fails: Readonly<Record<string, unknown>>): string {
  const uidOf = (uid: string) => ({ '00081155': { vr: 'UI', Value: [uid] } });
  const failed = Object.entries(fails).map(([uid, reason]) => ({
    ...uidOf(uid),
    '00081197': { vr: 'US', Value: [reason] },
  }));
  return JSON.stringify({
    ...(stored.length === 0 ? {} : { '00081199': { vr: 'SQ', Value: stored.map(uidOf) } }),
    ...(failed.length === 0 ? {} : { '00081198': { vr: 'SQ', Value: failed } }),
  });
}
