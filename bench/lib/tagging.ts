import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { NL_2010 } from '../../src/dicom/dialect.ts';
import type { Edit } from '../../src/dicom/edit.ts';
import { WINDOW_BYTES_FIRST } from '../../src/dicom/limits.ts';
import { applyEdits, patch, patchNeeds } from '../../src/dicom/patch.ts';
import { type Scan, scan } from '../../src/dicom/scan.ts';

export const BSN = '999990019';
const RECIPE = {
  dialect: NL_2010,
  bsn: BSN,
  issuer: { issuerOfPatientId: 'ZUIDERDIEP', universalEntityId: null, universalEntityIdType: null },
};

/**
 * What it takes to have a tagged instance ready to be sent: opens the file, reads and scans its head, plans the
 * edits, makes the patched head, closes. What lies behind the last edit goes out of the file as it is.
 */
export function tagFile(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { window, found } = scanFile(file, fstatSync(file).size);
    const needs = patchNeeds(found);
    const { edits } = patch(found, RECIPE, needs && window.subarray(needs.start, needs.end));
    return patchedHead(window, edits);
  } finally {
    closeSync(file);
  }
}

function scanFile(file: number, bytes: number): { window: Buffer; found: Scan } {
  for (let wanted = Math.min(WINDOW_BYTES_FIRST, bytes); ; ) {
    const buffer = Buffer.allocUnsafe(wanted);
    const window = buffer.subarray(0, readSync(file, buffer, 0, wanted, 0));
    const found = scan(window, bytes);
    if (!('need' in found)) return { window, found };
    wanted = found.need;
  }
}

function patchedHead(window: Buffer, edits: readonly Edit[]): Uint8Array {
  const last = edits.at(-1);
  if (last === undefined) throw new Error('nothing was tagged');
  return applyEdits(window.subarray(0, last.at + last.remove), edits);
}
