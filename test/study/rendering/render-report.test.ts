import { createHash } from 'node:crypto';
import dicomParser from 'dicom-parser';
import { describe, expect, it, vi } from 'vitest';
import { scan } from '../../../src/dicom/scan.ts';
import { derivedUid } from '../../../src/study/rendering/derived-uid.ts';
import type { Encapsulated } from '../../../src/study/rendering/encapsulated-pdf.ts';
import { type ReportToRender, renderReport } from '../../../src/study/rendering/render-report.ts';
import { type SourceContext, sourceContextOf } from '../../../src/study/rendering/source-context.ts';
import { titleBytes } from '../../../src/study/rendering/title-bytes.ts';
import type { Built } from '../../dicom/builder.ts';
import { smallPdf } from '../../support/study/documents.ts';
import { pdfText, wordsOf } from './pdf-text.ts';
import { SR_UID, sr, textItem, utf8 } from './sr-builder.ts';

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

function contextOf(bytes: Uint8Array): SourceContext {
  const found = scan(bytes, bytes.byteLength);
  if ('need' in found) throw new Error('the whole instance is there');
  return sourceContextOf(bytes, found);
}

function document(kind: 'pdf' | 'cda' | 'text', bytes: Uint8Array, source = sr()): ReportToRender {
  return { kind, bytes, context: contextOf(source), sourceSha256: sha256(bytes), language: 'nl' };
}

function rendered(input: ReportToRender): Encapsulated {
  const found = renderReport(input);
  if ('fault' in found) throw new Error(found.fault);
  return found;
}

/** The PDF in an instance, found by a parser of its own. */
function pdfOf({ instance }: Encapsulated): Buffer {
  const dataset = dicomParser.parseDicom(instance);
  const at = dataset.elements.x00420011?.dataOffset ?? 0;
  return Buffer.from(instance.subarray(at, at + (dataset.uint32('x00420015') ?? 0)));
}

const textOf = (one: Encapsulated): string => wordsOf(pdfText(pdfOf(one)).join('\n')).join(' ');

describe('a structured report', () => {
  const bytes = sr({
    charset: 'ISO_IR 192',
    write: utf8,
    content: [textItem(utf8('Conclusie'), utf8('é ë ï ö ü ß € – Ĳ: geen afwijkingen.'))],
  });
  const input: ReportToRender = { kind: 'sr', bytes, sourceSha256: sha256(bytes), language: 'nl' };

  it('becomes an instance of its own, that names it', () => {
    const one = rendered(input);
    const dataset = dicomParser.parseDicom(one.instance);
    expect(textOf(one)).toContain('Conclusie é ë ï ö ü ß € – Ĳ: geen afwijkingen.');
    expect(textOf(one)).toContain(`Gemaakt door Sluis uit SOP Instance UID ${SR_UID}`);
    expect(dataset.elements.x00420013?.items?.[0]?.dataSet?.string('x00081155')).toBe(SR_UID);
    expect(dataset.string('x0040a493')).toBe('UNVERIFIED');
    const concept = dataset.elements.x0040a043?.items?.[0]?.dataSet;
    expect(concept?.string('x00080100')).toBe('18748-4');
    expect(Buffer.from(dataset.string('x00420010') ?? '', 'latin1').toString()).toBe('Verslag röntgen');
    expect(one.sopInstanceUid).not.toBe(SR_UID);
  });

  it('gives the same bytes each time, and another instance in another language', () => {
    const [one, again] = [rendered(input), rendered(input)];
    expect(Buffer.from(one.instance).equals(again.instance)).toBe(true);
    const english = rendered({ ...input, language: 'en' });
    expect(english.sopInstanceUid).not.toBe(one.sopInstanceUid);
    expect(textOf(english)).toContain('Made by Sluis from');
  });

  it('gives the same bytes at any time and in any time zone', () => {
    const one = rendered(input);
    const zone = process.env.TZ;
    vi.useFakeTimers({ now: new Date('2031-07-01T23:30:00Z'), toFake: ['Date'] });
    try {
      process.env.TZ = 'Pacific/Kiritimati';
      expect(Buffer.from(rendered(input).instance).equals(one.instance)).toBe(true);
    } finally {
      vi.useRealTimers();
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  it('that cannot be read is a fault', () => {
    expect(renderReport({ ...input, bytes: bytes.subarray(0, 600) })).toHaveProperty('fault');
    expect(renderReport({ ...input, bytes: sr({ content: [] }) })).toEqual({ fault: 'it has no content' });
  });
});

describe('a document', () => {
  it('of PDF is wrapped as it is', () => {
    const one = rendered(document('pdf', smallPdf()));
    expect(pdfOf(one)).toEqual(smallPdf());
    expect(dicomParser.parseDicom(one.instance).string('x00420010')).toBe('Verslag');
    expect(renderReport(document('pdf', Buffer.from('no pdf')))).toEqual({ fault: 'it is no PDF' });
  });

  it.each([
    ['UTF-8', Buffer.from('\ufeffGeen afwijkingen: één coëfficiënt, € 5.\r\nEinde.', 'utf8')],
    [
      'windows-1252',
      Buffer.from('Geen afwijkingen: \xe9\xe9n co\xebffici\xebnt, \x80 5.\r\nEinde.', 'latin1'),
    ],
  ])('of text in %s is laid out under the patient of its study', (_, bytes) => {
    const one = rendered(document('text', bytes));
    expect(textOf(one)).toContain('Patiënt Müller-de Léon, mevr. Zoë');
    expect(textOf(one)).toContain('Geen afwijkingen: één coëfficiënt, € 5. Einde.');
    expect(textOf(one)).toContain(
      `een document van het type text/plain, SHA-256 ${sha256(bytes).toString('hex')}`,
    );
  });

  it('of text that says the same of two patients makes two instances', () => {
    const text = Buffer.from('Geen afwijkingen.');
    const other = sr({ more: [{ tag: 0x00100020, vr: 'LO', value: '02025066029' }] });
    expect(rendered(document('text', text)).sopInstanceUid).not.toBe(
      rendered(document('text', text, other)).sopInstanceUid,
    );
  });

  it('of CDA is laid out, or gives the PDF that it carries', () => {
    const cda = (body: string): Buffer =>
      Buffer.from(
        `<ClinicalDocument><title>Uitslag</title><component>${body}</component></ClinicalDocument>`,
      );
    const section =
      '<structuredBody><component><section><text>Geen afwijkingen.</text></section></component></structuredBody>';
    const one = rendered(document('cda', cda(section)));
    expect(textOf(one)).toContain('Uitslag Status Status niet vermeld Geen afwijkingen.');
    const base64 = smallPdf().toString('base64');
    const body = `<nonXMLBody><text mediaType="application/pdf" representation="B64">${base64}</text></nonXMLBody>`;
    const carried = rendered(document('cda', cda(body)));
    expect(pdfOf(carried)).toEqual(smallPdf());
    expect(dicomParser.parseDicom(carried.instance).string('x00420010')).toBe('Uitslag');
    expect(renderReport(document('cda', Buffer.from('<a/>')))).toEqual({ fault: 'it is no CDA document' });
  });

  it('of CDA that carries a PDF without an end is a fault', () => {
    const cut = smallPdf().subarray(0, -20).toString('base64');
    const body = `<nonXMLBody><text mediaType="application/pdf" representation="B64">${cut}</text></nonXMLBody>`;
    const cda = Buffer.from(`<ClinicalDocument><component>${body}</component></ClinicalDocument>`);
    expect(renderReport(document('cda', cda))).toEqual({ fault: 'the PDF has no end' });
  });

  it('that is made to cost time by blanks is laid out all the same', () => {
    const bytes = Buffer.from(`Eén.${' \n'.repeat(2_000_000)}`);
    expect(textOf(rendered(document('text', bytes)))).toContain('Eén.');
    const between = Buffer.from(`Eén.${' '.repeat(16 * 1024 ** 2 - 10)}b`);
    expect(renderReport(document('text', between))).toEqual({ fault: 'it has more than 200 pages' });
  });

  it('that is empty or too large is a fault', () => {
    expect(renderReport(document('text', Buffer.from(' \n ')))).toEqual({ fault: 'it has no text' });
    expect(renderReport(document('text', Buffer.alloc(16 * 1024 ** 2 + 1, 0x20)))).toEqual({
      fault: 'it is larger than 16 MiB',
    });
    expect(renderReport(document('text', Buffer.alloc(16 * 1024 ** 2, 0x61)))).toEqual({
      fault: 'it has more than 200 pages',
    });
  });
});

describe('a CDA document about another patient than its study', () => {
  const BSN = '2.16.840.1.113883.2.4.6.3';
  const cda = (role: string, targets = 1): Buffer =>
    Buffer.from(
      `<ClinicalDocument>${`<recordTarget><patientRole>${role}</patientRole></recordTarget>`.repeat(targets)}` +
        '<component><nonXMLBody><text>Geen afwijkingen.</text></nonXMLBody></component></ClinicalDocument>',
    );
  const number = (root: string, extension: string): string => `<id root="${root}" extension="${extension}"/>`;
  const otherId = (id: string): Built => ({
    tag: 0x00101002,
    vr: 'SQ',
    items: [
      [
        { tag: 0x00100020, vr: 'LO', value: id },
        { tag: 0x00100021, vr: 'LO', value: 'NLMINBIZA' },
        { tag: 0x00100022, vr: 'CS', value: 'TEXT' },
      ],
    ],
  });
  const issuer: Built = {
    tag: 0x00100024,
    vr: 'SQ',
    items: [
      [
        { tag: 0x00400032, vr: 'UT', value: '1.2.4' },
        { tag: 0x00400033, vr: 'CS', value: 'ISO' },
      ],
    ],
  };
  const study = (...more: Built[]): Buffer => sr({ more });
  const faultOf = (role: string, source: Buffer, targets = 1): string => {
    const found = renderReport(document('cda', cda(role, targets), source));
    return 'fault' in found ? found.fault : '';
  };
  const patient = (inner: string): string => `<patient>${inner}</patient>`;

  it.each([
    ['another BSN', number(BSN, '123456782'), study(otherId('999990019'))],
    ['another BSN', number(BSN, '123456782'), study({ tag: 0x00101000, vr: 'LO', value: '999990019' })],
    ['another patient number of the same issuer', number('1.2.4', 'ZZD-8'), study(issuer)],
    ['another date of birth', patient('<birthTime value="19620418"/>'), study()],
    ['another sex', patient('<administrativeGenderCode code="M"/>'), study()],
    ['another name', patient('<name><given>Jan</given> <family>Pietersen</family></name>'), study()],
  ])('has %s', (what, role, source) => {
    expect(faultOf(role, source)).toBe(`it is about another patient than its study: ${what}`);
  });

  it('is not one that has them in common, or does not say', () => {
    for (const [role, source] of [
      [number(BSN, '999990019') + patient('<name>Jan Pietersen</name>'), study(otherId('999990019'))],
      [number(BSN, '99990019'.padStart(9, '9')), study(otherId('999990019'))],
      [number(BSN, '123456782'), study()],
      [number('1.2.5', 'ZZD-8'), study(issuer)],
      [number('1.2.4', '02025066011') + number('1.2.4', 'ZZD-8'), study(issuer)],
      [patient('<birthTime value="1962"/>'), study()],
      [patient('<birthTime value="19620417120000+0100"/><name>Jan Pietersen</name>'), study()],
      [patient('<administrativeGenderCode code="UN"/>'), study()],
      [patient('<name>Mevr. Z. van LEON</name>'), study()],
      [patient('<name nullFlavor="UNK"/>'), study()],
      ['', study()],
    ] as const) {
      expect(faultOf(role, source)).toBe('');
    }
  });

  it('may be about several, and then it is of none', () => {
    expect(faultOf(number(BSN, '999990019'), study(otherId('999990019')), 2)).toBe(
      'it is about several patients',
    );
  });

  it('is said so without a value of it', () => {
    const role = number(BSN, '123456782') + patient('<name>Jan Pietersen</name>');
    expect(faultOf(role, study(otherId('999990019')))).not.toMatch(/\d|Piet/);
  });
});

describe('a title', () => {
  it.each([
    ['ISO_IR 100', 'Verslag röntgen Dvořák €', 'Verslag röntgen Dvorák ?'],
    ['ISO_IR 192', 'Verslag röntgen €\n2', 'Verslag r\xc3\xb6ntgen \xe2\x82\xac 2'],
    ['', 'Verslag röntgen', 'Verslag rontgen'],
    ['ISO 2022 IR 100\\ISO 2022 IR 144', 'één', 'één'],
    ['ISO_IR 144', 'één', 'een'],
  ])('in %j is what that set can write', (charset, title, written) => {
    expect(Buffer.from(titleBytes(title, charset)).toString('latin1')).toBe(written);
  });

  it('is cut before it is composed, which takes long of many marks', () => {
    expect(titleBytes(`e${'\u0301\u0316'.repeat(500_000)}`, 'ISO_IR 100').byteLength).toBeLessThanOrEqual(
      1024,
    );
    expect(titleBytes('e\u0308'.repeat(1024), 'ISO_IR 100').byteLength).toBe(1024);
  });

  it('is cut where it is too long, between characters', () => {
    expect(titleBytes('ë'.repeat(600), 'ISO_IR 192').byteLength).toBe(1024);
    expect(titleBytes(`a${'ë'.repeat(600)}`, 'ISO_IR 192').byteLength).toBe(1023);
    expect(titleBytes('ë'.repeat(2000), 'ISO_IR 100').byteLength).toBe(1024);
  });
});

describe('a derived UID', () => {
  it('is the decimal form of a version 8 UUID that follows from purpose and name', () => {
    const uid = derivedUid('series', Buffer.from('x'));
    expect(derivedUid('series', Buffer.from('x'))).toBe(uid);
    expect(derivedUid('instance', Buffer.from('x'))).not.toBe(uid);
    expect(derivedUid('series', Buffer.from('y'))).not.toBe(uid);
    const hex = BigInt(uid.slice('2.25.'.length)).toString(16).padStart(32, '0');
    expect(hex).toMatch(/^[0-9a-f]{12}8[0-9a-f]{3}[89ab]/);
  });
});
