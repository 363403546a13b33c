import { HEADER_BYTES_MIN, readHeader, UNDEFINED } from './element.ts';
import { DicomError } from './error.ts';
import { NESTED_VALUES_MAX, VALUE_BYTES_MAX } from './limits.ts';
import { collectOtherIds, type OtherId } from './other-ids.ts';
import type { Scan } from './scan.ts';
import { Tag } from './tags.ts';
import { plainText } from './text.ts';
import { itemsEncoding, type OnValue, passOver, visitItems } from './visit.ts';
import { Window } from './window.ts';

/** What identifies people in an instance, raw: bytes and byte-for-character text, nothing decoded or judged. */
export interface IdentityValues {
  /** Values of the dataset itself; those over VALUE_BYTES_MAX are left out. */
  readonly own: ReadonlyMap<number, Uint8Array>;
  /** The items of the dataset's own (0010,1002), by number. */
  readonly otherIds: ReadonlyMap<number, OtherId>;
  /** (0040,0032) of the dataset's own (0010,0024); '' when absent. */
  readonly issuerUniversalEntityId: string;
  /**
   * What nested datasets call their patient: ids of (0010,0020) and (0010,1000), names of (0010,0010).
   * One more than NESTED_VALUES_MAX stands for any number.
   */
  readonly nestedIds: ReadonlySet<string>;
  readonly nestedNames: ReadonlySet<string>;
}

const OWN: ReadonlySet<number> = new Set([
  Tag.specificCharacterSet,
  Tag.accessionNumber,
  Tag.patientName,
  Tag.patientId,
  Tag.issuerOfPatientId,
  Tag.patientBirthDate,
  Tag.patientSex,
  Tag.otherPatientIds,
]);

/** Reads the dataset as far as the window goes. Never throws for bytes that scan() accepted. */
export function readIdentityValues(bytes: Uint8Array, scan: Scan): IdentityValues {
  const own = new Map<number, Uint8Array>();
  const nested = new NestedIdentities(bytes);
  const window = new Window(bytes, bytes.byteLength);
  let at = scan.datasetAt;
  passingOverFaults(() => {
    while (at + HEADER_BYTES_MIN <= bytes.byteLength) {
      const header = readHeader(window, at, scan.encoding);
      const { tag, length } = header;
      const from = at + header.bytes;
      const encoding = itemsEncoding(window, header, at, scan.encoding);
      const end = passOver(window, at, header, scan.encoding);
      if (encoding !== undefined) {
        const sequence = { tag, from, limit: end, open: length === UNDEFINED, encoding };
        // What cannot be read inside does not hide what stands behind.
        passingOverFaults(() => visitItems(window, sequence, nested.collectorOf(tag)));
      } else if (OWN.has(tag) && length <= VALUE_BYTES_MAX) {
        own.set(tag, bytes.subarray(from, end));
      }
      at = end;
    }
  });
  const { otherIds, issuerUniversalEntityId, ids, names } = nested;
  return { own, otherIds, issuerUniversalEntityId, nestedIds: ids, nestedNames: names };
}

class NestedIdentities {
  readonly otherIds = new Map<number, OtherId>();
  readonly ids = new Set<string>();
  readonly names = new Set<string>();
  issuerUniversalEntityId = '';
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  collectorOf(sequence: number): OnValue {
    if (sequence === Tag.otherPatientIdsSequence) return collectOtherIds(this.#bytes, this.otherIds);
    return (tag, from, to, path) => {
      if (to - from > VALUE_BYTES_MAX) return;
      const text = () => plainText(this.#bytes.subarray(from, to));
      if (tag === Tag.patientName && this.names.size <= NESTED_VALUES_MAX) this.names.add(text());
      const isId = tag === Tag.patientId || tag === Tag.otherPatientIds;
      if (isId && this.ids.size <= NESTED_VALUES_MAX) this.ids.add(text());
      const qualifies =
        sequence === Tag.issuerOfPatientIdQualifiers && path.length === 1 && path[0]?.item === 0;
      if (qualifies && tag === Tag.universalEntityId) this.issuerUniversalEntityId = text();
    };
  }
}

function passingOverFaults(read: () => void): void {
  try {
    read();
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown;
  }
}
