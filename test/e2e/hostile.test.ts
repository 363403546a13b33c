import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../http/kinds.ts';
import { startProgram } from '../support/processes.ts';
import { generateStudy } from '../support/study/study.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeProcess } from './exchange-process.ts';
import { Garbage, randomOf } from './garbage.ts';
import { RawClient } from './raw-client.ts';

/** How long garbage is thrown; a soak sets more. */
const garbageSeconds = Number(process.env.HOSTILE_SECONDS ?? 2);
const throwers = 8;
/** Far above what any of this needs (about 100 MiB), far below what a body without a limit takes. */
const memoryBytesMax = 400 * 1024 * 1024;
const instancesMax = 200;

const mailboxes = ['sender', 'receiver', 'noise'].map((id) => ({
  ...{ id, receiving: { by: 'pull' } as const, dialect: 'none' as const },
}));
const boundary = 'B';
const related = `multipart/related; type="application/dicom"; boundary=${boundary}`;
const one = [...generateStudy({ modality: 'CT', instances: 3, bytesPerInstance: 4096, seed: 71 })].map(
  ({ bytes }) => Buffer.from(bytes),
);
const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = one;
const part = (data: Uint8Array | string, ...lines: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from(`--${boundary}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ]);
const sized = (data: Buffer): Buffer => part(data, `Content-Length: ${data.byteLength}`);
const close = Buffer.from(`--${boundary}--\r\n`);
const packageOf = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat([...parts, close]);
/** What nobody who sends something may bring about. */
const failed = /"(api|http|upload|follower)\.failed"/;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each(kinds)('whatever comes to the exchange by %s', (listener) => {
  let folder: TempFolder;
  let exchange: ExchangeProcess;
  let sender: RawClient;
  let receiver: RawClient;

  beforeAll(async () => {
    folder = await openTempFolder('sluis-hostile');
    const settings = { http: { listener }, transfer: { instancesMax } };
    exchange = await ExchangeProcess.start(folder.path, mailboxes, settings);
    sender = new RawClient(exchange, 'sender');
    receiver = new RawClient(exchange, 'receiver');
  });
  afterAll(async () => {
    // What garbage has left under way is not worth the ten seconds that a polite end waits for it.
    await exchange?.kill();
    await folder?.remove();
  });

  /** What became of a plain upload to the receiver. */
  const outcomeOf = async (bytes: Uint8Array, filetype = related) => {
    const metadata = { from: 'sender', to: 'receiver', filetype };
    expect((await sender.upload(bytes, { metadata })).status).toBe(201);
    for (let tries = 0; tries < 500; tries++) {
      const list = await sender.ask('GET', '/v1/transfers?limit=1');
      const [last] = list.json.items as { id: string; state: string }[];
      if (last !== undefined && last.state !== 'receiving') {
        const { json } = await sender.ask('GET', `/v1/transfers/${last.id}`);
        return json as { id: string; state: string; reasons: string[]; problems: { detail: string }[] };
      }
      await sleep(10);
    }
    throw new Error('the transfer was not decided');
  };
  it('fifty writers at one offset: at most one wins, the others learn where to go on, nothing is mixed', async () => {
    const bytes = 100_000;
    const { location } = await sender.upload(Buffer.alloc(0), { length: bytes });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => sender.patch(location, 0, Buffer.alloc(bytes, at + 1))),
    );
    const losers = answers.filter(({ status }) => status === 409);
    expect(answers.length - losers.length).toBeLessThanOrEqual(1);
    for (const { headers } of losers) expect(headers['upload-offset']).toMatch(/^\d+$/);
    const offset = await sender.offsetOf(location);
    if (offset < bytes) {
      expect((await sender.patch(location, offset, Buffer.alloc(bytes - offset, 99))).status).toBe(204);
    }
    const stored = (await sender.ask('GET', location)).body;
    expect(new Set(stored.subarray(0, offset)).size).toBe(1);
    expect(stored.byteLength).toBe(bytes);
  });

  it('a PATCH and a DELETE at once: the upload is gone, and neither fails', async () => {
    for (let round = 0; round < 10; round++) {
      const { location } = await sender.upload(Buffer.alloc(0), { length: 50_000 });
      const [patched, deleted] = await Promise.all([
        sender.patch(location, 0, Buffer.alloc(50_000, round)),
        sleep(round % 4).then(() => sender.tus('DELETE', location)),
      ]);
      expect([204, 404, 409]).toContain(patched.status);
      expect(deleted.status).toBe(204);
      expect((await sender.tus('HEAD', location)).status).toBe(404);
    }
  });

  it('ten megabytes cut in the middle go on at the last byte that arrived', async () => {
    const random = randomOf(5);
    const body = Buffer.from(Array.from({ length: 10_000_000 }, () => Math.floor(random() * 256)));
    const { location } = await sender.upload(Buffer.alloc(0), { length: body.byteLength });
    const socket = sender.open();
    const head = [
      `PATCH ${location} HTTP/1.1`,
      ...['Host: x', 'Tus-Resumable: 1.0.0', 'Upload-Offset: 0', `Content-Length: ${body.byteLength}`],
      ...[`Authorization: Bearer ${sender.token}`, 'Content-Type: application/offset+octet-stream'],
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    const cut = 5_432_109;
    await new Promise((sent) => socket.write(body.subarray(0, cut), sent));
    socket.destroySoon();
    let offset = 0;
    for (let tries = 0; tries < 300 && offset < cut; tries++) {
      await sleep(10);
      offset = await sender.offsetOf(location);
    }
    expect(offset).toBe(cut);
    expect((await sender.patch(location, offset, body.subarray(offset))).status).toBe(204);
    expect(sha256((await sender.ask('GET', location)).body)).toBe(sha256(body));
  });

  it('an upload is found under its own address only, and by its own organization only', async () => {
    const { location } = await sender.upload(Buffer.from('hello'));
    const id = location.slice('/v1/uploads/'.length);
    expect((await sender.tus('HEAD', `${location}?any=query`)).status).toBe(200);
    const others = [`../uploads/${id}`, `%2e%2e/uploads/${id}`, `${id}/`, `/${id}`, id.toUpperCase()];
    others.push(`%30${id.slice(1)}`, `..%2f..%2fetc%2fpasswd`, `${id}%00`, '%00', 'a'.repeat(8_000));
    for (const other of others) {
      expect((await sender.tus('HEAD', `/v1/uploads/${other}`)).status, other).toBe(404);
    }
    for (const method of ['HEAD', 'PATCH', 'DELETE', 'GET']) {
      const headers = { 'upload-offset': '5' };
      const got = await receiver.tus(method, location, {
        headers,
        ...(method === 'PATCH' ? { body: '' } : {}),
      });
      expect(got.status, method).toBe(404);
      expect(got.headers['upload-offset']).toBeUndefined();
    }
    const metadata = { from: 'sender', to: 'receiver' };
    const claimed = await sender.upload(Buffer.from('hel'), { length: 5, metadata });
    const refused = await sender.tus('DELETE', claimed.location);
    expect(refused).toMatchObject({ status: 403, json: { code: 'SLUIS_UPLOAD_CLAIMED' } });
  });

  it('addresses and bodies that nobody means are the fault of who sent them, never ours', async () => {
    const { json } = await sender.ask('POST', '/v1/transfers', {
      body: '{"from":"sender","to":["receiver"]}',
    });
    const names = [
      '.',
      '%2e%2e',
      '%00',
      '%ff',
      '%',
      'a'.repeat(2_500),
      'a'.repeat(8_000),
      '%EF%BF%BF',
      '__proto__',
    ];
    const digest = 'ab'.repeat(32);
    const bodies = [
      ...[
        '',
        'null',
        '[]',
        '"x"',
        '{"__proto__":1}',
        '{"instances":{}}',
        `{"items":[${'{},'.repeat(5_000)}{}]}`,
      ],
      `{"instances":[{"sopInstanceUid":"1.2","bytes":1e400,"sha256":"${digest}"}]}`,
      `{"items":${'['.repeat(200_000)}`,
    ];
    const asked = [
      ...names.flatMap((name) => [
        sender.ask('GET', `/v1/transfers/${name}`),
        sender.ask('GET', `/v1/deliveries/${name}`),
        sender.ask('GET', `/v1/deliveries/${name}/content`),
        sender.ask('GET', `/v1/mailboxes/${name}/inbox`),
        sender.ask('GET', `/v1/transfers?cursor=${name}`),
      ]),
      ...bodies.flatMap((body) => [
        sender.ask('POST', '/v1/transfers', { body }),
        sender.ask('PUT', `/v1/transfers/${String(json.id)}/manifest`, { body }),
        sender.ask('POST', `/v1/deliveries/${String(json.id)}/acknowledge`, { body }),
      ]),
    ];
    for (const got of await Promise.all(asked)) {
      expect([400, 403, 404, 409, 413]).toContain(got.status);
      expect(got.json.code).toMatch(/^SLUIS_/);
    }
    expect(exchange.log.filter((line) => line.includes('api.failed'))).toEqual([]);
  });

  it('a manifest of millions of empty objects is refused before they are made', async () => {
    const body = `{"instances":[${'{},'.repeat(10_000_000)}{}]}`;
    const got = await sender.ask('PUT', '/v1/transfers/x/manifest', { body });
    expect(got).toMatchObject({ status: 400, json: { code: 'SLUIS_REQUEST_INVALID' } });
  });

  it.each<[string, string, string, () => Buffer]>([
    ['without lengths', 'ready', '', () => packageOf(part(first), part(second))],
    ['with a preamble', 'ready', '', () => Buffer.concat([Buffer.from('hi\r\n'), packageOf(sized(first))])],
    [
      'with LF for line ends',
      'rejected',
      'ends before',
      () => Buffer.from(`--${boundary}\n\nx\n--${boundary}--\n`),
    ],
    [
      'with a delimiter in the data',
      'held',
      '',
      () => packageOf(part(first.subarray(0, 900)), sized(second)),
    ],
    [
      'with headers of 1 MB',
      'rejected',
      'headers',
      () => packageOf(part(first, `X: ${'a'.repeat(1_000_000)}`)),
    ],
    ['with a package inside', 'held', '', () => packageOf(sized(first), sized(packageOf(sized(second))))],
    ['with a length that lies', 'rejected', 'delimiter', () => packageOf(part(first, 'Content-Length: 7'))],
    ['of nothing', 'rejected', 'no part', () => close],
    ['that is a ZIP', 'rejected', 'boundary', () => Buffer.from('PK\x03\x04'.repeat(50_000))],
    [
      'of more parts than a transfer may have',
      'rejected',
      '',
      () => packageOf(...Array<Buffer>(1_000).fill(part('x'))),
    ],
    ['of 1,000 equal objects', 'ready', '', () => packageOf(...Array<Buffer>(1_000).fill(sized(first)))],
    [
      'of delimiters that are none',
      'rejected',
      'ends before',
      () => Buffer.concat([part(''), Buffer.alloc(2_000_000, `\r\n--${boundary}x`)]),
    ],
  ])('a package %s ends %s, and says why', async (_, state, why, make) => {
    const outcome = await outcomeOf(make());
    expect(outcome.state).toBe(state);
    expect(outcome.reasons.length > 0).toBe(state !== 'ready');
    if (why !== '') expect(outcome.problems.map(({ detail }) => detail).join()).toContain(why);
  });

  it('a package that ends at any byte is held or rejected, and never ready', async () => {
    const random = randomOf(11);
    const whole = packageOf(...one.map(sized));
    for (let round = 0; round < 25; round++) {
      const bytes = whole.subarray(0, Math.floor(random() * (whole.byteLength - 4)));
      const { state, reasons } = await outcomeOf(bytes);
      expect(['held', 'rejected'], bytes.byteLength.toString()).toContain(state);
      expect(reasons).toEqual(['PACKAGE_BROKEN']);
    }
  });

  it('long-polls that hang up leave nothing behind', async () => {
    const files = (): number => readdirSync(`/proc/${exchange.pid}/fd`).length;
    const before = files();
    const polls = Array.from({ length: 300 }, (_, at) => {
      const socket = receiver.open();
      const path = '/v1/mailboxes/noise/inbox?wait=60'.replace('noise', at % 2 === 0 ? 'receiver' : 'sender');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${receiver.token}\r\n\r\n`);
      return socket;
    });
    for (let tries = 0; tries < 200 && files() < before + 150; tries++) await sleep(10);
    expect(files()).toBeGreaterThanOrEqual(before + 150);
    for (const socket of polls) socket.destroy();
    for (let tries = 0; tries < 300 && files() > before + 5; tries++) await sleep(10);
    expect(files()).toBeLessThanOrEqual(before + 5);
  });

  it('studies go across whole while garbage is thrown, and the memory stays bounded', async () => {
    const noise = new RawClient(exchange, 'noise');
    const { location } = await noise.upload(Buffer.alloc(0), { length: 1_000_000 });
    const until = performance.now() + garbageSeconds * 1000;
    let thrown = 0;
    const throwing = Array.from({ length: throwers }, async (_, at) => {
      const garbage = new Garbage(noise, location, 100 + at);
      while (performance.now() < until) {
        await garbage.throwOne();
        thrown += 1;
      }
    });
    let round = 0;
    do await sendAndReceive(round++);
    while (performance.now() < until);
    await Promise.all(throwing);
    expect(thrown).toBeGreaterThan(100);
    expect(exchange.log.filter((line) => failed.test(line))).toEqual([]);
    expect((await sender.ask('GET', '/v1/transfers?limit=1')).status).toBe(200);
    expect(exchange.peakMemoryBytes).toBeLessThan(memoryBytesMax);
    if (process.env.HOSTILE_SECONDS !== undefined) {
      const mebibytes = Math.round(exchange.peakMemoryBytes / 1024 ** 2);
      console.log(`${listener}: ${thrown} pieces, ${round} studies, at most ${mebibytes} MiB`);
    }
  });

  const sendAndReceive = async (round: number): Promise<void> => {
    const [study, received] = [folder.file(`study-${round}`), folder.file(`received-${round}`)];
    await writeStudy(study, { modality: 'MR', instances: 6, bytesPerInstance: 60_000, seed: 900 + round });
    const run = async (...args: readonly string[]): Promise<void> => {
      const program = await startProgram([...args, '--server', exchange.server]);
      const { code } = await program.exited;
      expect(code, [...program.stdout, ...program.stderr].join('\n')).toBe(0);
    };
    const addresses = ['--from', 'sender', '--to', 'receiver'];
    await run('send', '--token-file', exchange.tokenFile('sender'), ...addresses, study);
    const box = ['--token-file', exchange.tokenFile('receiver'), '--mailbox', 'receiver'];
    await run('receive', ...box, '--out', received, '--once');
    const digests = (path: string): string[] =>
      readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.dcm'))
        .map((entry) => sha256(readFileSync(join(entry.parentPath, entry.name))));
    expect(digests(received)).toEqual(expect.arrayContaining(digests(study)));
  };
});

describe('whatever comes to @tus/server on our store', () => {
  it('is refused or taken, fails nothing, and an upload goes through meanwhile', async () => {
    const folder = await openTempFolder('sluis-hostile');
    const settings = { http: { listener: 'node-http' }, upload: { engine: 'tus-node-server' } };
    const exchange = await ExchangeProcess.start(folder.path, mailboxes, settings);
    try {
      const noise = new RawClient(exchange, 'noise');
      const sender = new RawClient(exchange, 'sender');
      // @tus/server takes no empty Upload-Metadata.
      const metadata = { filetype: 'application/dicom' };
      const { location } = await noise.upload(Buffer.alloc(0), { metadata, length: 1_000_000 });
      const until = performance.now() + garbageSeconds * 1000;
      const throwing = Array.from({ length: throwers }, async (_, at) => {
        const garbage = new Garbage(noise, location, 500 + at);
        while (performance.now() < until) await garbage.throwOne();
      });
      do {
        const made = await sender.upload(first, { metadata });
        expect(made.status).toBe(201);
        expect((await sender.ask('GET', made.location)).body.equals(first)).toBe(true);
        expect((await sender.tus('DELETE', made.location)).status).toBe(204);
      } while (performance.now() < until);
      await Promise.all(throwing);
      expect(exchange.log.filter((line) => failed.test(line))).toEqual([]);
      expect(exchange.peakMemoryBytes).toBeLessThan(memoryBytesMax);
    } finally {
      await exchange.kill();
      await folder.remove();
    }
  });
});
