import { UNDEFINED, wholeHeader } from './element.ts';
import { DicomError } from './error.ts';
import { SEQUENCES_MAX, VALUE_BYTES_MAX } from './limits.ts';
import { collectOtherIds, type OtherId } from './other-ids.ts';
import type { Scan } from './scan.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { plainText } from './text.ts';
import { itemsEncoding, type OnValue, passOver, visitItems } from './visit.ts';
import type { Window } from './window.ts';

/** Where one of the dataset's own sequences lies; offsets in the instance. */
export interface SequenceSite {
  readonly tag: number;
  /** Its first byte, and behind its header, and behind the whole of it. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
  /** It ends at a delimiter. */
  readonly open: boolean;
  /** How its items are written. */
  readonly encoding: Encoding;
}

/** What an instance says of its own patient, raw: bytes and byte-for-character text, nothing decoded or judged. */
export interface IdentityValues {
  /** Values of the dataset itself; those over VALUE_BYTES_MAX are left out, free text is cut. */
  readonly own: ReadonlyMap<number, Uint8Array>;
  /** The items of the dataset's own (0010,1002), by number. */
  readonly otherIds: ReadonlyMap<number, OtherId>;
  /** (0040,0032) of the dataset's own (0010,0024); '' when absent. */
  readonly issuerUniversalEntityId: string;
  /** One more than SEQUENCES_MAX stands for any number. */
  readonly sequences: readonly SequenceSite[];
}

/** Where people write what has no place of its own. */
const FREE_TEXT = [Tag.additionalPatientHistory, Tag.patientComments, Tag.imageComments] as const;

const freeText: ReadonlySet<number> = new Set(FREE_TEXT);

const OWN: ReadonlySet<number> = new Set([
  Tag.specificCharacterSet,
  Tag.accessionNumber,
  Tag.patientName,
  Tag.patientId,
  Tag.issuerOfPatientId,
  Tag.patientBirthDate,
  Tag.patientSex,
  Tag.otherPatientIds,
  Tag.otherPatientNames,
  Tag.medicalRecordLocator,
  ...FREE_TEXT,
]);

/** Reads the dataset as far as the window goes and its tags ascend. Never throws for bytes that scan() accepted. */
export function readIdentityValues(window: Window, scan: Scan): IdentityValues {
  const found: Found = { own: new Map(), otherIds: new Map(), issuerUniversalEntityId: '', sequences: [] };
  passingOverFaults(() => collect(window, scan, found));
  return found;
}

/** IdentityValues while they are collected. */
interface Found extends IdentityValues {
  readonly own: Map<number, Uint8Array>;
  readonly otherIds: Map<number, OtherId>;
  issuerUniversalEntityId: string;
  readonly sequences: SequenceSite[];
}

function collect(window: Window, { datasetAt, encoding: dataset }: Scan, found: Found): void {
  const { bytes } = window;
  let last = -1;
  let at = datasetAt;
  for (;;) {
    // Pixel data reaches behind the window nearly always: an error for that, with its stack, cost 5 µs.
    const header = wholeHeader(window, at, dataset);
    if (header === undefined) return;
    const { tag, length } = header;
    // What comes twice must not replace what came first; the walk has it refused.
    if (tag <= last) return;
    last = tag;
    const from = at + header.bytes;
    const encoding = itemsEncoding(window, header, at, dataset);
    const to = passOver(window, at, header, dataset);
    if (encoding !== undefined) {
      const sequence = { tag, at, from, to, open: length === UNDEFINED, encoding };
      if (found.sequences.length <= SEQUENCES_MAX) found.sequences.push(sequence);
      if (tag === Tag.otherPatientIdsSequence)
        visit(window, sequence, collectOtherIds(bytes, found.otherIds));
      if (tag === Tag.issuerOfPatientIdQualifiers) visit(window, sequence, collectIssuer(bytes, found));
    } else if (OWN.has(tag) && (length <= VALUE_BYTES_MAX || freeText.has(tag))) {
      found.own.set(tag, bytes.subarray(from, Math.min(to, from + VALUE_BYTES_MAX)));
    }
    at = to;
  }
}

function collectIssuer(bytes: Uint8Array, into: Found): OnValue {
  return (tag, from, to, path) => {
    const belongs = tag === Tag.universalEntityId && path.length === 1 && path[0]?.item === 0;
    if (belongs && to - from <= VALUE_BYTES_MAX) into.issuerUniversalEntityId = plainText(bytes, from, to);
  };
}

/** Reads all that a sequence holds, however deep; what cannot be read inside ends it without an error. */
export function visit(window: Window, sequence: SequenceSite, onValue: OnValue): void {
  const { tag, from, to, open, encoding } = sequence;
  passingOverFaults(() => visitItems(window, { tag, from, limit: to, open, encoding }, onValue));
}

function passingOverFaults(read: () => void): void {
  try {
    read();
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown;
  }
}
