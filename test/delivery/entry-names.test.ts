import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryName, entryNameBytes, ItemNames, mediaTypeOf } from '../../src/delivery/entry-names.ts';
import type { InstanceRecord } from '../../src/state/records.ts';

const image = (studyInstanceUid: string, seriesInstanceUid: string) => ({
  scan: { studyInstanceUid, seriesInstanceUid } as InstanceRecord['scan'],
  report: null,
});
const report = (mediaType: string) => ({ scan: null, report: { mediaType, origin: 'part' as const } });

describe('names in an archive', () => {
  it('are numbers, of the study, of the series in it, and of the instance in that', () => {
    const names = new ItemNames();
    const items = [
      image('1.2', '1.2.1'),
      image('1.2', '1.2.1'),
      report('application/pdf'),
      image('1.3', '1.2.1'),
      image('1.2', '1.2.9'),
      report('application/hl7-cda+xml'),
      image('1.2', '1.2.1'),
      report('text/plain'),
      image('', ''),
    ];
    expect(items.map((item) => entryName(names.next(item)))).toEqual([
      'DICOM/ST000001/SE000001/IM000001.dcm',
      'DICOM/ST000001/SE000001/IM000002.dcm',
      'reports/1.pdf',
      'DICOM/ST000002/SE000001/IM000001.dcm',
      'DICOM/ST000001/SE000002/IM000001.dcm',
      'reports/2.xml',
      'DICOM/ST000001/SE000001/IM000003.dcm',
      'reports/3.txt',
      'DICOM/ST000003/SE000001/IM000001.dcm',
    ]);
  });

  it('keep the media type of a report, and of a type that is not known say that', () => {
    const names = new ItemNames();
    for (const mediaType of ['application/pdf', 'text/xml', 'application/xml', 'text/plain']) {
      expect(mediaTypeOf(names.next(report(mediaType)))).toBe(mediaType);
    }
    const unknown = names.next(report('application/x-later'));
    expect([mediaTypeOf(unknown), entryName(unknown)]).toEqual(['application/octet-stream', 'reports/5.bin']);
    expect(mediaTypeOf(names.next(image('1.2', '1.3')))).toBe('application/dicom');
  });

  it('are as long as is said of them without making them', () => {
    const number = fc.oneof(fc.nat(2_000_000), fc.nat(2 ** 32 - 1));
    const name = fc.record({ kind: fc.nat(6), study: number, series: number, number });
    fc.assert(
      fc.property(name, (one) => {
        expect(entryNameBytes(one)).toBe(entryName(one).length);
      }),
    );
  });
});
