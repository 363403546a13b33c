import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TempFolder } from '../support/temp-folder.ts';
import { ExchangeDouble } from './exchange-double.ts';
import { openSending, type Sending } from './open-double.ts';

let folder: TempFolder;
let exchange: ExchangeDouble;
let close: () => Promise<void>;
let study: Sending['study'];
let sendPaths: Sending['send'];

beforeEach(async () => {
  ({ folder, exchange, close, study, send: sendPaths } = await openSending(3, 300_000));
});

afterEach(() => close());

/** The study, unless the arguments name something else in the folder. */
async function send(...args: string[]) {
  const paths = args.some((arg) => arg.startsWith(folder.path) && !arg.endsWith('.txt'))
    ? []
    : [folder.file('study')];
  return sendPaths(...args, ...paths);
}

/** The instances in a package, by their bytes alone. */
function holdsOnce(content: Buffer, part: Buffer): boolean {
  const at = content.indexOf(part);
  return at >= 0 && content.indexOf(part, at + 1) < 0;
}

async function expectWhole(): Promise<void> {
  const [upload] = exchange.uploads.filter(({ bytes, length }) => bytes.length === length);
  expect(upload).toBeDefined();
  for (const { path } of study) {
    expect(holdsOnce(upload?.bytes ?? Buffer.alloc(0), await readFile(path))).toBe(true);
  }
}

describe('sluis send', () => {
  it('sends a folder as one package with its manifest and says how to follow it', async () => {
    const { code, out } = await send('--priority', 'urgent', '--remark', 'please look at the left knee');
    expect(code).toBe(0);
    const [transfer] = exchange.transfers;
    expect(transfer?.order).toEqual({
      from: 'south',
      to: ['north'],
      priority: 'urgent',
      remark: 'please look at the left knee',
    });
    expect(exchange.uploads).toHaveLength(1);
    expect(exchange.uploads[0]?.filetype).toMatch(
      /^multipart\/related; type="application\/dicom"; boundary=sluis-/u,
    );
    await expectWhole();
    for (const { path, sopInstanceUid, bytes } of study) {
      const sha256 = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      expect(transfer?.manifest?.instances).toContainEqual({ sopInstanceUid, bytes, sha256 });
    }
    expect(out.split('\n')).toHaveLength(2);
    expect(out).toContain(`sluis transfers show ${transfer?.id ?? ''}`);
    expect(out).toContain('3 instances');
  });

  it('goes on from the byte that the exchange has when the line is cut, again and again', async () => {
    exchange.cutUploads.push(100_000, 1, 400_000);
    const { code, out, err } = await send();
    expect(code).toBe(0);
    await expectWhole();
    expect(exchange.uploads).toHaveLength(1);
    expect(exchange.requests.filter((one) => one.startsWith('PATCH'))).toHaveLength(4);
    expect(err).toContain('Trying again');
    expect(out).toMatch(/\d+\.\d % of it twice/u);
  });

  it('goes on with the same transfer and upload when it is run again after it was ended', async () => {
    exchange.cutUploads.push(500_000);
    let heads = 0;
    exchange.faults.push((_, response, route) => {
      if (!route.startsWith('HEAD')) return false;
      heads += 1;
      if (heads < 2) return false;
      response.writeHead(403).end();
      return true;
    });
    expect((await send()).code).toBe(1);
    expect(exchange.uploads[0]?.bytes).toHaveLength(500_000);

    expect((await send()).code).toBe(0);
    expect(exchange.transfers).toHaveLength(1);
    expect(exchange.uploads).toHaveLength(1);
    await expectWhole();
  });

  it('asks where the exchange stands when another offset is true than it thought', async () => {
    exchange.failOnce('PATCH', 409);
    expect((await send()).code).toBe(0);
    await expectWhole();
  });

  it.each([
    ['POST /v1/transfers', 503],
    ['PUT /v1/transfers', 500],
    ['POST /v1/uploads', 502],
    ['HEAD /v1/uploads', 503],
    ['PATCH /v1/uploads', 423],
    ['GET /v1/transfers', 429],
    ['POST /v1/uploads', 429],
    ['PATCH /v1/uploads', 460],
  ])('tries %s again when it is answered with %i', async (route, status) => {
    exchange.failOnce(route, status, { 'retry-after': '0' });
    const { code, err } = await send();
    expect(code).toBe(0);
    expect(err).toContain('Trying again');
    expect(exchange.transfers).toHaveLength(1);
    await expectWhole();
  });

  it.each(['POST /v1/transfers', 'PUT /v1/transfers', 'POST /v1/uploads', 'GET /v1/transfers'])(
    'makes nothing twice when the line is cut during %s',
    async (route) => {
      exchange.cutOnce(route);
      expect((await send()).code).toBe(0);
      expect([exchange.transfers.length, exchange.uploads.length]).toEqual([1, 1]);
      await expectWhole();
    },
  );

  it('waits as long as the exchange asks with Retry-After', async () => {
    exchange.failOnce('PUT /v1/transfers', 503, { 'retry-after': '2' });
    const { code, err } = await send();
    expect(code).toBe(0);
    expect(err).toContain('Trying again in 2 s');
  });

  it('takes its token to no other host, however a location is written', async () => {
    const elsewhere = await ExchangeDouble.open();
    exchange.faults.push((_, response, route) => {
      if (!route.startsWith('POST /v1/uploads')) return false;
      response.writeHead(201, { location: `http://x//${new URL(elsewhere.url).host}/v1/uploads/1` }).end();
      return true;
    });
    try {
      expect((await send()).code).toBe(0);
      expect(elsewhere.requests).toEqual([]);
      await expectWhole();
    } finally {
      await elsewhere.close();
    }
  });

  it('begins a new upload when the exchange lost the one it had', async () => {
    exchange.cutUploads.push(200_000);
    exchange.faults.push((_, response, route) => {
      if (!route.startsWith('HEAD') || exchange.uploads[0]?.bytes.length === 0) return false;
      exchange.uploads.splice(0, 1);
      response.writeHead(410).end();
      return true;
    });
    expect((await send()).code).toBe(0);
    expect(exchange.requests.filter((one) => one === 'POST /v1/uploads')).toHaveLength(2);
    await expectWhole();
  });

  it('sends nothing twice that is already complete, and says so', async () => {
    await send();
    const { code, out } = await send();
    expect(code).toBe(0);
    expect(out).toContain('nothing was left to send');
    expect(exchange.requests.filter((one) => one.startsWith('PATCH'))).toHaveLength(1);
  });

  it.each([
    ['held', 'PATIENT_MIXED', 'more than one patient'],
    ['rejected', 'UNREADABLE', 'cannot be read'],
  ])('ends with 3 and the reason in words when the exchange has it %s', async (state, code, words) => {
    exchange.outcome = { state, reasons: [code] };
    const sent = await send();
    expect(sent.code).toBe(3);
    expect(sent.err).toContain(code);
    expect(sent.err).toContain(words);
  });

  it('makes a new transfer with --again only when the last one has ended', async () => {
    exchange.outcome = { state: 'failed', reasons: [] };
    const failed = await send();
    expect(failed.code).toBe(3);
    expect(failed.err).toContain('--again');

    exchange.outcome = { state: 'ready', reasons: [] };
    expect((await send()).code).toBe(3);
    expect((await send('--again')).code).toBe(0);
    expect((await send('--again')).code).toBe(0);
    expect(exchange.transfers).toHaveLength(2);
  });

  it('sends anew what expired before it was sent to its end', async () => {
    exchange.outcome = { state: 'expired', reasons: [] };
    expect((await send()).code).toBe(3);
    exchange.outcome = { state: 'ready', reasons: [] };
    const { code, err } = await send();
    expect(code).toBe(0);
    expect(err).toContain('it is sent anew');
    expect(exchange.transfers.map(({ state }) => state)).toEqual(['expired', 'ready']);
  });

  it('stays until the delivery with --wait', async () => {
    let looks = 0;
    exchange.faults.push((_, __, route) => {
      if (!route.startsWith('GET /v1/transfers/') || exchange.transfers[0]?.state !== 'ready') return false;
      looks += 1;
      if (looks === 2) exchange.transfers[0].state = 'delivered';
      return false;
    });
    const { code, out } = await send('--wait');
    expect(code).toBe(0);
    expect(out).toContain('is delivered');
  });

  it('prints the final record as JSON', async () => {
    const { out } = await send('--json');
    const record = JSON.parse(out) as Record<string, unknown>;
    expect(record).toMatchObject({ state: 'ready', instances: 3, sent: { twice: 0 } });
    expect(record.deliveries).toMatchObject([{ attempts: 2, receipt: null }]);
  });

  it('sends the BSN in the body of one request and nowhere else', async () => {
    await writeFile(folder.file('bsn.txt'), ' 999990019 \n');
    const seen: string[] = [];
    exchange.faults.push((request) => {
      seen.push(`${request.url ?? ''} ${JSON.stringify(request.headers)}`);
      return false;
    });
    const { code, out, err } = await send('--bsn-file', folder.file('bsn.txt'));
    expect(code).toBe(0);
    expect(exchange.transfers[0]?.order.patient).toEqual({ bsn: '999990019', bsnStatus: 'unverified' });
    expect(seen.length).toBeGreaterThan(5);
    expect([...seen, out, err].join(' ')).not.toContain('999990019');
  });

  it('says what is wrong when the same files go with another BSN', async () => {
    await writeFile(folder.file('bsn.txt'), '999990019');
    await send('--bsn-file', folder.file('bsn.txt'));
    await writeFile(folder.file('bsn.txt'), '999990020');
    const { code, err } = await send('--bsn-file', folder.file('bsn.txt'));
    expect(code).toBe(1);
    expect(err).toContain('another BSN');
    expect(exchange.transfers).toHaveLength(1);
  });

  it('gives up after the time without progress that it is allowed, and says how to go on', async () => {
    await exchange.close();
    const { code, err } = await send('--give-up-after', '1');
    expect(code).toBe(1);
    expect(err).toContain('no progress for 1 s');
    expect(err).toContain('run the same command again');
  });

  it('does not try again what cannot help, and never shows the token', async () => {
    await writeFile(folder.file('token'), 'another-token');
    const { code, err } = await send();
    expect(code).toBe(1);
    expect(err).toContain('--token-file');
    expect(err).not.toContain('another-token');
    expect(exchange.requests).toHaveLength(1);
  });

  it('keeps what an exchange says from moving the cursor', async () => {
    exchange.faults.push((_, response) => {
      response.writeHead(400).end(JSON.stringify({ code: 'SLUIS_X', detail: 'no\u001b[2J\u0007thing' }));
      return true;
    });
    const { err } = await send();
    expect(err).toContain('SLUIS_X');
    expect(err).not.toContain('\u001b');
  });
});

describe('what sluis send takes', () => {
  it('names and leaves out what is no instance in a folder', async () => {
    await writeFile(folder.file('study', 'readme.txt'), 'viewer instructions');
    await writeFile(folder.file('study', '.hidden'), 'x');
    await writeFile(folder.file('study', 'Thumbs.db'), 'x');
    await writeFile(folder.file('study', 'DICOMDIR'), 'x');
    const { code, err } = await send();
    expect(code).toBe(0);
    for (const name of ['readme.txt', '.hidden', 'Thumbs.db', 'DICOMDIR']) expect(err).toContain(name);
    expect(exchange.transfers[0]?.manifest?.instances).toHaveLength(3);
  });

  it('refuses a named file that is neither DICOM nor a report, before anything is sent', async () => {
    await mkdir(folder.file('other'));
    await writeFile(folder.file('other', 'letter.doc'), 'dear colleague');
    const { code, err } = await send(folder.file('other', 'letter.doc'), folder.file('study'));
    expect(code).toBe(1);
    expect(err).toContain('letter.doc: a document of a kind that is not taken');
    expect(exchange.requests).toEqual([]);
  });

  it('refuses a truncated file, unless it is forced to send it as it is', async () => {
    const [first] = study;
    const whole = await readFile(first?.path ?? '');
    await writeFile(first?.path ?? '', whole.subarray(0, -1000));
    const { code, err } = await send();
    expect(code).toBe(1);
    expect(err).toContain('truncated');
    expect(err).toContain('--force');
    expect(exchange.requests).toEqual([]);

    expect((await send('--force')).code).toBe(0);
    await expectWhole();
  });

  it('sends the same instance once and refuses another one of its name', async () => {
    const [first] = study;
    await copyFile(first?.path ?? '', folder.file('study', 'copy.dcm'));
    const twins = await send();
    expect(twins.code).toBe(0);
    expect(twins.err).toContain('the same instance');
    expect(exchange.transfers[0]?.manifest?.instances).toHaveLength(3);

    const changed = await readFile(first?.path ?? '');
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    await writeFile(folder.file('study', 'copy.dcm'), changed);
    const different = await send();
    expect(different.code).toBe(1);
    expect(different.err).toContain('one SOP Instance UID');
  });

  it('stops when a file changes between reading and sending', async () => {
    exchange.faults.push((_, __, route) => {
      if (!route.startsWith('POST /v1/uploads')) return false;
      appendFileSync(study[1]?.path ?? '', Buffer.alloc(2));
      return false;
    });
    const { code, err } = await send();
    expect(code).toBe(1);
    expect(err).toContain(study[1]?.fileName);
    expect(exchange.uploads.every(({ bytes, length }) => bytes.length < length)).toBe(true);
  });

  it('says so when there is nothing to send', async () => {
    await mkdir(folder.file('empty'));
    const { code, err } = await send(folder.file('empty'));
    expect(code).toBe(1);
    expect(err).toContain('no DICOM instance');
  });
});
