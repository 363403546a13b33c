import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeliveryItem, NamedItem } from '../../src/cli/answers.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { namedItems } from '../../src/cli/item-names.ts';
import { StudyFolder } from '../../src/cli/study-folder.ts';
import type { TempFolder } from '../support/temp-folder.ts';
import type { ExchangeDouble, OfferedItem } from './exchange-double.ts';
import { openDouble } from './open-double.ts';
import { watchedTerminal } from './watched-terminal.ts';

const STUDY = '1.2.826.0.1.3680043.8.498.1';

let folder: TempFolder;
let exchange: ExchangeDouble;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ folder, exchange, close } = await openDouble());
});

afterEach(() => close());

async function receive(...args: string[]) {
  const watched = watchedTerminal({
    env: { SLUIS_SERVER: exchange.url, SLUIS_TOKEN_FILE: folder.file('token') },
  });
  const all = ['receive', '--mailbox', 'north', '--out', folder.file('in'), '--once', ...args];
  const code = await dispatch(all, watched.terminal);
  return { code, out: watched.out(), err: watched.err() };
}

/** Bytes that differ everywhere, so that a byte in the wrong place is seen. */
function noise(bytes: number, seed: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 32) {
    createHash('sha256').update(`${seed.toString()} ${at.toString()}`).digest().copy(content, at);
  }
  return content;
}

function instances(count: number, bytes = 100_000): OfferedItem[] {
  return Array.from({ length: count }, (_, index) => ({
    studyInstanceUid: STUDY,
    sopInstanceUid: `${STUDY}.${index.toString()}`,
    content: noise(bytes + index, index),
  }));
}

const pathOf = ({ studyInstanceUid, sopInstanceUid }: OfferedItem): string =>
  folder.file('in', studyInstanceUid, `${sopInstanceUid}.dcm`);

async function expectAll(items: readonly OfferedItem[]): Promise<void> {
  for (const item of items) expect((await readFile(pathOf(item))).equals(item.content)).toBe(true);
  const names = await readdir(folder.file('in', STUDY));
  expect(names.filter((name) => name.endsWith('.part'))).toEqual([]);
}

const acknowledgementOf = (items: readonly OfferedItem[]) => ({
  items: items.map(({ sopInstanceUid, content }) => ({
    sopInstanceUid,
    sha256: createHash('sha256').update(content).digest('hex'),
    status: 'stored',
  })),
});

describe('sluis receive', () => {
  it('writes each instance under its own name, then acknowledges all with their digests', async () => {
    const items = instances(5);
    const delivery = exchange.offer(items);
    const { code, out } = await receive();
    expect(code).toBe(0);
    await expectAll(items);
    expect(delivery.acknowledged).toEqual(acknowledgementOf(items));
    expect(out).toContain(delivery.transfer);
    expect(out).toContain('5 instances');
  });

  it('writes for this user alone', async () => {
    const items = instances(1);
    exchange.offer(items);
    await receive();
    const paths = [folder.file('in'), folder.file('in', STUDY), ...items.map(pathOf)];
    const modes = await Promise.all(paths.map(async (path) => (await stat(path)).mode & 0o777));
    expect(modes).toEqual([0o700, 0o700, 0o600]);
  });

  it('counts what it reads of an instance that is here, so that verifying shows how far it is', async () => {
    const delivery = exchange.offer(instances(1, 3_000_000));
    await receive();
    const read: number[] = [];
    const items = delivery.items as unknown as DeliveryItem[];
    const [item] = (await namedItems(folder.file('in'), { transfer: 'none', items })) as [NamedItem];
    const here = await new StudyFolder(folder.file('in')).holds(
      item,
      () => undefined,
      (bytes) => read.push(bytes),
    );
    expect(here).toBe(true);
    expect(read.length).toBeGreaterThan(1);
    expect(read.reduce((sum, bytes) => sum + bytes, 0)).toBe(item.bytes);
  });

  it('empties the inbox and prints a JSON line for each transfer', async () => {
    const offered = [exchange.offer(instances(1)), exchange.offer(instances(2))];
    const { code, out } = await receive('--json');
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { transfer: string; instances: number });
    expect(lines.map(({ transfer }) => transfer)).toEqual(offered.map(({ transfer }) => transfer));
    expect(lines.map(({ instances: count }) => count)).toEqual([1, 2]);
  });

  it('goes on from the first byte missing when the line is cut, inside an instance too', async () => {
    const items = instances(4);
    exchange.offer(items);
    exchange.cutContents.push(150_000, 10, 100_000);
    const { code, err } = await receive();
    expect(code).toBe(0);
    await expectAll(items);
    expect(err).toContain('Trying again');
    const starts = exchange.ranges.map((range) => Number(range.split('-')[0]));
    expect(starts).toHaveLength(4);
    expect(starts[1]).toBeGreaterThan(140_000);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
  });

  it('verifies what an earlier run left and fetches only what is missing', async () => {
    const items = instances(3, 1_000_000);
    exchange.offer(items);
    const [first, second, third] = items as [OfferedItem, OfferedItem, OfferedItem];
    await mkdir(folder.file('in', STUDY), { recursive: true });
    await writeFile(pathOf(first), first.content);
    await writeFile(`${pathOf(second)}.part`, second.content.subarray(0, 900_000));
    await writeFile(`${pathOf(third)}.part`, third.content);
    expect((await receive()).code).toBe(0);
    await expectAll(items);
    const [start, end] = exchange.ranges.join(' ').split('-').map(Number) as [number, number];
    expect(end - start).toBe(second.content.length - 900_000);
  });

  it('fetches anew what an earlier run left with other bytes', async () => {
    const items = instances(2);
    exchange.offer(items);
    const [first, second] = items as [OfferedItem, OfferedItem];
    await mkdir(folder.file('in', STUDY), { recursive: true });
    await writeFile(`${pathOf(first)}.part`, Buffer.alloc(50_000, 1));
    await writeFile(`${pathOf(second)}.part`, Buffer.alloc(500_000, 1));
    expect((await receive()).code).toBe(0);
    await expectAll(items);
  });

  it('never writes over an instance of the same name with other content', async () => {
    const items = instances(1);
    exchange.offer(items);
    const [item] = items as [OfferedItem];
    await mkdir(folder.file('in', STUDY), { recursive: true });
    await writeFile(pathOf(item), 'the one from before');
    const { code, err } = await receive();
    expect(code).toBe(0);
    await expectAll(items);
    const old = (await readdir(folder.file('in', STUDY))).find((name) => name.endsWith('.old')) ?? '';
    expect(await readFile(folder.file('in', STUDY, old), 'utf8')).toBe('the one from before');
    expect(err).toContain(old);
  });

  it('takes the whole content from a server that ignores ranges', async () => {
    const items = instances(3);
    const delivery = exchange.offer(items);
    exchange.cutContents.push(150_000);
    exchange.faults.push((_, response, route) => {
      if (!route.endsWith('/content') || exchange.ranges.length === 0) return false;
      response.writeHead(200, { etag: delivery.etag }).end(delivery.content);
      return true;
    });
    expect((await receive()).code).toBe(0);
    await expectAll(items);
  });

  it('begins with the list again when the content changes in between', async () => {
    const items = instances(3);
    const delivery = exchange.offer(items);
    exchange.cutContents.push(150_000);
    exchange.faults.push((_, __, route) => {
      if (route.endsWith('/content') && exchange.ranges.length === 1) delivery.etag = '"another"';
      return false;
    });
    expect((await receive()).code).toBe(0);
    await expectAll(items);
    expect(exchange.requests.filter((one) => one === `GET /v1/deliveries/${delivery.id}`)).toHaveLength(2);
  });

  it.each([412, 416])('begins with the list again when a range is answered with %i', async (status) => {
    const items = instances(2);
    const delivery = exchange.offer(items);
    exchange.failOnce(`GET /v1/deliveries/${delivery.id}/content`, status);
    expect((await receive()).code).toBe(0);
    await expectAll(items);
  });

  it('acknowledges nothing of a delivery whose bytes are not those it listed, and takes the others', async () => {
    const bad = exchange.offer(instances(2));
    bad.content[60_000] = (bad.content[60_000] ?? 0) ^ 1;
    const good = exchange.offer([
      { studyInstanceUid: STUDY, sopInstanceUid: '1.9.9', content: noise(10, 9) },
    ]);
    const { code, err } = await receive();
    expect(code).toBe(1);
    expect(bad.acknowledged).toBeUndefined();
    expect(good.acknowledged).toBeDefined();
    expect(err).toContain('another SHA-256');
    expect((await readdir(folder.file('in', STUDY))).filter((name) => name.includes('.0.dcm'))).toEqual([]);
  });

  it.each(['../../etc', '..', '1.2/3', '', 'a', `1${'.1'.repeat(40)}`])(
    'writes nothing for the study UID %j',
    async (studyInstanceUid) => {
      exchange.offer([{ studyInstanceUid, sopInstanceUid: '1.2.3', content: noise(10, 1) }]);
      const { code } = await receive();
      expect(code).toBe(1);
      expect(await readdir(folder.file('in'))).toEqual([]);
      expect(exchange.ranges).toEqual([]);
    },
  );

  it('keeps both of two objects that claim one SOP Instance UID, and one of what comes twice', async () => {
    const [one, twin] = [noise(3_000, 1), noise(4_000, 2)];
    const uid = { studyInstanceUid: STUDY, sopInstanceUid: '1.2.3' };
    const delivery = exchange.offer([one, twin, one].map((content) => ({ ...uid, content })));
    for (let run = 0; run < 2; run++) {
      expect((await receive()).code).toBe(0);
      expect((await readdir(folder.file('in', STUDY))).sort()).toEqual(['1.2.3-2.dcm', '1.2.3.dcm']);
      expect((await readFile(folder.file('in', STUDY, '1.2.3.dcm'))).equals(one)).toBe(true);
      expect((await readFile(folder.file('in', STUDY, '1.2.3-2.dcm'))).equals(twin)).toBe(true);
      expect((delivery.acknowledged as { items: unknown[] }).items).toHaveLength(3);
      delivery.acknowledged = undefined;
    }
  });

  const report = (mediaType: string, seed: number) => ({ report: mediaType, content: noise(2_000, seed) });
  const sha256Of = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

  it('writes reports beside the instances of their study, for this user alone, and acknowledges them', async () => {
    const reports = [report('application/pdf', 7), report('text/xml', 8), report('text/plain', 9)];
    const images = instances(2);
    const delivery = exchange.offer([...images, ...reports]);
    const { code, out } = await receive();
    expect(code).toBe(0);
    expect(out).toContain('2 instances and 3 reports');
    await expectAll(images);
    for (const [index, name] of ['report-1.pdf', 'report-2.xml', 'report-3.txt'].entries()) {
      const path = folder.file('in', STUDY, name);
      expect((await readFile(path)).equals(Buffer.from(reports[index]?.content ?? []))).toBe(true);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    const { items } = delivery.acknowledged as { items: unknown[] };
    const said = reports.map(({ content }) => sha256Of(content));
    expect(items.slice(2)).toEqual(said.map((sha256) => ({ report: sha256, sha256, status: 'stored' })));
  });

  it('keeps reports of different transfers apart, and knows one that it has', async () => {
    const [one, two, three] = [1, 2, 3].map((seed) => report('application/pdf', seed));
    if (one === undefined || two === undefined || three === undefined) throw new Error('no reports');
    exchange.offer([...instances(1), one, two]);
    await receive();
    exchange.offer([...instances(1), three, two]);
    expect((await receive()).code).toBe(0);
    for (const [name, { content }] of [
      ['report-1.pdf', one],
      ['report-2.pdf', two],
      ['report-3.pdf', three],
    ] as const) {
      expect((await readFile(folder.file('in', STUDY, name))).equals(Buffer.from(content))).toBe(true);
    }
    expect(
      (await readdir(folder.file('in', STUDY))).filter((name) => name.startsWith('report')),
    ).toHaveLength(3);
  });

  it('goes on with a report where the line was cut', async () => {
    const [long] = [{ report: 'application/pdf', content: noise(300_000, 5) }];
    exchange.offer([long, report('text/plain', 6)]);
    exchange.cutContents.push(100_000, 50_000);
    expect((await receive()).code).toBe(0);
    const [transfer = ''] = await readdir(folder.file('in'));
    expect((await readdir(folder.file('in', transfer))).toSorted()).toEqual(['report-1.pdf', 'report-2.txt']);
    const starts = exchange.ranges.map((range) => Number(range.split('-')[0]));
    expect(starts[1]).toBeGreaterThan(10_000);
  });

  it.each([0, 2])(
    'gives reports a folder of their own where the delivery has %i studies',
    async (studies) => {
      const images = Array.from({ length: studies }, (_, index) => ({
        studyInstanceUid: `${STUDY}.${index.toString()}`,
        sopInstanceUid: `1.2.${index.toString()}`,
        content: noise(50, index),
      }));
      const delivery = exchange.offer([...images, report('application/pdf', 4)]);
      expect((await receive()).code).toBe(0);
      expect(await readdir(folder.file('in', delivery.transfer))).toEqual(['report-1.pdf']);
    },
  );

  it('acknowledges nothing when a report is not the one that was listed', async () => {
    const delivery = exchange.offer([report('application/pdf', 4)]);
    delivery.content[1_000] = (delivery.content[1_000] ?? 0) ^ 1;
    const { code, err } = await receive();
    expect(code).toBe(1);
    expect(err).toContain('a report of 2000 bytes came');
    expect(delivery.acknowledged).toBeUndefined();
  });

  it('writes nothing for a list whose instances overlap', async () => {
    const overlapping = exchange.offer(instances(2));
    Object.assign(overlapping.items[1] ?? {}, { offset: 100 });
    const { code, err } = await receive();
    expect(code).toBe(1);
    expect(err).toContain('where it cannot be');
    expect(overlapping.acknowledged).toBeUndefined();
  });

  it('passes over a delivery that is recalled meanwhile', async () => {
    const gone = exchange.offer(instances(1));
    exchange.failOnce(`GET /v1/deliveries/${gone.id}`, 404);
    const other = exchange.offer(instances(2));
    const { code, err } = await receive();
    expect(code).toBe(0);
    expect(err).toContain('taken back');
    expect(other.acknowledged).toBeDefined();
  });

  it('says so when the disk refuses, and acknowledges nothing', async () => {
    const delivery = exchange.offer(instances(1));
    await mkdir(folder.file('in'));
    await writeFile(folder.file('in', STUDY), 'a file where a folder should be');
    const { code, err } = await receive();
    expect(code).toBe(1);
    expect(err).toContain('cannot be written');
    expect(delivery.acknowledged).toBeUndefined();
  });

  it.each(['POST', 'GET'])('tries again when the line is cut around %s of a delivery', async (method) => {
    const delivery = exchange.offer(instances(1));
    exchange.cutOnce(`${method} /v1/deliveries/${delivery.id}`);
    expect((await receive()).code).toBe(0);
    expect(delivery.acknowledged).toBeDefined();
  });

  it('says what is wrong with an answer that is not the contract’s', async () => {
    exchange.faults.push((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>welcome to the proxy</html>');
      return true;
    });
    const { code, err } = await receive();
    expect(code).toBe(1);
    expect(err).toContain('not answered in JSON');
  });

  it('finds a cut file of an earlier run by its bytes, not by its name', async () => {
    const items = instances(2);
    exchange.offer(items);
    await receive();
    const [first] = items as [OfferedItem];
    await truncate(pathOf(first), 1_000);
    exchange.offer(items);
    expect((await receive()).code).toBe(0);
    expect((await stat(pathOf(first))).size).toBe(first.content.length);
  });
});
