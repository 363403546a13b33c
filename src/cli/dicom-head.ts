import { deflatedAt } from '../dicom/deflated.ts';
import { DicomError } from '../dicom/error.ts';
import { IDENTITY_BYTES } from '../dicom/limits.ts';
import { type Form, type Scan, scan } from '../dicom/scan.ts';
import { type FirstBytes, firstInflated } from './first-bytes.ts';

/** The first bytes of an instance, and what they say. */
export interface DicomHead {
  /** As many as the scan wanted. */
  readonly window: Uint8Array;
  readonly scan: Scan | undefined;
  /** Why there is no scan; undefined beside none when there are fewer bytes than were promised. */
  readonly fault: DicomError | undefined;
}

/**
 * Looks at the head of an instance of `size` bytes as the exchange does, so that both find the same; of a
 * deflated dataset at its inflated form.
 */
export async function readHead(first: FirstBytes, size: number): Promise<DicomHead> {
  const head = await look(first, size, 'stored');
  if (head.fault?.code !== 'SYNTAX_UNSUPPORTED') return head;
  const at = deflatedAt(head.window, size);
  if (typeof at !== 'number') return head;
  const meta = head.window.subarray(0, at);
  const dataset = firstInflated(first, size, at);
  const inflated: FirstBytes = async (bytes) => Buffer.concat([meta, await dataset(bytes - at)]);
  try {
    // How much there is of it only its end would tell.
    const found = await look(inflated, Number.MAX_SAFE_INTEGER, 'inflated');
    const isShort = found.scan === undefined && found.fault === undefined;
    return isShort ? await look(inflated, found.window.byteLength, 'inflated') : found;
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && `${String(thrown.code)}`.startsWith('Z_')))
      throw thrown;
    return { ...head, fault: new DicomError('MALFORMED', 'the deflated dataset is corrupt', at) };
  }
}

async function look(first: FirstBytes, size: number, form: Form): Promise<DicomHead> {
  for (let wanted = Math.min(IDENTITY_BYTES, size); ; ) {
    const window = await first(wanted);
    try {
      const found = scan(window, size, form);
      if (!('need' in found)) return { window, scan: found, fault: undefined };
      // A file that shrank meanwhile would ask for the same bytes for ever.
      if (window.byteLength < wanted) return { window, scan: undefined, fault: undefined };
      wanted = found.need;
    } catch (thrown) {
      if (!(thrown instanceof DicomError)) throw thrown;
      return { window, scan: undefined, fault: thrown };
    }
  }
}
