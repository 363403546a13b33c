import { describe, expect, it } from 'vitest';
import { ReportUnreadable } from '../../../src/study/rendering/fault.ts';
import { dejaVuSans } from '../../../src/study/rendering/fonts.ts';
import type { PrintedReport } from '../../../src/study/rendering/printed-report.ts';
import { reportPdf } from '../../../src/study/rendering/report-pdf.ts';
import { ShownText } from '../../../src/study/rendering/shown-text.ts';
import { readSrDocument } from '../../../src/study/rendering/sr-document.ts';
import { reportOfSr } from '../../../src/study/rendering/sr-report.ts';
import { pdfText, wordsOf } from './pdf-text.ts';
import { item, sr, textItem, utf8 } from './sr-builder.ts';

const SHA256 = Buffer.alloc(32, 7);
/** What Dutch and its neighbours write, ligatures that a font makes, and what only an embedded font has. */
const LETTERS =
  'é ë ï ö ü ß € – Ĳ ĳ Łódź Őrség žluťoučký κεφαλή Ёжик fijn efficiënt afflux ≤ ± µ ² ½ “ja” ‘n …';

function printed(text: string, language: 'nl' | 'en' = 'nl'): PrintedReport {
  const content = [
    textItem(utf8('Bevindingen'), utf8(text)),
    item(
      'CONTAINS',
      'CONTAINER',
      utf8('Conclusie'),
      [],
      [textItem(utf8('Slotsom'), utf8('Geen afwijkingen.'))],
    ),
  ];
  const document = readSrDocument(sr({ charset: 'ISO_IR 192', write: utf8, content }));
  if ('fault' in document) throw new Error(document.fault);
  return reportOfSr(document, language);
}

/** Without the three lines at the foot of each page, which are given by themselves. */
function readPages(pdf: Uint8Array): { body: string; feet: string[] } {
  const pages = pdfText(pdf).map((page) => page.split('\n'));
  return {
    body: pages.map((lines) => lines.slice(0, -3).join('\n')).join('\n'),
    feet: pages.map((lines) => lines.slice(-3).join('\n')),
  };
}

describe('a report as PDF', () => {
  it('has the words of the report, all of them and no others, in their order', () => {
    const { body } = readPages(reportPdf(printed(`Eerste alinea. ${LETTERS}\r\nTweede alinea.`), SHA256));
    expect(wordsOf(body)).toEqual(
      wordsOf(`
        Ziekenhuis Zuiderdiep
        Verslag röntgen
        Patiënt Müller-de Léon, mevr. Zoë
        Geboortedatum 17-04-1962
        Geslacht vrouw
        Patiëntnummer 02025066011
        Onderzoek CT thorax
        Datum onderzoek 29-02-2024
        Onderzoeknummer A2024000007
        Datum verslag 01-03-2024 10:15:00
        Status Volledig, niet geverifieerd
        Bevindingen
        Eerste alinea. ${LETTERS}
        Tweede alinea.
        Conclusie
        Slotsom
        Geen afwijkingen.`),
    );
  });

  it('speaks English where that is asked, and leaves the report as it is', () => {
    const { body, feet } = readPages(reportPdf(printed('Eén nodus.', 'en'), SHA256));
    expect(body).toContain('Date of birth\n1962-04-17');
    expect(body).toContain('Status\nComplete, not verified');
    expect(body).toContain('Eén nodus.');
    expect(feet).toEqual([
      'Page 1 of 1\nMüller-de Léon, mevr. Zoë · 1962-04-17 · 02025066011\nMade by Sluis from SOP Instance UID 1.2.826.0.1.3680043.8.498.1',
    ]);
  });

  it('says on each page whose it is, what it was made from, and which of how many it is', () => {
    const sentences = Array.from(
      { length: 1500 },
      (_, index) => `Zin ${index.toString()} over één afwijking.`,
    );
    const { body, feet } = readPages(reportPdf(printed(sentences.join(' ')), SHA256));
    expect(feet.length).toBeGreaterThan(5);
    for (const [page, foot] of feet.entries()) {
      expect(foot).toBe(
        `Bladzijde ${(page + 1).toString()} van ${feet.length.toString()}\n` +
          'Müller-de Léon, mevr. Zoë · 17-04-1962 · 02025066011\n' +
          'Gemaakt door Sluis uit SOP Instance UID 1.2.826.0.1.3680043.8.498.1',
      );
    }
    const words = wordsOf(body);
    const from = words.indexOf('Bevindingen') + 1;
    expect(words.slice(from, from + 1500 * 5).join(' ')).toBe(sentences.join(' '));
  });

  it('replaces what it cannot show, and says how often', () => {
    const report = printed('Naam 山田 of שלום, en de rest.');
    const { body } = readPages(reportPdf(report, SHA256));
    expect(wordsOf(body).join(' ')).toContain('Naam \ufffd\ufffd of \ufffd\ufffd\ufffd\ufffd, en de rest.');
    expect(wordsOf(body).join(' ')).toContain('zijn vervangen door \ufffd. Aantal: 6.');
    expect(readPages(reportPdf(printed(LETTERS), SHA256)).body).not.toContain('\ufffd');
  });

  it('is the same to the byte each time, and bears the date of the report', () => {
    const first = reportPdf(printed(LETTERS), SHA256);
    expect(reportPdf(printed(LETTERS), SHA256).equals(first)).toBe(true);
    expect(first.includes('(D:20240301101500Z)')).toBe(true);
    // The document's ID follows from its source.
    const idOf = (pdf: Buffer): string | undefined => /\/ID \[<(\w+)>/.exec(pdf.toString('latin1'))?.[1];
    expect(idOf(first)).toBeDefined();
    expect(idOf(reportPdf(printed(LETTERS), Buffer.alloc(32, 8)))).not.toBe(idOf(first));
  });

  it('is on A4 and holds its fonts: nothing of it depends on where it is opened', () => {
    const pdf = reportPdf(printed(LETTERS), SHA256).toString('latin1');
    expect(pdf).toMatch(/^%PDF-1\.7/);
    expect(pdf).toContain('/MediaBox [0 0 595.28 841.89]');
    expect([...pdf.matchAll(/\/FontFile2 /g)].length).toBe(2);
    expect(pdf).not.toContain('/Subtype /Type1');
    expect(pdf).toContain('<pdfaid:part>2</pdfaid:part>');
    expect(pdf).not.toContain('Léon');
  });

  it('lays out what has no blanks, or nothing but line ends, in time', () => {
    const { body } = readPages(reportPdf(printed('x'.repeat(60_000)), SHA256));
    expect(body.replace(/[^x]/g, '').length).toBeGreaterThanOrEqual(60_000);
    expect(readPages(reportPdf(printed('a\n\n'.repeat(4000)), SHA256)).body).toContain('Slotsom');
    const report = printed('a');
    const lines = { kind: 'text', depth: 0, text: 'a\n'.repeat(60_000) } as const;
    expect(() => reportPdf({ ...report, blocks: [lines] }, SHA256)).toThrow(ReportUnreadable);
  });
});

describe('a report that is made to cost time', () => {
  const blocks = (text: string): PrintedReport => ({
    ...printed('a'),
    blocks: [{ kind: 'text', depth: 0, text }],
  });

  it.each([
    ['blanks', `a${' '.repeat(1_000_000)}b`],
    ['tabs', `a${'\t'.repeat(250_000)}b`],
    ['blanks that hold words together', `a${'\u00a0b'.repeat(500_000)}c`],
    ['narrow blanks that do so too', `a${'\u202f'.repeat(1_000_000)}b`],
    ['line ends', `a${'\n'.repeat(1_000_000)}b`],
    ['marks that have to be put in order', `a${'\u0301\u0316'.repeat(500_000)}b`],
  ])('by %s is laid out or refused at once', (_, text) => {
    try {
      expect(readPages(reportPdf(blocks(text), SHA256)).body).toContain('a');
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(ReportUnreadable);
    }
  });

  it('by what stands beside its texts is refused', () => {
    const long = 'a '.repeat(600_000);
    const report = printed('a');
    const made: PrintedReport[] = [
      { ...report, title: long },
      { ...report, institution: long },
      { ...report, status: long },
      { ...report, head: [['Patiënt', long]] },
      { ...report, blocks: [{ kind: 'entry', depth: 0, label: long, text: 'a' }] },
    ];
    for (const one of made) expect(() => reportPdf(one, SHA256)).toThrow('it has more than 200 pages');
    expect(readPages(reportPdf({ ...report, patientLine: long }, SHA256)).feet[0]).toContain('…');
  });
});

describe('the characters that are shown', () => {
  /** The code points of a TrueType font by its cmap, format 4 or 12 (ISO 14496-22 section 5.2.1). */
  function codePoints(font: Buffer): Set<number> {
    const entry = Array.from({ length: font.readUInt16BE(4) }, (_, index) => 12 + 16 * index).find(
      (at) => font.toString('latin1', at, at + 4) === 'cmap',
    );
    const cmap = font.subarray(font.readUInt32BE((entry ?? 0) + 8));
    const found = new Set<number>();
    for (let index = 0; index < cmap.readUInt16BE(2); index++) {
      const table = cmap.subarray(cmap.readUInt32BE(4 + 8 * index + 4));
      if (table.readUInt16BE(0) !== 12) continue;
      for (let group = 0; group < table.readUInt32BE(12); group++) {
        const [first, last] = [table.readUInt32BE(16 + 12 * group), table.readUInt32BE(20 + 12 * group)];
        for (let code = first; code <= last; code++) found.add(code);
      }
    }
    return found;
  }

  it('are in both weights of the font', () => {
    const { regular, bold } = dejaVuSans();
    const inRegular = codePoints(regular);
    const inBold = codePoints(bold);
    const missing: string[] = [];
    let shown = 0;
    for (let code = 0x20; code < 0x1_0000; code++) {
      const text = new ShownText();
      if (!/^a[^\n]a$/.test(text.of(`a${String.fromCodePoint(code)}a`)) || text.replaced > 0) continue;
      shown += 1;
      if (!inRegular.has(code) || !inBold.has(code)) missing.push(code.toString(16));
    }
    expect(missing).toEqual([]);
    expect(shown).toBeGreaterThan(2500);
  });

  it('are composed, since that is how fonts have them', () => {
    expect(new ShownText().of('coe\u0308fficie\u0308nt')).toBe('coëfficiënt');
  });

  it('leave out what only says how text is broken or turned', () => {
    const text = new ShownText();
    expect(text.of('rönt\u00adgen\u200b\u202e \ufeffonderzoek')).toBe('röntgen onderzoek');
    expect(text.of('a\r\nb\rc\n\n\n\nd\te  ')).toBe('a\nb\nc\n\nd    e');
    expect(text.replaced).toBe(0);
    expect(text.of('\u0007\u{1f600}')).toBe('\ufffd\ufffd');
    expect(text.replaced).toBe(2);
  });

  it('stay what they are beside many marks, and the marks that are too many are counted', () => {
    const text = new ShownText();
    expect(text.of(`a${'\u0308'.repeat(29)}b`)).toBe(`ä${'\u0308'.repeat(28)}b`);
    expect(text.replaced).toBe(0);
    expect(text.of(`e\u0301${'\u0316'.repeat(40)}b`).at(-2)).toBe('\ufffd');
    expect(text.replaced).toBe(1);
  });
});
