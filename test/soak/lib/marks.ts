import { datasetOf } from '../../support/dicom-file.ts';
import { EXPLICIT_LE, type Form, readElement, type WalkedElement } from '../../support/dicom-walk.ts';

/** Where one element or item lies, so that damage can be aimed at its parts. */
export interface Mark {
  readonly at: number;
  /** Where its length begins, and how many bytes that has. */
  readonly lengthAt: number;
  readonly lengthBytes: 2 | 4;
  readonly valueAt: number;
  readonly end: number;
  readonly bigEndian: boolean;
}

const DEPTH_MAX = 8;

/** All elements and items of a file, nested ones too, as far as it can be walked. Deflated: the meta's alone. */
export function marksOf(bytes: Buffer): Mark[] {
  const marks: Mark[] = [];
  try {
    const { datasetAt, form, deflated } = datasetOf(bytes);
    const metaAt = bytes.toString('latin1', 128, 132) === 'DICM' ? 132 : 0;
    if (datasetAt > metaAt) mark(bytes, metaAt, datasetAt, EXPLICIT_LE, marks, 0);
    if (!deflated) mark(bytes, datasetAt, bytes.byteLength, form, marks, 0);
  } catch {
    // What is broken already has the marks before its break.
  }
  return marks;
}

function mark(bytes: Buffer, from: number, to: number, form: Form, into: Mark[], depth: number): void {
  for (let at = from; at < to; ) {
    const element = readElement(bytes, at, to, form);
    into.push(markOf(element, form));
    for (const item of element.items ?? []) {
      const place = { at: item.at, lengthAt: item.at + 4, valueAt: item.valueAt, end: item.end };
      into.push({ ...place, lengthBytes: 4, bigEndian: item.form.bigEndian });
      // Fragments of pixel data are items too, and hold no elements.
      if (depth < DEPTH_MAX && element.tag !== 0x7fe0_0010) {
        mark(bytes, item.valueAt, item.valueEnd, item.form, into, depth + 1);
      }
    }
    at = element.end;
  }
}

const markOf = (element: WalkedElement, { bigEndian }: Form): Mark => ({
  at: element.at,
  lengthAt: element.lengthAt,
  lengthBytes: element.valueAt - element.lengthAt === 2 ? 2 : 4,
  valueAt: element.valueAt,
  end: element.end,
  bigEndian,
});
