import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExchangeProcess } from '../e2e/exchange-process.ts';
import { type Call, Strace } from '../support/strace.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { pattern } from '../upload/engine.ts';
import { patchType, type Reply, send } from '../upload/tus-client.ts';

const calls = 'openat,fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg';
/** fcntl.h: what is written to it is on the disk when the call returns. */
const O_DSYNC = 0o10000;

/** For the power cut that nobody can try here: the order of what the program asks of the system. */
describe.each(['uws', 'node-http'] as const)('with %s, what is acknowledged is on the disk:', (listener) => {
  let folder: TempFolder;
  let exchange: ExchangeProcess;
  let trace: Call[];
  let replies: Reply[];

  beforeEach(async () => {
    folder = await openTempFolder('sluis-strace');
    const mailbox = { id: 'sender', receiving: { by: 'pull' }, dialect: 'none' } as const;
    exchange = await ExchangeProcess.start(folder.path, [mailbox], { http: { listener } });
    const token = readFileSync(exchange.tokenFile('sender'), 'utf8').trim();
    const usual = { Authorization: `Bearer ${token}`, 'Tus-Resumable': '1.0.0' };
    const strace = await Strace.attach(exchange.pid, calls, folder.file('trace'));
    const bytes = pattern(3_000_000);
    const created = await send(exchange.port, {
      ...{ method: 'POST', path: '/v1/uploads' },
      headers: { ...usual, 'Upload-Length': String(bytes.byteLength) },
    });
    replies = [];
    for (let offset = 0; offset < bytes.byteLength; offset += 500_000) {
      replies.push(
        await send(exchange.port, {
          ...{ method: 'PATCH', path: created.headers.location ?? '' },
          headers: { ...usual, 'Content-Type': patchType, 'Upload-Offset': String(offset) },
          body: bytes.subarray(offset, offset + 500_000),
        }),
      );
    }
    // LMDB writes what makes a commit count through a file of its own that syncs each write.
    const commits = /^pwrite64\((\d+)<[^>]*data\.mdb>/;
    trace = await strace.stop();
    for (const fd of new Set(trace.filter(isMeta).map(({ text }) => commits.exec(text)?.[1] ?? ''))) {
      const info = readFileSync(`/proc/${exchange.pid.toString()}/fdinfo/${fd}`, 'latin1');
      expect(Number.parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? '0', 8) & O_DSYNC).toBe(O_DSYNC);
    }
  });
  afterEach(async () => {
    await exchange?.stop();
    await folder?.remove();
  });

  const isObject = ({ text }: Call): boolean => text.includes('/objects/');
  const isRecords = ({ text }: Call): boolean => text.includes('data.mdb');
  /** The two pages at the begin of which the newer one counts; only so much of them is written. */
  const isMeta = (call: Call): boolean =>
    call.name === 'pwrite64' && isRecords(call) && / = 128$/.test(call.text);
  const of =
    (...names: string[]) =>
    ({ name }: Call): boolean =>
      names.includes(name);
  const answers = (status: string): Call[] =>
    trace
      .filter(of('sendto', 'write', 'writev', 'sendmsg'))
      .filter(({ text }) => text.includes(`HTTP/1.1 ${status}`));

  it('the bytes, then the record, then the answer, for every 204', () => {
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 204));
    const told = answers('204');
    expect(told).toHaveLength(replies.length);
    let since = answers('201')[0]?.end ?? 0;
    for (const answer of told) {
      const between = trace.filter(({ begin, end }) => begin > since && end < answer.begin);
      const writes = between.filter(of('pwrite64', 'pwritev')).filter(isObject);
      const synced = between.filter(of('fdatasync')).filter(isObject).at(-1);
      const records = between.filter(of('pwrite64', 'pwritev')).filter(isRecords);
      const recorded = between.filter(of('fdatasync')).filter(isRecords).at(-1);
      const counts = between.filter(isMeta).at(-1);
      expect(writes.length).toBeGreaterThan(0);
      expect(Math.max(...writes.map(({ end }) => end))).toBeLessThan(synced?.begin ?? 0);
      // Of the commit behind the last sync.
      const first = records.find(({ begin }) => begin > (synced?.end ?? Number.POSITIVE_INFINITY));
      expect(first).toBeDefined();
      expect(first?.begin).toBeLessThan(recorded?.begin ?? 0);
      expect(recorded?.end).toBeLessThan(counts?.begin ?? 0);
      expect(counts?.end).toBeLessThan(answer.begin);
      since = answer.end;
    }
  });

  it("a new upload's file, its folder and its record, then the 201", () => {
    const [answer] = answers('201');
    const before = trace.filter(({ end }) => end < (answer?.begin ?? 0));
    const made = before.find((call) => of('openat')(call) && isObject(call) && call.text.includes('O_CREAT'));
    const [file, bucket] = before.filter(of('fsync')).filter(isObject);
    const counts = before.filter(isMeta).at(-1);
    expect(made?.end).toBeLessThan(file?.begin ?? 0);
    expect(file?.text).toMatch(/\/objects\/[0-9a-f]{2}\/u-[0-9a-f-]+>\) += 0$/);
    expect(bucket?.text).toMatch(/\/objects\/[0-9a-f]{2}>\) += 0$/);
    expect(file?.end).toBeLessThan(bucket?.begin ?? 0);
    expect(bucket?.end).toBeLessThan(counts?.begin ?? 0);
  });
});
