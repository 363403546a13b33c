import { describe, expect, it } from 'vitest';
import { NL_2010 } from '../../src/dicom/dialect.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { scan } from '../../src/dicom/scan.ts';
import {
  type Built,
  CT_CLASS,
  counted,
  ct,
  dataset,
  ENCODINGS,
  encodeItem,
  part10,
  SYNTAX,
} from './builder.ts';
import { ANNA, expectExact, faultOf, patchWhole, scanWhole, walk } from './support.ts';

const PRIVATE: Built[] = [
  { tag: 0x00090010, vr: 'LO', value: 'MAKER' },
  { tag: 0x00091001, vr: 'UN', value: Buffer.alloc(10, 7) },
];

describe.each(ENCODINGS)('an instance in %s', (encoding) => {
  it('yields its identifiers and where its dataset begins and was left', () => {
    const bytes = part10(ct(), encoding);
    const found = scanWhole(bytes);
    const tail = dataset(
      ct().filter(({ tag }) => tag > 0x0020000e),
      encoding,
    );
    expect(found).toMatchObject({
      sopClassUid: CT_CLASS,
      sopInstanceUid: '1.2.3.4',
      studyInstanceUid: '1.2.3',
      seriesInstanceUid: '1.2.3.5',
      modality: 'CT',
      transferSyntaxUid: SYNTAX[encoding],
      encoding,
      datasetAt: bytes.byteLength - dataset(ct(), encoding).byteLength,
      scannedTo: bytes.byteLength - tail.byteLength,
    });
  });

  it('is accepted without preamble and file meta when it names its SOP class', () => {
    const found = scanWhole(dataset(ct(), encoding));
    expect(found).toMatchObject({ encoding, transferSyntaxUid: SYNTAX[encoding], datasetAt: 0 });
  });

  it('is not accepted without file meta when nothing says what it is', () => {
    const bytes = dataset(
      ct().filter(({ tag }) => tag !== 0x00080016),
      encoding,
    );
    expect(faultOf(() => scanWhole(bytes)).code).toBe('NOT_DICOM');
  });

  it('is read past private groups and sequences without length, nested and in UN', () => {
    const inner: Built = { tag: 0x00081150, vr: 'UI', value: '1.2' };
    const deep: Built = { tag: 0x00081199, vr: 'SQ', items: [[inner], []], open: true, openItems: true };
    const more: Built[] = [
      ...PRIVATE,
      { tag: 0x00081115, vr: 'SQ', items: [[deep], [inner]], open: true },
      { tag: 0x00091002, vr: 'UN', items: [[inner, deep]], open: true, openItems: true },
      { tag: 0x00091003, vr: encoding === 'implicit-le' ? 'UN' : 'SQ', items: [[deep]] },
    ];
    expect(scanWhole(part10(ct(more), encoding)).studyInstanceUid).toBe('1.2.3');
  });

  it('is read past values of every representation, long or short, and group lengths anywhere', () => {
    const long = ['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'];
    const short = 'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' ');
    const values = [...long, ...short].map(
      (vr, index): Built => ({ tag: 0x00091000 + index, vr, value: Buffer.alloc(8, 0x20) }),
    );
    const item = counted([{ tag: 0x00081150, vr: 'UI', value: '1.2' }], 0x0008, encoding);
    const nested: Built = { tag: 0x00081115, vr: 'SQ', items: [item], open: true, openItems: true };
    const groups = [0x0008, 0x0009, 0x0010, 0x0011, 0x0020, 0x0028, 0x7fe0];
    const elements = groups.reduce(
      (list, group) => counted(list, group, encoding),
      ct([...values, nested, { tag: 0x00110010, vr: 'LO', value: 'MAKER' }]),
    );
    const bytes = part10(elements, encoding);
    const found = scanWhole(bytes);
    expect(found.studyInstanceUid).toBe('1.2.3');
    expect(walk(bytes, found)).toEqual({ complete: true });
    expect(found.sites.groups.map(({ group }) => group)).toEqual([0x0009, 0x0010, 0x0011]);
  });

  it('is read where the preamble is missing, or the file meta, or all but the letters', () => {
    const whole = part10(ct(), encoding);
    const meta = whole.subarray(132, whole.byteLength - dataset(ct(), encoding).byteLength);
    const bare = dataset(ct(), encoding);
    const expected = scanWhole(whole);
    for (const [bytes, datasetAt] of [
      [Buffer.concat([meta, bare]), meta.byteLength],
      [Buffer.concat([whole.subarray(0, 132), bare]), 132],
    ] as const) {
      const found = scanWhole(bytes);
      expect(found).toMatchObject({ ...expected, datasetAt, scannedTo: expect.any(Number), sites: {} });
      const edits = patchWhole(bytes, found, NL_2010, ANNA);
      expectExact(bytes, applyEdits(bytes, edits), edits);
      expect(walk(applyEdits(bytes, edits), scanWhole(applyEdits(bytes, edits)))).toEqual({ complete: true });
    }
  });

  it('is read when it goes on far behind 4 GiB, and cut there too', () => {
    const gib = 2 ** 30;
    const frames: Built = { tag: 0x7fe00010, vr: 'OB', value: '', lie: 0xffffffff };
    const head = part10(
      ct([frames]),
      encoding,
      encoding === 'explicit-le' ? '1.2.840.10008.1.2.4.50' : undefined,
    );
    const found = scan(head, 9 * gib);
    if ('need' in found) throw new Error('the head is all there');
    expect(patchWhole(head, found, NL_2010, ANNA).length).toBeGreaterThan(0);

    const document: Built = { tag: 0x00091010, vr: 'OB', value: '', lie: 0xfffffff0 };
    const fault = faultOf(() => scan(part10(ct([document]), encoding), 9 * gib));
    expect(fault).toMatchObject({ code: 'HEAD_TOO_LARGE', tag: '0009,1010' });
  });

  it('asks for a window that reaches behind a private block of a megabyte, and no further than that takes', () => {
    const big: Built = { tag: 0x00091001, vr: 'OB', value: Buffer.alloc(1_000_000) };
    const bytes = part10(ct([big]), encoding);
    const asked: number[] = [];
    let window: Uint8Array = new Uint8Array(0);
    for (;;) {
      const found = scan(window, bytes.byteLength);
      if (!('need' in found)) break;
      asked.push(found.need);
      window = bytes.subarray(0, found.need);
    }
    expect(asked).toEqual([32 * 1024, bytes.byteLength]);
  });

  it('is refused when its file meta declares another encoding', () => {
    const others = ENCODINGS.filter((other) => other !== encoding);
    for (const other of others) {
      const fault = faultOf(() => scanWhole(part10(ct(), encoding, SYNTAX[other])));
      expect(fault).toMatchObject({ code: 'SYNTAX_LIES' });
      expect(fault.reason).toContain(other);
    }
  });

  it.each([
    ['twice', [...ct().slice(0, 5), ...ct().slice(4)], '0008,0060'],
    ['out of order', [...ct().slice(0, 5), ...ct().slice(3)], '0008,0050'],
  ] as const)('is refused when an element is there %s, with its tag', (_, elements, tag) => {
    expect(faultOf(() => scanWhole(part10(elements, encoding)))).toMatchObject({ code: 'MALFORMED', tag });
  });

  it('is refused when sequences are nested deeper than 64, defined or not', () => {
    const nest = (levels: number): Built => ({
      tag: 0x00081115,
      vr: 'SQ',
      open: true,
      items: levels === 1 ? [] : [[nest(levels - 1)]],
      openItems: true,
    });
    expect(scanWhole(part10(ct([nest(64)]), encoding)).modality).toBe('CT');
    expect(faultOf(() => scanWhole(part10(ct([nest(65)]), encoding))).code).toBe('TOO_DEEP');
    const level = dataset([{ tag: 0x00081115, vr: 'SQ', value: '', lie: 0xffffffff }], encoding);
    const item = dataset([{ tag: 0xfffee000, vr: '', value: '', lie: 0xffffffff }], 'implicit-le');
    const step = Buffer.concat([
      level,
      encoding === 'explicit-be' ? item.subarray(0, 4).swap16() : item.subarray(0, 4),
      item.subarray(4),
    ]);
    const head = part10(ct().slice(0, 5), encoding);
    const deep = Buffer.concat([head, ...Array<Buffer>(3000).fill(step)]);
    expect(faultOf(() => scanWhole(deep)).code).toBe('TOO_DEEP');
  });

  it('is refused when its Other Patient IDs are longer than any patient has, with the place', () => {
    for (const open of [false, true]) {
      // Of empty items, 8 bytes each; a delimiter takes the room of one.
      const others = (count: number): Built => {
        return { tag: 0x00101002, vr: 'SQ', items: Array<Built[]>(count).fill([]), open };
      };
      const most = (64 * 1024) / 8 - (open ? 1 : 0);
      const { otherPatientIdsSequence } = scanWhole(part10(ct([others(most)]), encoding)).sites;
      expect(otherPatientIdsSequence.state).toBe(open ? 'undefined' : 'defined');
      const refused = part10(ct([others(most + 1)]), encoding);
      const fault = faultOf(() => scanWhole(refused));
      expect(fault).toMatchObject({ code: 'MALFORMED', tag: '0010,1002' });
      expect(fault.reason).toContain('far too long');
      expect(fault.offset).toBe(refused.indexOf(dataset([others(most + 1)], encoding)));
    }
  });

  it('is refused for them before a byte of them is asked for', () => {
    const element: Built = { tag: 0x00101002, vr: 'SQ', value: '', lie: 60_000_000 };
    const bytes = part10(
      ct()
        .filter(({ tag }) => tag < 0x00101002)
        .concat(element),
      encoding,
    );
    expect(faultOf(() => scan(bytes, 8 * 2 ** 30))).toMatchObject({ code: 'MALFORMED', tag: '0010,1002' });
  });

  it('is refused as truncated when an element is longer than what is left, with the offset', () => {
    const bytes = part10(ct([{ tag: 0x00091001, vr: 'OB', value: 'ab', lie: 0xfffffff0 }]), encoding);
    const fault = faultOf(() => scanWhole(bytes));
    expect(fault).toMatchObject({ code: 'TRUNCATED', tag: '0009,1001' });
    const header = dataset([{ tag: 0x00091001, vr: 'OB', value: 'ab', lie: 0xfffffff0 }], encoding);
    expect(fault.offset).toBe(bytes.indexOf(header));
  });
});

describe('scan', () => {
  it('takes the UIDs of the file meta when the dataset has none', () => {
    const bare = ct().filter(({ tag }) => tag !== 0x00080016 && tag !== 0x00080018);
    expect(scanWhole(part10(bare, 'explicit-le'))).toMatchObject({
      sopClassUid: CT_CLASS,
      sopInstanceUid: '1.2.3.4',
    });
  });

  it('ends the file meta where its group ends, whatever its length says', () => {
    const bytes = part10(ct(), 'explicit-le');
    const expected = scanWhole(bytes);
    for (const lie of [0, 1, 7, 0xffff, 0xffffffff]) {
      const lying = Buffer.from(bytes);
      lying.writeUInt32LE(lie, 140);
      expect(scanWhole(lying)).toEqual(expected);
    }
    const without = Buffer.concat([bytes.subarray(0, 132), bytes.subarray(144)]);
    expect(scanWhole(without).datasetAt).toBe(expected.datasetAt - 12);
  });

  it.each([
    '1.2.840.10008.1.2.4.50',
    '1.2.840.10008.1.2.1.98',
    '1.2.840.10008.1.2.4.202',
    '1.2.840.10008.1.2.5',
    '1.2.840.10008.1.2.8.1',
  ])('reads the encapsulated syntax %s as explicit little endian', (syntax) => {
    expect(scanWhole(part10(ct(), 'explicit-le', syntax))).toMatchObject({ encoding: 'explicit-le' });
  });

  it.each([
    '1.2.840.10008.1.2.1.99',
    '1.2.840.10008.1.2.4.95',
    '1.2.840.10008.1.2.4.205',
    '1.2.9.9',
    'a word',
  ])('refuses the syntax %s by its code', (syntax) => {
    const fault = faultOf(() => scanWhole(part10(ct(), 'explicit-le', syntax)));
    expect(fault).toMatchObject({ code: 'SYNTAX_UNSUPPORTED', tag: '0002,0010' });
  });

  it('refuses a value representation that does not exist', () => {
    const bytes = part10(ct([{ tag: 0x00091001, vr: 'ZZ', value: 'ab' }]), 'explicit-le');
    expect(faultOf(() => scanWhole(bytes))).toMatchObject({ code: 'MALFORMED', tag: '0009,1001' });
  });

  it('refuses as a UID what could not be a key or part of a file name', () => {
    for (const uid of ['../../etc', '1.2.Jansen', '1..2', '1'.repeat(65)]) {
      const bytes = part10(ct([{ tag: 0x00080018, vr: 'UI', value: uid }]), 'explicit-le');
      expect(faultOf(() => scanWhole(bytes))).toMatchObject({ code: 'MALFORMED', tag: '0008,0018' });
    }
  });

  it('refuses a head that goes on for more than 16 MiB, and looks at none of it', () => {
    const elements = ct([{ tag: 0x00091001, vr: 'OB', value: '', lie: 0xf0000000 }]);
    const bytes = part10(elements, 'explicit-le');
    expect(faultOf(() => scan(bytes, 8 * 2 ** 30))).toMatchObject({ code: 'HEAD_TOO_LARGE' });
  });

  it.each([
    ['an empty file', Buffer.alloc(0), 'empty'],
    ['text', Buffer.from('Dear colleague,\r\nplease find the images attached.\n'.repeat(20)), 'text'],
    ['a ZIP archive', Buffer.from('PK\x03\x04'.padEnd(400, '\x07'), 'latin1'), 'ZIP'],
    ['a PDF', Buffer.from('%PDF-1.7 '.padEnd(400, 'x')), 'PDF'],
    ['a JPEG', Buffer.from('\xff\xd8\xff\xe0'.padEnd(400, '\x01'), 'latin1'), 'JPEG'],
    ['zeros', Buffer.alloc(4096), 'zeros'],
    ['noise', Buffer.alloc(4096, Uint8Array.of(0xc3, 0x01)), 'neither'],
    ['a single byte', Buffer.from([8]), 'neither'],
  ])('says what %s is instead of DICOM', (_, bytes, word) => {
    const fault = faultOf(() => scan(bytes, bytes.byteLength));
    expect(fault.code).toBe('NOT_DICOM');
    expect(fault.reason).toContain(word);
  });

  it('never quotes a value in an error', () => {
    const bytes = part10(ct([{ tag: 0x00080018, vr: 'UI', value: 'Jansen^Anna' }]), 'explicit-le');
    const fault = faultOf(() => scanWhole(bytes));
    expect(`${fault.message} ${fault.reason}`).not.toContain('Jansen');
  });

  it('holds nothing of the patient: it goes into records as it is', () => {
    const text = JSON.stringify(scanWhole(part10(ct(), 'explicit-le')));
    for (const secret of ['Jansen', '02025066011', '19700101']) expect(text).not.toContain(secret);
    const named = ct([{ tag: 0x00080060, vr: 'CS', value: 'Jansen^Anna' }]);
    expect(scanWhole(part10(named, 'explicit-le')).modality).toBe('');
  });

  it('is not led astray by a delimiter inside a fragment of pixel data in a private icon', () => {
    const delimiter = Buffer.from('feffdde000000000', 'hex');
    const fragments = Buffer.concat([
      encodeItem([], 'explicit-le'),
      Buffer.from('feff00e008000000', 'hex'),
      delimiter,
      delimiter,
    ]);
    const icon: Built = { tag: 0x7fe00010, vr: 'OB', value: fragments, lie: 0xffffffff };
    const bytes = part10(
      ct([{ tag: 0x00091001, vr: 'SQ', items: [[icon]], open: true, openItems: true }]),
      'explicit-le',
    );
    const found = scanWhole(bytes);
    expect(found.studyInstanceUid).toBe('1.2.3');
    expect(walk(bytes, found)).toEqual({ complete: true });
  });
});
