import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { type Built, ct, dataset, part10 } from '../dicom/builder.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { writeZip } from '../support/zip.ts';
import { watchedTerminal } from './watched-terminal.ts';

let folder: TempFolder;
beforeEach(async () => {
  folder = await openTempFolder('sluis-inspect');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await folder.remove();
});

interface Line {
  readonly file: string;
  readonly verdict?: string;
  readonly [field: string]: unknown;
}

async function inspect(...paths: string[]) {
  const watched = watchedTerminal();
  const code = await dispatch(['inspect', ...paths], watched.terminal);
  const out = watched.out().trimEnd().split('\n');
  const lines = out.filter((line) => line !== '').map((line) => JSON.parse(line) as Line);
  return { code, lines, err: watched.err() };
}

/** What is said of one file. */
async function lineOf(name: string, bytes: Uint8Array | string): Promise<Line | undefined> {
  await writeFile(folder.file(name), bytes);
  return (await inspect(folder.file(name))).lines[0];
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

function deflated(elements: readonly Built[] = ct()): Buffer {
  const meta = part10([], 'explicit-le', '1.2.840.10008.1.2.1.99');
  const stream = deflateRawSync(dataset(elements, 'explicit-le'));
  return Buffer.concat([meta, stream, Buffer.alloc(stream.byteLength % 2)]);
}

/** Does not get shorter. */
const NOISE: Built = { tag: 0x7fe00010, vr: 'OW', value: randomBytes(200_000) };
const plain = part10(ct(), 'explicit-le');
const CDA = '<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"><title/></ClinicalDocument>\n';
const PDF = '%PDF-1.4\n1 0 obj\n%%EOF\n';

describe('sluis inspect', () => {
  it('says what each file is', async () => {
    const study = await writeStudy(folder.file('study'), { modality: 'MR', instances: 2, seed: 3 });
    const { code, lines } = await inspect(folder.file('study'));
    expect(code).toBe(0);
    expect(lines).toHaveLength(2);
    for (const { sopInstanceUid, bytes, path } of study) {
      expect(lines).toContainEqual({
        file: path,
        sopInstanceUid,
        sopClassUid: '1.2.840.10008.5.1.4.1.1.4',
        studyInstanceUid: expect.stringMatching(/^2\.25\./u) as string,
        seriesInstanceUid: expect.stringMatching(/^2\.25\./u) as string,
        transferSyntaxUid: '1.2.840.10008.1.2.1',
        bytes,
        sha256: sha256(await readFile(path)),
        verdict: 'accepted',
        reasons: [],
      });
    }
  });

  it('rejects noise and text, and holds what is cut, each with its reason', async () => {
    const [first] = await writeStudy(folder.file('study'), { modality: 'CT', instances: 1, seed: 3 });
    const whole = await readFile(first?.path ?? '');
    await mkdir(folder.file('bad'));
    await writeFile(folder.file('bad', '1-empty'), '');
    await writeFile(folder.file('bad', '2-text'), 'hello');
    await writeFile(folder.file('bad', '3-cut'), whole.subarray(0, 200_000));
    await writeFile(folder.file('bad', '4-zeros'), Buffer.alloc(70_000));
    const { lines } = await inspect(folder.file('bad'));
    expect(lines.map(({ verdict, reasons }) => [verdict, reasons])).toEqual([
      ['rejected', ['NOT_DICOM']],
      ['rejected', ['NOT_DICOM']],
      ['held', ['TRUNCATED']],
      ['rejected', ['NOT_DICOM']],
    ]);
  });

  it('rejects an instance without its UID, and says where it should stand', async () => {
    const nameless = part10(ct([{ tag: 0x00080018, vr: 'UI' }]), 'explicit-le').toString('latin1');
    const bytes = Buffer.from(nameless.replace('1.2.3.4', '\0'.repeat(7)), 'latin1');
    const line = await lineOf('nameless', bytes);
    expect(line).toMatchObject({ verdict: 'rejected', sopInstanceUid: '' });
    expect(line?.detail).toMatch(/^0008,0018 at byte \d+: /u);
  });

  it('reads a deflated dataset in its inflated form, and hashes what is sent', async () => {
    const bytes = deflated();
    expect(await lineOf('deflated', bytes)).toMatchObject({
      sopInstanceUid: '1.2.3.4',
      studyInstanceUid: '1.2.3',
      seriesInstanceUid: '1.2.3.5',
      transferSyntaxUid: '1.2.840.10008.1.2.1.99',
      bytes: bytes.byteLength,
      sha256: sha256(bytes),
      verdict: 'accepted',
    });
  });

  it.each([
    ['ends too early', deflated(ct([NOISE])).subarray(0, -200), 'held', 'TRUNCATED'],
    [
      'is no deflate stream',
      part10(ct(), 'explicit-le', '1.2.840.10008.1.2.1.99'),
      'rejected',
      'SYNTAX_LIES',
    ],
    [
      'holds a dataset that ends too early',
      deflated(ct([{ tag: 0x7fe00010, vr: 'OW', value: Buffer.alloc(64), lie: 6_400 }])),
      'held',
      'TRUNCATED',
    ],
  ])('says of a deflated dataset that it %s', async (_, bytes, verdict, reason) => {
    const line = await lineOf('deflated', bytes);
    expect(line).toMatchObject({ verdict, sha256: sha256(bytes) });
    expect(line?.reasons).toContain(reason);
    expect(line?.detail).toContain('at byte');
  });

  it.each([
    ['verslag.pdf', PDF, 'application/pdf', 'accepted', []],
    ['verslag', PDF, 'application/pdf', 'accepted', []],
    ['verslag.xml', CDA, 'text/xml', 'accepted', []],
    ['verslag.txt', 'Geachte collega, geen afwijkingen.', 'text/plain', 'accepted', []],
    ['half.pdf', PDF.slice(0, 12), 'application/pdf', 'rejected', ['REPORT_UNREADABLE']],
    ['half.xml', CDA.slice(0, -30), 'text/xml', 'rejected', ['REPORT_UNREADABLE']],
  ])(
    'says of the report %s what it is and whether it goes on',
    async (name, text, report, verdict, reasons) => {
      const line = await lineOf(name, text);
      expect(line).toMatchObject({ report, bytes: text.length, sha256: sha256(text), verdict, reasons });
      expect(line).not.toHaveProperty('sopInstanceUid');
      if (verdict !== 'accepted') expect(line?.detail).toMatch(/PDF|XML/u);
    },
  );

  it('has a line for each entry of a ZIP, and says what is set aside and why', async () => {
    await mkdir(folder.file('tmp'));
    vi.stubEnv('TMPDIR', folder.file('tmp'));
    const files = [
      { name: 'DICOM/', data: Buffer.alloc(0), stored: true },
      { name: 'DICOM/IM1', data: plain },
      { name: 'DICOM/IM2', data: plain, stored: true },
      { name: 'DICOM/IM3', data: deflated() },
      { name: 'DICOM/IM4', data: deflated(), stored: true },
      { name: 'DICOMDIR', data: Buffer.from('index') },
      { name: 'viewer/view.exe', data: Buffer.from('MZ') },
      { name: 'verslag.pdf', data: Buffer.from(PDF) },
      { name: 'brief.txt', data: Buffer.from('Geachte collega.'), stored: true },
    ];
    await writeFile(folder.file('study.zip'), writeZip(files));
    const { code, lines } = await inspect(folder.path);
    expect(code).toBe(0);
    const instance = { sopInstanceUid: '1.2.3.4', verdict: 'accepted', reasons: [] };
    expect(lines).toMatchObject([
      { entry: 'DICOM/IM1', ...instance, bytes: plain.byteLength, sha256: sha256(plain) },
      { entry: 'DICOM/IM2', ...instance, bytes: plain.byteLength, sha256: sha256(plain) },
      { entry: 'DICOM/IM3', ...instance, bytes: deflated().byteLength, sha256: sha256(deflated()) },
      { entry: 'DICOM/IM4', ...instance, bytes: deflated().byteLength, sha256: sha256(deflated()) },
      {
        entry: 'DICOMDIR',
        setAside: 'directory-record',
        detail: expect.stringContaining('DICOMDIR') as string,
      },
      { entry: 'viewer/view.exe', setAside: 'viewer', bytes: 2 },
      { entry: 'verslag.pdf', report: 'application/pdf', sha256: sha256(PDF), verdict: 'accepted' },
      { entry: 'brief.txt', report: 'text/plain', verdict: 'accepted' },
    ]);
    expect(new Set(lines.map(({ file }) => file))).toEqual(new Set([folder.file('study.zip')]));
    expect(await readdir(folder.file('tmp'))).toEqual([]);
  });

  it.each([
    ['deflated', false],
    ['stored', true],
  ])('holds the %s entries of a ZIP whose bytes have another checksum', async (_, stored) => {
    const lies = { local: { crc32: 1 }, central: { crc32: 1 }, stored };
    const zip = writeZip([
      { name: 'IM1', data: plain, ...lies },
      { name: 'a.pdf', data: Buffer.from(PDF), ...lies },
      { name: 'IM2', data: plain },
    ]);
    await writeFile(folder.file('study.zip'), zip);
    const { lines } = await inspect(folder.file('study.zip'));
    expect(lines).toMatchObject([
      { entry: 'IM1', reasons: ['CHECKSUM_DIFFERS'], verdict: 'held' },
      { entry: 'a.pdf', reasons: ['REPORT_UNREADABLE'], verdict: 'rejected' },
      { entry: 'IM2', reasons: [], verdict: 'accepted' },
    ]);
  });

  it('says of an entry that cannot be inflated that it is damaged, and goes on', async () => {
    const raw = Buffer.from('this is no deflate stream, not at all');
    const zip = writeZip([
      { name: 'IM1.dcm', data: plain, raw },
      { name: 'IM2.dcm', data: plain },
    ]);
    await writeFile(folder.file('study.zip'), zip);
    const { lines } = await inspect(folder.file('study.zip'));
    expect(lines).toMatchObject([
      { entry: 'IM1.dcm', verdict: 'rejected', sha256: '' },
      { entry: 'IM2.dcm', verdict: 'accepted' },
    ]);
    expect(lines[0]?.reasons).toContain('CHECKSUM_DIFFERS');
  });

  it('rejects half an archive as a whole', async () => {
    const zip = writeZip([{ name: 'IM1', data: plain }]).subarray(0, -10);
    expect(await lineOf('study.zip', zip)).toMatchObject({
      verdict: 'rejected',
      reasons: ['PACKAGE_BROKEN'],
    });
  });

  it('has a line for each part of a package as the exchange takes it', async () => {
    const part = (type: string, data: Uint8Array | string): Buffer =>
      Buffer.concat([
        Buffer.from(`--b\r\nContent-Type: ${type}\r\nContent-Length: ${data.length.toString()}\r\n\r\n`),
        Buffer.from(data),
        Buffer.from('\r\n'),
      ]);
    const parts = [part('application/dicom', plain), part('application/pdf', PDF), Buffer.from('--b--\r\n')];
    await writeFile(folder.file('package'), Buffer.concat(parts));
    const { lines } = await inspect(folder.file('package'));
    expect(lines).toMatchObject([
      { sopInstanceUid: '1.2.3.4', verdict: 'accepted', sha256: sha256(plain) },
      { report: 'application/pdf', verdict: 'accepted' },
    ]);
    expect(lines[0]).not.toHaveProperty('entry');
  });
});
