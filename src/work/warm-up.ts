import { encodeText } from '../dicom/encode.ts';
import { Tag } from '../dicom/tags.ts';
import { Inspector } from './inspector.ts';

/** PS3.10 section 7.1. */
const PREAMBLE = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);

/** Inspects a small instance made up for it, so that whatever comes first finds everything loaded and compiled once. */
export function warmUp(): void {
  const text = (tag: number, value: string): Uint8Array => encodeText(tag, 'LO', value, 'explicit-le');
  const instance = Buffer.concat([
    PREAMBLE,
    text(Tag.transferSyntaxUid, '1.2.840.10008.1.2.1'),
    text(Tag.sopClassUid, '1.2.840.10008.5.1.4.1.1.2'),
    text(Tag.sopInstanceUid, '1.2'),
    text(Tag.patientId, '1'),
    text(Tag.studyInstanceUid, '1.2'),
    text(Tag.seriesInstanceUid, '1.2'),
    text(Tag.pixelData, ''),
  ]);
  const inspector = new Inspector(instance.byteLength);
  inspector.feed(instance);
  inspector.finish();
}
