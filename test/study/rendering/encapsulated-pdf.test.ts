import dcmjs from 'dcmjs';
import dicomParser from 'dicom-parser';
import { describe, expect, it } from 'vitest';
import { DatasetWalk } from '../../../src/dicom/completeness.ts';
import { NL_2010 } from '../../../src/dicom/dialect.ts';
import { applyEdits, patch, patchNeeds } from '../../../src/dicom/patch.ts';
import { type Scan, scan } from '../../../src/dicom/scan.ts';
import { type Encapsulated, encapsulatePdf } from '../../../src/study/rendering/encapsulated-pdf.ts';
import {
  contextText,
  type SourceContext,
  sourceContextOf,
} from '../../../src/study/rendering/source-context.ts';
import { bsnItem, ct, ENCODINGS, part10 } from '../../dicom/builder.ts';
import { SR_UID, sr } from './sr-builder.ts';

const PDF = Buffer.from('%PDF-1.7 odd length\n%%EOF');

function scanned(bytes: Uint8Array): Scan {
  const found = scan(bytes, bytes.byteLength);
  if ('need' in found) throw new Error('the whole instance is there');
  return found;
}

const contextOf = (bytes: Uint8Array): SourceContext => sourceContextOf(bytes, scanned(bytes));

function encapsulated(
  source: Uint8Array,
  more: Partial<Parameters<typeof encapsulatePdf>[0]> = {},
): Encapsulated {
  return encapsulatePdf({
    context: contextOf(source),
    pdf: PDF,
    title: Buffer.from('Verslag röntgen', 'latin1'),
    seriesDescription: 'Verslag in PDF (Sluis)',
    concept: undefined,
    verification: 'VERIFIED',
    contentDate: Buffer.from('20240301'),
    contentTime: Buffer.from('101500'),
    source: { sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11', sopInstanceUid: SR_UID },
    sourceSha256: Buffer.alloc(32, 3),
    ...more,
  });
}

describe('an Encapsulated PDF', () => {
  it('is read by dicom-parser as what it is', () => {
    const { instance, sopInstanceUid } = encapsulated(sr());
    const dataset = dicomParser.parseDicom(instance);
    expect(dataset.warnings).toEqual([]);
    const texts = {
      x00020010: '1.2.840.10008.1.2.1',
      x00080016: '1.2.840.10008.5.1.4.1.1.104.1',
      x00080018: sopInstanceUid,
      x00080020: '20240229',
      x00080023: '20240301',
      x00080050: 'A2024000007',
      x00080060: 'DOC',
      x00080064: 'WSD',
      x00080070: 'Sluis',
      x00100020: '02025066011',
      x00100021: 'ZZD',
      x00100030: '19620417',
      x0020000d: '1.2.826.0.1.3680043.8.498.2',
      x00280301: 'YES',
      x0040a493: 'VERIFIED',
      x00420010: 'Verslag röntgen',
      x00420012: 'application/pdf',
    };
    for (const [tag, text] of Object.entries(texts)) expect(dataset.string(tag)).toBe(text);
    expect(dataset.uint32('x00420015')).toBe(PDF.byteLength);
    const source = dataset.elements.x00420013?.items?.[0]?.dataSet;
    expect(source?.string('x00081150')).toBe('1.2.840.10008.5.1.4.1.1.88.11');
    expect(source?.string('x00081155')).toBe(SR_UID);
    const stored = dataset.elements.x00420011;
    expect(stored?.length).toBe(PDF.byteLength + (PDF.byteLength % 2));
    const at = stored?.dataOffset ?? 0;
    expect(instance.subarray(at, at + PDF.byteLength)).toEqual(PDF);
  });

  it('is read by dcmjs, with the letters of its patient and title', () => {
    const { instance } = encapsulated(sr());
    const { DicomMessage } = dcmjs.data as unknown as {
      DicomMessage: { readFile(bytes: ArrayBufferLike): { dict: Record<string, { Value: unknown[] }> } };
    };
    const copy = instance.buffer.slice(instance.byteOffset, instance.byteOffset + instance.byteLength);
    const { dict } = DicomMessage.readFile(copy);
    expect(JSON.stringify(dict['00100010']?.Value)).toContain('Müller-de Léon^Zoë^^mevr.');
    expect(dict['00420010']?.Value).toEqual(['Verslag röntgen']);
  });

  it('is an instance like any other: whole, and tagged while it is sent', () => {
    const { instance, sopInstanceUid } = encapsulated(sr());
    const found = scanned(instance);
    expect(found).toMatchObject({ sopInstanceUid, modality: 'DOC', encoding: 'explicit-le' });
    const walk = new DatasetWalk(found, instance.byteLength);
    walk.feed(instance);
    expect(walk.end()).toEqual({ complete: true });

    const needs = patchNeeds(found);
    const seen = needs && instance.subarray(needs.start, needs.end);
    const { edits } = patch(found, { dialect: NL_2010, bsn: '999990019' }, seen);
    const tagged = Buffer.from(applyEdits(instance, edits));
    expect(dicomParser.parseDicom(tagged).elements.x00101002?.items?.[0]?.dataSet?.string('x00100020')).toBe(
      '999990019',
    );
  });

  it('has the same UIDs for the same parts, and others for any others', () => {
    const first = encapsulated(sr());
    const again = encapsulated(sr());
    expect(Buffer.from(again.instance).equals(first.instance)).toBe(true);
    expect(first.sopInstanceUid).toMatch(/^2\.25\.[1-9][0-9]{36,38}$/);
    const series = (one: Encapsulated) => scanned(one.instance).seriesInstanceUid;
    expect(series(first)).toMatch(/^2\.25\./);
    expect(series(first)).not.toBe(first.sopInstanceUid);

    const someoneElse = sr({ more: [{ tag: 0x00100020, vr: 'LO', value: '02025066029' }] });
    const others = [
      encapsulated(someoneElse),
      encapsulated(sr(), { pdf: Buffer.concat([PDF, PDF]) }),
      encapsulated(sr(), { title: Buffer.from('Brief') }),
      encapsulated(sr(), { sourceSha256: Buffer.alloc(32, 4) }),
    ];
    expect(new Set([first, ...others].map((one) => one.sopInstanceUid)).size).toBe(5);
    expect(new Set([first, ...others].map(series)).size).toBe(5);
  });

  it('of a document names no source, and without a study there is none', () => {
    const { instance } = encapsulated(sr(), { source: null, verification: undefined });
    const dataset = dicomParser.parseDicom(instance);
    expect(dataset.elements.x00420013).toBeUndefined();
    expect(dataset.elements.x0040a493).toBeUndefined();
    const context = { ...contextOf(sr()), elements: [] };
    expect(() => encapsulated(sr(), { context })).toThrow('its study has no UID');
  });
});

describe('the context of a source', () => {
  it.each(ENCODINGS)('in %s is its patient and study, byte for byte', (encoding) => {
    const more = [
      { tag: 0x00080090, vr: 'PN', value: Buffer.from('Groß^José', 'latin1') },
      { tag: 0x00100010, vr: 'PN', value: Buffer.from('M\xfcller^Zo\xeb', 'latin1') },
      {
        tag: 0x00100024,
        vr: 'SQ',
        items: [
          [
            { tag: 0x00400032, vr: 'UT', value: '1.2.3' },
            { tag: 0x00400033, vr: 'CS', value: 'ISO' },
          ],
        ],
      },
      { tag: 0x00101000, vr: 'LO', value: '999990019' },
      {
        tag: 0x00101002,
        vr: 'SQ',
        items: [bsnItem('999990019'), bsnItem('999990020')],
        open: true,
        openItems: true,
      },
      { tag: 0x00104000, vr: 'LT', value: 'opmerking' },
      { tag: 0x00200010, vr: 'SH', value: '12' },
    ];
    const source = part10(ct(more), encoding);
    const dataset = dicomParser.parseDicom(encapsulated(source).instance);
    const raw = (tag: string): string => {
      const element = dataset.elements[tag];
      if (element === undefined) return 'absent';
      return Buffer.from(dataset.byteArray).toString(
        'latin1',
        element.dataOffset,
        element.dataOffset + element.length,
      );
    };
    expect(raw('x00080005')).toBe('ISO_IR 100');
    expect(raw('x00100010')).toBe('M\xfcller^Zo\xeb');
    expect(raw('x00080090')).toBe('Gro\xdf^Jos\xe9 ');
    expect(raw('x00101000')).toBe('999990019 ');
    expect(raw('x00200010')).toBe('12');
    expect(raw('x00104000')).toBe('absent');
    expect(raw('x00080030')).toBe('');
    const ids = dataset.elements.x00101002?.items ?? [];
    expect(ids.map(({ dataSet }) => dataSet?.string('x00100020'))).toEqual(['999990019', '999990020']);
    const qualifiers = ids[1]?.dataSet?.elements.x00100024?.items?.[0]?.dataSet;
    expect(qualifiers?.string('x00400032')).toBe('2.16.840.1.113883.2.4.6.3');
    expect(dataset.elements.x00100024?.items?.[0]?.dataSet?.string('x00400032')).toBe('1.2.3');
  });

  it('is what stands in the window, and survives the way to a worker', () => {
    const source = sr();
    const context = contextOf(source);
    expect(contextText(context, 0x00100010)).toBe('Müller-de Léon^Zoë^^mevr.');
    expect(structuredClone(context)).toEqual(context);
    for (const { ...element } of context.elements) {
      if ('value' in element) expect(element.value.buffer.byteLength).toBe(element.value.byteLength);
    }
    const cut = sourceContextOf(source.subarray(0, scanned(source).scannedTo - 20), scanned(source));
    expect(contextText(cut, 0x00100020)).toBe('02025066011');
    expect(cut.elements.find(({ tag }) => tag === 0x00200010)).toEqual({
      tag: 0x00200010,
      vr: 'SH',
      value: new Uint8Array(0),
    });
  });
});
