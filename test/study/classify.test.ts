import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/study/classify.ts';
import { setAsideText } from '../../src/study/set-aside.ts';
import { fuzz } from './support.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const preamble = `${'\0'.repeat(128)}DICM`;
/** File meta with this SOP class, as PS3.10 section 7.1 has it. */
const part10 = (sopClass: string): string =>
  `${preamble}\x02\0\0\0UL\x04\0\x40\0\0\0\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01` +
  `\x02\0\x02\0UI${String.fromCharCode(sopClass.length)}\0${sopClass}\x02\0\x03\0UI`;
const ct = part10('1.2.840.10008.5.1.4.1.1.2\0');
const directory = part10('1.2.840.10008.1.3.10');
const cda =
  '<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet href="cda.xsl"?>\n<!-- <x> -->\n' +
  '<ClinicalDocument xmlns="urn:hl7-org:v3">';
const text = 'Geen afwijkingen.\r\n';
const noise = '\x13\x37\x00\xff\x80';

/** As 'instance', the type of a report, or why it is set aside. */
function seen(name: string, content: string | undefined, bytes = content?.length ?? 9): string {
  const found = classify(name, bytes, content === undefined ? undefined : latin1(content));
  if (found.kind === 'report') return found.contentType;
  return found.kind === 'set-aside' ? found.why : 'instance';
}

describe('a file of an archive', () => {
  it.each([
    // DICOM, by what it is
    ['DICOM/IM000001', ct, 'instance'],
    ['scan.jpg', ct, 'instance'],
    ['viewer/demo.exe', ct, 'instance'],
    ['study.zip', ct, 'instance'],
    ['._IM1', ct, 'instance'],
    ['IMAGES/A', '\x08\0\x05\0CS\x02\0', 'instance'],
    ['IMAGES/A', '\x02\0\0\0UL\x04\0', 'instance'],
    ['IMAGES/A', '\0\x08\0\x05CS\0\x02', 'instance'],
    ['IMAGES/A', '\x08\0\x05\0\x0a\0\0\0ISO_IR 100', 'instance'],
    ['IMAGES/A', '\x08\0\x05\0\xff\0\0\0ISO_IR 100', 'unknown'],
    ['IMAGES/A', '\x02\0\x05\0\x01\0\0\0\x01', 'unknown'],
    ['a.bin', '\x08\0\x05\0CS\x02\0', 'instance'],
    // DICOM, by its name: broken, so it is held
    ['a.dcm', noise, 'instance'],
    ['A.IMA', text, 'instance'],
    ['a.dicom', '%PDF-1.4', 'instance'],
    ['a.dcm', '', 'instance'],
    ['a.dcm', undefined, 'instance'],
    ['DICOM/IM000001', '\0\0\0\0', 'instance'],
    ['DICOM/IM000001', '', 'instance'],
    ['1.2.840.113619.2.55.3.2831164.10', noise, 'instance'],
    ['CT.1.2.840.113619.2.55.3', noise, 'instance'],
    ['nobody-knows', undefined, 'instance'],
    // The table of contents of a disc
    ['DICOMDIR', directory, 'directory-record'],
    ['dicomdir', noise, 'directory-record'],
    ['DICOMDIR', undefined, 'directory-record'],
    ['inhoud', directory, 'directory-record'],
    ['x.dcm', directory, 'directory-record'],
    // Reports
    ['verslag.pdf', '%PDF-1.7', 'application/pdf'],
    ['verslag', '%PDF-1.7', 'application/pdf'],
    ['verslag.pdf', noise, 'application/pdf'],
    ['verslag.pdf', '', 'application/pdf'],
    ['verslag.pdf', undefined, 'application/pdf'],
    ['verslag.xml', cda, 'text/xml'],
    ['verslag', `\xef\xbb\xbf${cda}`, 'text/xml'],
    ['verslag.cda', '<hl7:ClinicalDocument\nxmlns:hl7="urn:hl7-org:v3">', 'text/xml'],
    ['verslag.xml', undefined, 'text/xml'],
    ['verslag.txt', text, 'text/plain'],
    ['CONCLUSIE.TXT', 'pati\xebnt \xe9\xe9n', 'text/plain'],
    ['verslag.txt', undefined, 'text/plain'],
    // What a viewer brings along
    ['autorun.inf', '[autorun]', 'viewer'],
    ['VIEWER/start.exe', 'MZ\x90\0', 'viewer'],
    ['start', 'MZ\x90\0', 'viewer'],
    ['lib/core.dll', undefined, 'viewer'],
    ['viewer.jar', 'PK\x03\x04', 'viewer'],
    ['Viewer.app/Contents/Info', text, 'viewer'],
    ['Viewer.app/Contents/manual.pdf', '%PDF-1.4', 'viewer'],
    ['linux/viewer', '\x7fELF\x02', 'viewer'],
    ['INDEX.HTM', '<!DOCTYPE html><html>', 'viewer'],
    ['help/index', '<html>', 'viewer'],
    ['help/style.css', 'body { }', 'viewer'],
    ['app.js', '// %PDF-', 'viewer'],
    ['app.xsl', '<xsl:stylesheet>', 'viewer'],
    ['README.TXT', text, 'viewer'],
    ['Licence.txt', text, 'viewer'],
    ['LEESMIJ.txt', text, 'viewer'],
    ['LICENSE', text, 'viewer'],
    ['Gebruikershandleiding.pdf', '%PDF-1.4', 'viewer'],
    // What an operating system leaves
    ['IMAGES/Thumbs.db', '\xd0\xcf\x11\xe0', 'system-file'],
    ['.DS_Store', '\0\0\0\x01Bud1', 'system-file'],
    ['desktop.ini', '[.ShellClassInfo]', 'system-file'],
    ['__MACOSX/DICOM/._IM000001', '\0\x05\x16\x07', 'system-file'],
    ['DICOM/._a.dcm', '\0\x05\x16\x07', 'system-file'],
    ['DICOM/a.dcm', '\0\x05\x16\x07', 'system-file'],
    ['.Spotlight-V100/store', noise, 'system-file'],
    // The rest
    ['foto.jpg', '\xff\xd8\xff\xe0\0', 'picture'],
    ['IM000001', '\xff\xd8\xff\xe0\0', 'picture'],
    ['echo.avi', 'RIFF', 'picture'],
    ['scan.tif', 'II*\0', 'picture'],
    ['more.zip', 'PK\x03\x04', 'archive'],
    ['more', 'PK\x05\x06', 'archive'],
    ['more.tar.gz', '\x1f\x8b', 'archive'],
    ['brief.docx', 'PK\x03\x04', 'document'],
    ['brief.doc', '\xd0\xcf\x11\xe0', 'document'],
    ['verslag.txt', 'MZ: niet van toepassing', 'text/plain'],
    ['uitslag.rtf', '{\\rtf1', 'document'],
    ['config.xml', '<?xml version="1.0"?><settings>', 'document'],
    ['verslag.xml', `<!DOCTYPE ClinicalDocument>${cda}`, 'document'],
    ['verslag.txt', '\xff\xfeG\0e\0', 'document'],
    ['lijst.csv', 'a;b', 'document'],
    ['leeg', '', 'empty'],
    ['leeg.txt', '', 'empty'],
    ['iets', noise, 'unknown'],
    ['iets.dat', noise, 'unknown'],
    ['notities', text, 'unknown'],
    ['', noise, 'unknown'],
  ])('%j that begins with %j is: %s', (name, content, expected) => {
    expect(seen(name, content)).toBe(expected);
  });

  it('is always something, quickly, and said in two languages when it is set aside', () => {
    const anyName = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: fc.constantFrom('1', '.', '_', 'a', '/', 'IM', 'x.'), maxLength: 300 }),
    );
    const anyHead = fc.oneof(
      fc.uint8Array({ maxLength: 4096 }),
      fc
        .string({ unit: fc.constantFrom('<', '?', '!', '-', ' ', 'a', '>', 'html'), maxLength: 4096 })
        .map(latin1),
      fc.constant(undefined),
    );
    fc.assert(
      fc.property(anyName, anyHead, (name, head) => {
        const found = classify(name, head?.byteLength ?? 1, head);
        if (found.kind === 'set-aside')
          expect(setAsideText[found.why]).toEqual({
            en: expect.stringMatching(/\w/),
            nl: expect.stringMatching(/\w/),
          });
      }),
      fuzz,
    );
  });
});
