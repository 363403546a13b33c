import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { beginWalk, nextParts } from '../../src/study/package.ts';
import type { TempFolder } from '../support/temp-folder.ts';
import { writeZip, type ZipFile } from '../support/zip.ts';
import type { ExchangeDouble } from './exchange-double.ts';
import { openSending, type Sending } from './open-double.ts';
import { watchedTerminal } from './watched-terminal.ts';

const PDF = Buffer.from('%PDF-1.4\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\n%%EOF\n');
const CDA = Buffer.from(
  '<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"></ClinicalDocument>\n',
);
const TEXT = Buffer.from('Geen infiltraat.\r\n');
const VIEWER = Buffer.from('MZ and a viewer for discs');

let folder: TempFolder;
let exchange: ExchangeDouble;
let close: () => Promise<void>;
let study: Sending['study'];
let send: Sending['send'];

beforeEach(async () => {
  ({ folder, exchange, close, study, send } = await openSending(2, 50_000));
});

afterEach(() => close());

/** Writes a file below the temporary folder; answers its path. */
async function put(content: Uint8Array, ...names: string[]): Promise<string> {
  const path = folder.file(...names);
  await mkdir(folder.file(...names.slice(0, -1)), { recursive: true });
  await writeFile(path, content);
  return path;
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
const listed = (content: Uint8Array, mediaType: string) => ({
  sha256: sha256(content),
  bytes: content.length,
  mediaType,
});

/** What came, as a receiver finds it in the one upload. */
async function received(): Promise<{ type: string; sha256: string }[]> {
  const [upload] = exchange.uploads;
  if (upload === undefined) throw new Error('there is no upload');
  expect([exchange.uploads.length, upload.bytes.length]).toEqual([1, upload.length]);
  const read = async (start: number, end: number) => upload.bytes.subarray(start, end);
  const { parts, state } = await nextParts(beginWalk(upload.filetype), read, upload.length, upload.length);
  expect(state).not.toBe('broken');
  return parts.map(({ contentType, start, bytes }) => ({
    type: contentType,
    sha256: sha256(upload.bytes.subarray(start, start + bytes)),
  }));
}

describe('reports that sluis send sends', () => {
  it('stand behind the instances with their media types, and in the manifest', async () => {
    await put(PDF, 'study', 'verslag.pdf');
    await put(CDA, 'study', 'reports', 'verslag.xml');
    const letter = await put(TEXT, 'brief.txt');
    const { code, out, err } = await send(letter, folder.file('study'));
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('2 instances, 3 reports');

    const reports = [
      listed(PDF, 'application/pdf'),
      listed(CDA, 'text/xml'),
      listed(TEXT, 'text/plain'),
    ].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    const { instances = [], reports: sealed } = exchange.transfers[0]?.manifest ?? {};
    expect(instances).toHaveLength(2);
    expect(sealed).toEqual(reports);
    expect(await received()).toEqual([
      ...instances.map((one) => ({ type: 'application/dicom', sha256: one.sha256 })),
      ...reports.map((one) => ({ type: one.mediaType, sha256: one.sha256 })),
    ]);
  });

  it('go by themselves where there are no instances', async () => {
    const { code, out } = await send(await put(PDF, 'verslag.pdf'));
    expect(code).toBe(0);
    expect(out).toContain('; 1 report, ');
    expect(exchange.transfers[0]?.manifest).toEqual({
      instances: [],
      reports: [listed(PDF, 'application/pdf')],
    });
    expect(await received()).toEqual([{ type: 'application/pdf', sha256: sha256(PDF) }]);
  });

  it('are told from what a disc has for people and machines, which is left out by name', async () => {
    const litter = {
      'README.TXT': TEXT,
      'autorun.inf': TEXT,
      'viewer.exe': VIEWER,
      'foto.jpg': Buffer.from('\xff\xd8\xff\xe0', 'latin1'),
      'brief.doc': TEXT,
      'other.zip': writeZip([{ name: 'IM1', data: TEXT }]),
      unknown: Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9]),
    };
    for (const [name, content] of Object.entries(litter)) await put(content, 'study', name);
    await put(PDF, 'study', 'Viewer.app', 'manual.pdf');
    const { code, err } = await send(folder.file('study'));
    expect(code).toBe(0);
    for (const name of Object.keys(litter)) expect(err).toContain(`skipped ${folder.file('study', name)}: `);
    expect(err).toContain('manual.pdf: part of a program to look at images');
    expect(err).toContain('other.zip: an archive, which is not opened; unpack it or send it alone');
    expect(exchange.transfers[0]?.manifest?.reports).toEqual([]);
    expect(await received()).toHaveLength(2);
  });

  it('are named in bounds when much is left out', async () => {
    for (let number = 0; number < 103; number += 1) {
      await put(VIEWER, 'study', 'viewer', `${number.toString()}.dll`);
    }
    const { err } = await send(folder.file('study'));
    expect(err.split('\n').filter((line) => line.startsWith('skipped'))).toHaveLength(100);
    expect(err).toContain('and 3 more');
  });

  it('are what a person names, even when it is called like a file of a viewer', async () => {
    const { code } = await send(await put(TEXT, 'readme.txt'), await put(PDF, 'manual.pdf'));
    expect(code).toBe(0);
    expect(exchange.transfers[0]?.manifest?.reports).toHaveLength(2);
  });

  it('are taken by the place below the folder that was named, not by where that folder lies', async () => {
    await cp(folder.file('study'), folder.file('Old.app', 'study'), { recursive: true });
    await put(PDF, 'Old.app', 'study', 'verslag.pdf');
    expect((await send(folder.file('Old.app', 'study'))).code).toBe(0);
    expect(exchange.transfers[0]?.manifest?.reports).toHaveLength(1);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['cut.pdf', PDF.subarray(0, 30), /cut\.pdf: the PDF has no end/],
    ['no.pdf', TEXT, /no\.pdf: the report does not begin as a PDF/],
    ['empty.pdf', Buffer.alloc(0), /empty\.pdf: the report is empty/],
    ['cut.xml', CDA.subarray(0, -10), /cut\.xml: the XML ends before its document does/],
    [
      'deep.txt',
      Buffer.concat([Buffer.alloc(9000, 'a'), Buffer.from([0])]),
      /deep\.txt: the text holds bytes/,
    ],
  ])('are refused when they are broken, before anything is sent: %s', async (name, content, why) => {
    await put(content, 'study', name);
    const { code, err } = await send(folder.file('study'));
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(err).toContain('Export the report again, or leave it out');
    expect(exchange.requests).toEqual([]);
  });

  it('are sent once when they are there twice', async () => {
    await put(TEXT, 'study', 'a.txt');
    await put(TEXT, 'study', 'b.txt');
    const { err } = await send(folder.file('study'));
    expect(err).toContain('b.txt: the same report as ');
    expect(exchange.transfers[0]?.manifest?.reports).toHaveLength(1);
  });

  it('make the same bytes at every run, so that a cut inside one goes on there', async () => {
    const long = Buffer.alloc(300_000, 'Geen infiltraat. ');
    await put(long, 'study', 'lang.txt');
    await put(PDF, 'study', 'verslag.pdf');
    exchange.cutUploads.push(250_000);
    exchange.faults.push((_, response, route) => {
      if (!route.startsWith('HEAD') || exchange.uploads[0]?.bytes.length === 0) return false;
      response.writeHead(403).end();
      return true;
    });
    expect((await send(folder.file('study'))).code).toBe(1);
    await cp(folder.file('study'), folder.file('elsewhere'), { recursive: true });
    const again = await send(folder.file('elsewhere', 'verslag.pdf'), folder.file('elsewhere'));
    expect(again.code).toBe(0);
    expect(again.out).toMatch(/, 0\.0 % of it twice/u);
    expect(exchange.transfers).toHaveLength(1);
    expect((await received()).map((one) => one.sha256)).toEqual(
      expect.arrayContaining([sha256(long), sha256(PDF)]),
    );
  });

  it('do not hide an instance that is none any more behind its name', async () => {
    await put(TEXT, 'study', 'IM000003.dcm');
    const { code, err } = await send(folder.file('study'));
    expect(code).toBe(1);
    expect(err).toContain('IM000003.dcm: no DICOM');
    expect(exchange.requests).toEqual([]);
  });
});

describe('a ZIP that sluis send sends', () => {
  const disc = async (...more: ZipFile[]): Promise<Buffer> =>
    writeZip([
      { name: 'DICOMDIR', data: TEXT },
      ...(await Promise.all(
        study.map(async ({ path }, index) => ({
          name: `DICOM/IM${index.toString()}`,
          data: await readFile(path),
          stored: index === 0,
        })),
      )),
      { name: 'verslag.pdf', data: PDF },
      { name: 'viewer.exe', data: VIEWER },
      ...more,
    ]);

  it('goes as it is, whatever it is called, with a manifest of what is in it', async () => {
    const zip = await disc();
    const { code, out, err } = await send('--remark', 'as on the disc', await put(zip, 'disc.dcm'));
    expect(code).toBe(0);
    expect(out).toContain('2 instances, 1 report');
    const [upload] = exchange.uploads;
    expect(upload?.filetype).toBe('application/zip');
    expect(upload?.bytes.equals(zip)).toBe(true);
    const [transfer] = exchange.transfers;
    expect(transfer?.order.remark).toBe('as on the disc');
    expect(transfer?.manifest?.reports).toEqual([listed(PDF, 'application/pdf')]);
    expect(transfer?.manifest?.instances).toHaveLength(2);
    for (const { path, sopInstanceUid, bytes } of study) {
      const one = { sopInstanceUid, bytes, sha256: sha256(await readFile(path)) };
      expect(transfer?.manifest?.instances).toContainEqual(one);
    }
    expect(err).toContain('2 files in the ZIP go to no receiver:');
    expect(err).toContain('  viewer.exe: part of a program to look at images');
    expect(err).toContain('  DICOMDIR: a DICOMDIR');
  });

  it('goes on at its byte when it is run again, and is not sent twice', async () => {
    const zip = await disc();
    const path = await put(zip, 'disc.zip');
    exchange.cutUploads.push(40_000);
    exchange.faults.push((_, response, route) => {
      if (!route.startsWith('HEAD') || exchange.uploads[0]?.bytes.length === 0) return false;
      response.writeHead(403).end();
      return true;
    });
    expect((await send(path)).code).toBe(1);
    expect(exchange.uploads[0]?.bytes).toHaveLength(40_000);
    expect((await send(path)).code).toBe(0);
    expect(exchange.uploads[0]?.bytes.equals(zip)).toBe(true);
    expect((await send(path)).out).toContain('nothing was left to send');
    expect([exchange.transfers.length, exchange.uploads.length]).toEqual([1, 1]);
  });

  it('is another transfer when it was made anew: half of each would be neither', async () => {
    await send(await put(await disc({ name: 'a', data: Buffer.from([1, 2, 3]) }), 'disc.zip'));
    await send(await put(await disc({ name: 'b', data: Buffer.from([4, 5, 6]) }), 'disc.zip'));
    const [first, second, ...rest] = exchange.transfers;
    expect(rest).toEqual([]);
    expect(first?.manifest).toEqual(second?.manifest);
    expect(exchange.uploads.map(({ transfer }) => transfer)).toEqual([first?.id, second?.id]);
  });

  it('is refused beside anything else, with a sentence that says to unpack it', async () => {
    const zip = await put(await disc(), 'disc.zip');
    const { code, err } = await send(folder.file('study'), zip);
    expect(code).toBe(1);
    expect(err).toMatch(/disc\.zip is a ZIP, which is sent by itself\. Unpack it/u);
    expect(exchange.requests).toEqual([]);
  });

  it.each<[string, ZipFile, RegExp]>([
    [
      'a report in it is broken',
      { name: 'cut.pdf', data: PDF.subarray(0, 30) },
      /disc\.zip: cut\.pdf: the PDF has no end/,
    ],
    ['an instance in it is none', { name: 'a/IM9.dcm', data: TEXT }, /disc\.zip: a\/IM9\.dcm: no DICOM/],
    [
      'a file in it was damaged',
      { name: 'brief.txt', data: TEXT, stored: true, raw: Buffer.from('Geen infiltraten\r\n') },
      /disc\.zip: brief\.txt: its CRC-32 is not the one/,
    ],
    [
      'it tells something else of a file in two places',
      { name: 'brief.txt', data: TEXT, local: { name: 'other.txt' } },
      /disc\.zip: an entry of the archive contradicts its directory\. Make the ZIP again/,
    ],
  ])('is refused before anything is sent when %s', async (_, file, why) => {
    const { code, err } = await send(await put(await disc(file), 'disc.zip'));
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(exchange.requests).toEqual([]);
  });

  it('is refused when it was cut off', async () => {
    const { code, err } = await send(await put((await disc()).subarray(0, -30), 'disc.zip'));
    expect(code).toBe(1);
    expect(err).toMatch(/disc\.zip: .*Make the ZIP again/u);
    expect(exchange.requests).toEqual([]);
  });

  it('is refused when nothing in it could be delivered', async () => {
    const { code, err } = await send(await put(writeZip([{ name: 'a.exe', data: VIEWER }]), 'disc.zip'));
    expect(code).toBe(1);
    expect(err).toContain('no DICOM instance and no report');
  });

  it('lets a truncated instance in it pass when it is forced to', async () => {
    const whole = await readFile(study[0]?.path ?? '');
    const zip = await put(writeZip([{ name: 'IM1', data: whole.subarray(0, -1000) }]), 'disc.zip');
    const { code, err } = await send(zip);
    expect(code).toBe(1);
    expect(err).toMatch(/disc\.zip: IM1: truncated .* --force/u);
    expect((await send('--force', zip)).code).toBe(0);
  });

  it('has what goes to no receiver named in bounds, and shown with its transfer', async () => {
    const more = Array.from({ length: 22 }, (_, index) => ({
      name: `viewer/${index.toString()}.dll`,
      data: VIEWER,
    }));
    const { err } = await send(await put(await disc(...more), 'disc.zip'));
    expect(err).toContain('24 files in the ZIP go to no receiver:');
    expect(err).toContain('  and 4 more');
    expect(err).not.toContain('21.dll');

    const watched = watchedTerminal();
    const connection = ['--server', exchange.url, '--token-file', folder.file('token')];
    await dispatch(['transfers', 'show', exchange.transfers[0]?.id ?? '', ...connection], watched.terminal);
    expect(watched.out()).toContain('2 instances, 1 report');
    expect(watched.out()).toContain('24 files in the ZIP go to no receiver:');
  });

  it('cannot move the cursor with the names in it', async () => {
    const { err } = await send(await put(await disc({ name: 'a\u001b[2J.exe', data: VIEWER }), 'disc.zip'));
    expect(err).toContain('[2J.exe');
    expect(err).not.toContain('\u001b');
  });
});
