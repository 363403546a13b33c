import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExchangeProcess } from '../e2e/exchange-process.ts';
import { compareOutsidePatch } from '../support/compare.ts';
import { type Orthanc, startOrthanc } from '../support/orthanc.ts';
import { startProgram } from '../support/processes.ts';
import { smallPdf } from '../support/study/documents.ts';
import { generateObject } from '../support/study/objects.ts';
import { DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, RLE_LOSSLESS } from '../support/study/part10.ts';
import { generateStudy } from '../support/study/study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { writeZip } from '../support/zip.ts';

const run = promisify(execFile);
const seed = 4711;
const bsn = '999990019';
const pdf = smallPdf();

/** One study as hospitals have it: slices in five transfer syntaxes, a structured report, a presentation state. */
const instances = [
  ...([EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE, RLE_LOSSLESS] as const).map(
    (transferSyntaxUid, at) =>
      generateStudy({
        modality: 'CT',
        instances: 5,
        seed,
        bsnIn: 'none',
        bytesPerInstance: 64 * 1024,
        transferSyntaxUid,
      }).instance(at),
  ),
  generateObject({ kind: 'basic-text-sr', seed }),
  generateObject({ kind: 'presentation-state', seed }),
];

/**
 * The ZIP that a workstation writes onto a disc, sent as it is into a real PACS and into a pulled mailbox. The
 * BSN is known only after it was sent.
 */
describe('a ZIP export of a study with its reports', () => {
  let folder: TempFolder;
  let orthanc: Orthanc;
  let exchange: ExchangeProcess;
  let transfer = '';

  beforeAll(async () => {
    folder = await openTempFolder('sluis-export');
    orthanc = await startOrthanc();
    exchange = await ExchangeProcess.start(
      folder.path,
      [
        { id: 'sender', receiving: { by: 'pull' }, dialect: 'nl-2010' },
        {
          id: 'pacs',
          receiving: { by: 'stow', url: `${orthanc.dicomWebUrl}` },
          dialect: 'nl-2010',
          srAsPdf: true,
          excludeModalities: ['PR'],
        },
        { id: 'pulled', receiving: { by: 'pull' }, dialect: 'patientid-bsn' },
      ],
      { retry: { firstSeconds: 1, maxSeconds: 5 } },
    );
  }, 120_000);
  afterAll(async () => {
    await exchange?.stop();
    await orthanc?.stop();
    await folder?.remove();
  }, 60_000);

  const view = async () => (await exchange.get('sender', `/v1/transfers/${transfer}`)).body as View;
  const until = async (holds: (seen: View) => boolean): Promise<View> => {
    for (const deadline = Date.now() + 120_000; ; await sleep(200)) {
      const seen = await view();
      if (holds(seen)) return seen;
      if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(seen)}`);
    }
  };

  it('is taken apart, and its sender reads what was set aside', async () => {
    const { body } = await exchange.post('sender', '/v1/transfers', {
      from: 'sender',
      to: ['pacs', 'pulled'],
    });
    transfer = (body as { id: string }).id;
    // The BSN comes in between: before anything can be delivered there is no manifest.
    expect(await exchange.put('sender', `/v1/transfers/${transfer}/patient`, { bsn })).toMatchObject({
      status: 200,
    });
    const archive = writeZip([
      ...instances.map(({ fileName, bytes }, at) => ({
        name: `DICOM/Berg, A. van den/${fileName}`,
        data: bytes,
        stored: at % 2 === 0,
      })),
      { name: 'verslag/verslag.pdf', data: pdf },
      {
        name: 'verslag/conclusie.txt',
        data: Buffer.from('Geen afwijkingen: é ë ï €\r\n', 'utf8'),
        stored: true,
      },
      { name: 'viewer/Viewer.exe', data: Buffer.from('MZ…') },
      { name: 'autorun.inf', data: Buffer.from('[autorun]') },
      { name: 'Thumbs.db', data: Buffer.alloc(512, 7), stored: true },
    ]);
    await upload(exchange, archive, transfer);
    await sealWith(exchange, transfer);
    const seen = await until(({ state }) => state !== 'receiving');
    expect(seen).toMatchObject({
      instances: instances.length,
      reports: 2,
      studies: [{ instances: instances.length }],
      setAside: { count: 3 },
    });
    expect(seen.setAside.items.map(({ why }) => why).toSorted()).toEqual(['system-file', 'viewer', 'viewer']);
    expect(seen.reasons).toEqual([]);
  }, 180_000);

  it('reaches the PACS: every instance equal outside the patch, the reports as Encapsulated PDF, no PR', async () => {
    const seen = await until(({ deliveries }) =>
      deliveries.some(({ mailbox, state }) => mailbox === 'pacs' && state === 'delivered'),
    );
    // Six of the seven, two reports, and the PDF of the structured report.
    expect(seen.deliveries.find(({ mailbox }) => mailbox === 'pacs')).toMatchObject({
      delivered: 9,
      of: 9,
      leftOut: { '1.2.840.10008.5.1.4.1.1.11.1': 1 },
      untagged: {},
    });
    const held = new Map((await orthanc.instances()).map((one) => [one.sopInstanceUid, one.orthancId]));
    expect(held.size).toBe(9);
    for (const { sopInstanceUid, bytes, fileName } of instances.slice(0, 6)) {
      const stored = await orthanc.file(held.get(sopInstanceUid) ?? 'missing');
      expect(compareOutsidePatch(bytes, stored), fileName).toMatchObject({
        equal: true,
        item: { patientId: bsn },
      });
      held.delete(sopInstanceUid);
    }
    expect(held.has(instances[6]?.sopInstanceUid ?? '')).toBe(false);
    const texts: string[] = [];
    for (const [at, orthancId] of [...held.values()].entries()) {
      const path = folder.file(`made-${at.toString()}.dcm`);
      await writeFile(path, await orthanc.file(orthancId));
      const { stdout: dump } = await run('dcmdump', [
        '+P',
        '0008,0016',
        '+P',
        '0010,0020',
        '+P',
        '0042,0010',
        path,
      ]);
      expect(dump).toContain('EncapsulatedPDFStorage');
      expect(dump).toContain(bsn);
      const out = folder.file(`made-${at.toString()}.pdf`);
      await run('dcm2pdf', [path, out]);
      texts.push((await run('pdftotext', ['-enc', 'UTF-8', out, '-'])).stdout);
    }
    expect(texts.some((text) => text.includes('Geen afwijkingen: é ë ï €'))).toBe(true);
    expect(texts).toHaveLength(3);
  }, 180_000);

  it('reaches who pulls with the reports as they were sent, and the BSN as Patient ID', async () => {
    const out = folder.file('received');
    const receiver = await startProgram([
      ...['receive', '--server', exchange.server, '--once', '--out', out],
      ...['--token-file', exchange.tokenFile('pulled'), '--mailbox', 'pulled'],
    ]);
    expect(await receiver.exited, receiver.stderr.join('\n')).toMatchObject({ code: 0 });
    const files = readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const reports = files.filter((path) => /\.(?:pdf|txt)$/.test(path));
    expect(reports).toHaveLength(2);
    expect(reports.some((path) => readFileSync(path).equals(pdf))).toBe(true);
    const dicom = files.filter((path) => path.endsWith('.dcm'));
    expect(dicom).toHaveLength(instances.length);
    for (const path of dicom) {
      const { stdout } = await run('dcmdump', [
        '-q',
        '+P',
        '0010,0020',
        '+P',
        '0010,0021',
        '+P',
        '0400,0565',
        path,
      ]);
      expect(stdout).toContain(`[${bsn}`);
      expect(stdout).toContain('[NLMINBIZA');
      // What the Patient ID was before stands in the Original Attributes Sequence, and as another id.
      expect(stdout).toContain('[02025066011');
      expect(stdout).toContain('[COERCE]');
    }
  }, 180_000);

  it('left the BSN and the names of the archive in no log', () => {
    const log = exchange.log.join('\n');
    expect(log).not.toContain(bsn);
    expect(log).not.toContain('Berg');
    expect(log).not.toContain('verslag');
  });
});

interface View {
  readonly state: string;
  readonly reasons: readonly string[];
  readonly deliveries: readonly { readonly mailbox: string; readonly state: string }[];
  readonly setAside: { readonly items: readonly { readonly why: string }[] };
}

async function upload(exchange: ExchangeProcess, bytes: Uint8Array, transfer: string): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const authorization = `Bearer ${readFileSync(exchange.tokenFile('sender'), 'utf8').trim()}`;
  const created = await fetch(`${exchange.server}/v1/uploads`, {
    method: 'POST',
    headers: {
      authorization,
      'tus-resumable': '1.0.0',
      'upload-length': bytes.byteLength.toString(),
      'upload-metadata': `transfer ${base64(transfer)},filetype ${base64('application/zip')}`,
    },
  });
  expect(created.status, await created.text()).toBe(201);
  const location = new URL(created.headers.get('location') ?? '', exchange.server);
  const sent = await fetch(location, {
    method: 'PATCH',
    headers: {
      authorization,
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    },
    body: Buffer.from(bytes),
  });
  expect(sent.status).toBe(204);
}

async function sealWith(exchange: ExchangeProcess, transfer: string): Promise<void> {
  const listed = (bytes: Uint8Array) => ({
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  const text = Buffer.from('Geen afwijkingen: é ë ï €\r\n', 'utf8');
  const { status, body } = await exchange.put('sender', `/v1/transfers/${transfer}/manifest`, {
    instances: instances.map(({ sopInstanceUid, bytes }) => ({ sopInstanceUid, ...listed(bytes) })),
    reports: [
      { ...listed(pdf), mediaType: 'application/pdf' },
      { ...listed(text), mediaType: 'text/plain' },
    ],
  });
  expect(status, JSON.stringify(body)).toBe(200);
}
