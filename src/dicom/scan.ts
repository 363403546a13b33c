import { HEADER_BYTES_MIN, type Header, readHeader, tagAt } from './element.ts';
import { DicomError } from './error.ts';
import { CountedGroups, isCounted } from './groups.ts';
import { VALUE_BYTES_MAX } from './limits.ts';
import { type Meta, readMeta } from './meta.ts';
import { PatientSiteFinder } from './patient-sites.ts';
import { lookFurther } from './second-look.ts';
import type { Sites } from './sites.ts';
import { notDicom, sniff, sniffBare } from './sniff.ts';
import { type Encoding, encodingOf, SYNTAX_OF } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';
import { isUid, plainText } from './text.ts';
import { passOver } from './visit.ts';
import { Window, WindowEnds } from './window.ts';

export type { Encoding } from './syntaxes.ts';

/**
 * What one look at an instance's head found. Plain data that goes into a record as it is: offsets,
 * lengths and UIDs, never a value that identifies a person.
 */
export interface Scan {
  /** UIDs are '' when absent; class and instance come from the file meta if the dataset has none. */
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly modality: string;
  /** As declared; the plain syntax of the encoding that was found when nothing is declared. */
  readonly transferSyntaxUid: string;
  readonly encoding: Encoding;
  /** Offset of the dataset's first element, behind preamble and file meta; 0 when there are neither. */
  readonly datasetAt: number;
  /** Offset of the first element behind (0020,000E), or the instance's end: where a walk goes on. */
  readonly scannedTo: number;
  /** Where a patch may cut in; meant for patch.ts only. */
  readonly sites: Sites;
}

/** `inflated`: a dataset of a deflated transfer syntax, inflated behind the file meta that still names it. */
export type Form = 'stored' | 'inflated';

/**
 * Looks at the head of an instance of `instanceBytes` bytes, of which `window` holds the first.
 * `need` asks for that many bytes from the start: never more than there are, always more than there were.
 *
 * @throws DicomError, and nothing else, for whatever is not a dataset that can be read and cut exactly
 */
export function scan(
  window: Uint8Array,
  instanceBytes: number,
  form: Form = 'stored',
): Scan | { need: number } {
  const head = new Window(window, instanceBytes);
  try {
    if (instanceBytes > 0) head.require(1, 0);
    return scanHead(head, form);
  } catch (thrown) {
    if (thrown instanceof WindowEnds) return { need: thrown.need };
    throw thrown;
  }
}

function scanHead(window: Window, form: Form): Scan {
  const meta = readMeta(window);
  const encoding = datasetEncoding(window, meta, form);
  const head = readHead(window, meta.datasetAt, encoding);
  const { uids } = head;
  // Without a declared syntax only this tells a dataset from bytes that happen to begin like one.
  if (meta.transferSyntaxUid === '' && !uids.has(Tag.sopClassUid)) throw unnamed(meta);
  return {
    sopClassUid: uids.get(Tag.sopClassUid) ?? uidOf(meta.mediaStorageSopClassUid),
    sopInstanceUid: uids.get(Tag.sopInstanceUid) ?? uidOf(meta.mediaStorageSopInstanceUid),
    studyInstanceUid: uids.get(Tag.studyInstanceUid) ?? '',
    seriesInstanceUid: uids.get(Tag.seriesInstanceUid) ?? '',
    modality: head.modality,
    transferSyntaxUid: meta.transferSyntaxUid === '' ? SYNTAX_OF[encoding] : meta.transferSyntaxUid,
    encoding,
    datasetAt: meta.datasetAt,
    scannedTo: head.scannedTo,
    sites: head.sites,
  };
}

/** What the syntax declares, held against what the first element looks like. */
function datasetEncoding(window: Window, meta: Meta, form: Form): Encoding {
  const { transferSyntaxUid, datasetAt } = meta;
  if (transferSyntaxUid === '') {
    const bare = sniffBare(window, datasetAt);
    if (bare === undefined) throw datasetAt === 0 ? notDicom(window) : unnamed(meta);
    return bare;
  }
  const named = encodingOf(isUid(transferSyntaxUid) ? transferSyntaxUid : '');
  // PS3.5 annex A.5: what was deflated is explicit little endian.
  const declared = named === 'deflated' && form === 'inflated' ? 'explicit-le' : named;
  if (declared === 'deflated' || declared === undefined) {
    // The seam for deflated datasets: they are inflated into a derived object, which is scanned in their place.
    const reason =
      declared === undefined ? 'the transfer syntax is unknown' : 'deflated datasets are not read here';
    throw new DicomError('SYNTAX_UNSUPPORTED', reason, datasetAt, Tag.transferSyntaxUid);
  }
  if (datasetAt === window.total) throw new DicomError('TRUNCATED', 'there is no dataset', datasetAt);
  const found = sniff(window, datasetAt, declared);
  if (found === declared) return declared;
  const looks = found === undefined ? 'does not begin like a dataset' : `begins as ${found}`;
  throw new DicomError('SYNTAX_LIES', `the file meta declares ${declared}, the dataset ${looks}`, datasetAt);
}

function unnamed(meta: Meta): DicomError {
  return new DicomError(
    'NOT_DICOM',
    'neither a transfer syntax nor a SOP Class UID says what this is',
    meta.datasetAt,
  );
}

interface Head {
  readonly uids: ReadonlyMap<number, string>;
  readonly modality: string;
  readonly scannedTo: number;
  readonly sites: Sites;
}

/** Walks the dataset's own elements up to the first behind (0020,000E), and then on for the sites behind it. */
function readHead(window: Window, datasetAt: number, encoding: Encoding): Head {
  const uids = new Map<number, string>();
  const patient = new PatientSiteFinder(window, encoding);
  const groups = new CountedGroups();
  let modality = '';
  let last = 0;
  let lastAt = datasetAt;
  let at = datasetAt;
  while (!endsAt(window, at, lastAt, last)) {
    const tag = tagAt(window.view, at, encoding);
    // Zero padding; the walk sees to what is behind it. No more is looked at, or it would depend on the window.
    if (tag === 0 && window.view.getUint32(at + 4) === 0) break;
    if (tag <= last) throw new DicomError('MALFORMED', orderFault(tag, last), at, tag);
    groups.meet(tag, at);
    patient.meet(tag, at);
    if (tag > Tag.seriesInstanceUid && groupOf(tag) !== groupOf(Tag.item)) break;
    last = tag;
    lastAt = at;

    const header = readHeader(window, at, encoding);
    const end = passOver(window, at, header, encoding);
    if (isOwnUid(tag)) {
      const uid = uidOf(valueText(window, at, header), at, tag);
      if (uid !== '') uids.set(tag, uid);
    } else if (tag === Tag.modality) {
      modality = codeOf(valueText(window, at, header));
    } else if (isCounted(tag)) {
      if (header.length === 4) groups.count(tag, at, end);
      else if (tag === Tag.patientGroupLength)
        throw new DicomError('MALFORMED', 'a group length is not 4 bytes long', at, tag);
    } else {
      patient.found(tag, at, header, end);
    }
    at = end;
  }
  const sites = patient.end(at);
  const { originalAttributes, signed } = lookFurther(window, { at, last }, encoding, groups);
  // Field by field: to spread two objects into one took a tenth of a scan.
  const { patientId, issuerOfPatientId, typeOfPatientId, issuerOfPatientIdQualifiers } = sites;
  const { otherPatientIds, otherPatientIdsSequence } = sites;
  return {
    uids,
    modality,
    scannedTo: at,
    sites: {
      patientId,
      issuerOfPatientId,
      typeOfPatientId,
      issuerOfPatientIdQualifiers,
      otherPatientIds,
      otherPatientIdsSequence,
      originalAttributes,
      signed,
      groups: groups.found,
    },
  };
}

function isOwnUid(tag: number): boolean {
  switch (tag) {
    case Tag.sopClassUid:
    case Tag.sopInstanceUid:
    case Tag.studyInstanceUid:
    case Tag.seriesInstanceUid:
      return true;
    default:
      return false;
  }
}

/** True when no element follows: the end, or zero padding too short to be one. It is the last one that reaches so far. */
function endsAt(window: Window, at: number, lastAt: number, last: number): boolean {
  if (at >= window.total) return true;
  window.require(Math.min(at + HEADER_BYTES_MIN, window.total), lastAt, last === 0 ? undefined : last);
  if (window.total - at >= HEADER_BYTES_MIN) return false;
  if (window.zerosFrom(at)) return true;
  throw new DicomError('TRUNCATED', 'the instance ends within the head of an element', at);
}

function orderFault(tag: number, last: number): string {
  return tag === last ? 'the element is there twice' : 'the element is out of order';
}

function valueText(window: Window, at: number, header: Header): string {
  const from = at + header.bytes;
  if (header.length > VALUE_BYTES_MAX) {
    throw new DicomError('MALFORMED', 'the value is far too long for its element', at, header.tag);
  }
  window.require(from + header.length, at, header.tag);
  return plainText(window.bytes, from, from + header.length);
}

function uidOf(text: string, at = 0, tag?: number): string {
  if (text === '' || isUid(text)) return text;
  throw new DicomError('MALFORMED', 'the value is no UID', at, tag);
}

/** A code string as it may be shown; '' for anything else, since this goes into records. */
function codeOf(text: string): string {
  return /^[A-Z0-9_]{1,16}$/.test(text) ? text : '';
}
