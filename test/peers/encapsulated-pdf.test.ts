import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { scan } from '../../src/dicom/scan.ts';
import type { Encapsulated } from '../../src/study/rendering/encapsulated-pdf.ts';
import { type ReportToRender, renderReport } from '../../src/study/rendering/render-report.ts';
import { sourceContextOf } from '../../src/study/rendering/source-context.ts';
import { samples, samplesAreHere } from '../dicom/samples.ts';
import { wordsOf } from '../study/rendering/pdf-text.ts';
import { item, sr, textItem, utf8 } from '../study/rendering/sr-builder.ts';
import { smallPdf } from '../support/study/documents.ts';
import { openTempFolder } from '../support/temp-folder.ts';

const run = promisify(execFile);
const folder = await openTempFolder('encapsulated-pdf');
afterAll(() => folder.remove());

/** What a tool prints; one that is not installed fails the test, one that complains does not. */
async function output(tool: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(tool, args, { maxBuffer: 16 * 1024 ** 2 });
  return stdout + stderr;
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The instance in a file of its own. */
async function rendered(name: string, input: ReportToRender): Promise<Encapsulated & { path: string }> {
  const found = renderReport(input);
  if ('fault' in found) throw new Error(found.fault);
  const path = folder.file(`${name}.dcm`);
  await writeFile(path, found.instance);
  return { ...found, path };
}

/** The words of the PDF in the instance, as dcm2pdf takes it out and pdftotext reads it. */
async function wordsIn(path: string): Promise<string[]> {
  const pdf = path.replace(/dcm$/, 'pdf');
  await output('dcm2pdf', path, pdf);
  return wordsOf(await output('pdftotext', '-enc', 'UTF-8', '-raw', pdf, '-'));
}

async function expectSound(path: string): Promise<void> {
  const dump = await output('dcmdump', path);
  expect(dump).toContain('EncapsulatedPDFStorage');
  expect(dump).not.toMatch(/^[EW]: /m);
  const verdict = await output('dciodvfy', path);
  expect(verdict).toContain('EncapsulatedPDF');
  expect(verdict.match(/^Error.*$/gm)).toBeNull();
}

const LETTERS = 'é ë ï ö ü ß € – Ĳ ĳ Łódź fijn efficiënt afflux “ja” ≤ ±';
const content = [
  textItem(utf8('Bevindingen'), utf8(`Letters: ${LETTERS}.`)),
  item(
    'CONTAINS',
    'CONTAINER',
    utf8('Conclusie'),
    [],
    [textItem(utf8('Slotsom'), utf8('Geen afwijkingen.'))],
  ),
];
const report = sr({ charset: 'ISO_IR 192', write: utf8, content });

describe('a report that was made into an Encapsulated PDF', () => {
  it('is without error for dcmdump and dciodvfy, and has the words of its SR', async () => {
    const { path } = await rendered('sr', {
      kind: 'sr',
      bytes: report,
      sourceSha256: sha256(report),
      language: 'nl',
    });
    await expectSound(path);
    const words = (await wordsIn(path)).join(' ');
    expect(words).toContain(`Bevindingen Letters: ${LETTERS}. Conclusie Slotsom Geen afwijkingen.`);
    expect(words).toContain('Status Volledig, niet geverifieerd');
    expect(words).toContain('Müller-de Léon, mevr. Zoë');
  });

  it.each(['pdf', 'cda', 'text'] as const)('of %s is without error for them too', async (kind) => {
    const cda =
      '<ClinicalDocument><title>Uitslag</title><component><structuredBody><component><section>' +
      '<text>Geen afwijkingen.</text></section></component></structuredBody></component></ClinicalDocument>';
    const bytes = { pdf: smallPdf(), cda: Buffer.from(cda), text: Buffer.from('Geen afwijkingen.') }[kind];
    const found = scan(report, report.byteLength);
    if ('need' in found) throw new Error('the whole report is there');
    const context = sourceContextOf(report, found);
    const { path } = await rendered(kind, {
      kind,
      bytes,
      context,
      sourceSha256: sha256(bytes),
      language: 'nl',
    });
    await expectSound(path);
    if (kind === 'pdf') {
      await output('dcm2pdf', path, folder.file('same.pdf'));
      expect(await readFile(folder.file('same.pdf'))).toEqual(smallPdf());
    } else {
      expect((await wordsIn(path)).join(' ')).toContain('Geen afwijkingen.');
    }
  });

  it.runIf(samplesAreHere)('of a public SR has the texts that dsr2html shows', async () => {
    const bytes = samples().find(({ name }) => name === 'test-SR.dcm')?.bytes ?? Buffer.alloc(0);
    const source = folder.file('source.dcm');
    await writeFile(source, bytes);
    const html = await output('dsr2html', '+U8', source);
    const { path } = await rendered('sample', {
      kind: 'sr',
      bytes,
      sourceSha256: sha256(bytes),
      language: 'en',
    });
    const words = (await wordsIn(path)).join(' ');
    for (const text of [
      'Sample Text',
      'Inferred Sample Text',
      'A mass of',
      'was detected.',
      'Sample Code 3',
      'Jörg',
    ]) {
      expect(html).toContain(text);
      expect(words).toContain(text);
    }
  });
});
