import { HEADER_BYTES_MIN, readHeader, tagAt } from './element.ts';
import { DicomError } from './error.ts';
import { type CountedGroups, isCounted } from './groups.ts';
import { IDENTITY_BYTES } from './limits.ts';
import { signedTags } from './signature.ts';
import { checkItems, isSequenceVr, type PresentSite, presentSite, type Sites } from './sites.ts';
import type { Encoding } from './syntaxes.ts';
import { groupOf, Tag } from './tags.ts';
import { passOver } from './visit.ts';
import { Window } from './window.ts';

/** What lies behind the identifiers, as far as a patch has to know. */
type FurtherSites = Pick<Sites, 'originalAttributes' | 'signed'>;

const UNKNOWN: FurtherSites = { originalAttributes: { state: 'unknown' }, signed: 'unknown' };

/** Behind group 4FFE nothing is edited but private elements, and those may lie anywhere. */
const EDITED_GROUP_MAX = 0x4ffe;

/** The functional groups of frames: megabytes of nested items, and no writer of them writes group lengths. */
const FRAMES_GROUP = 0x5200;
const PIXELS_GROUP = 0x7fe0;

/** Where the first look ended. */
interface Start {
  readonly at: number;
  /** The last element in front of it. */
  readonly last: number;
}

/**
 * Goes on through the top level from where the first look ended. Whatever is wrong there is not its to
 * report (the walk over the whole instance does that): its sites are then unknown.
 *
 * @throws WindowEnds for more bytes, up to the cap
 */
export function lookFurther(
  window: Window,
  start: Start,
  encoding: Encoding,
  groups: CountedGroups,
): FurtherSites {
  try {
    const { found, stopped } = findSites(window, start, encoding, groups);
    findGroups(window, stopped, encoding, groups);
    return found;
  } catch (thrown) {
    if (thrown instanceof DicomError) return UNKNOWN;
    throw thrown;
  }
}

function findSites(
  window: Window,
  start: Start,
  encoding: Encoding,
  groups: CountedGroups,
): { found: FurtherSites; stopped: Start } {
  let originalAttributes: FurtherSites['originalAttributes'] | undefined;
  let signed: FurtherSites['signed'] = [];
  const stopped = pass(window, start, encoding, groups, (at, tag) => {
    if (tag > Tag.originalAttributes) originalAttributes ??= { state: 'absent', at };
    if (groupOf(tag) > EDITED_GROUP_MAX) return true;
    if (tag !== Tag.originalAttributes && tag !== Tag.macParameters) return false;
    const header = readHeader(window, at, encoding);
    const end = passOver(window, at, header, encoding);
    if (tag === Tag.macParameters) signed = signedTags(window, header, at, end, encoding);
    else originalAttributes = recordSite(window, presentSite(at, header, end), encoding);
    return false;
  });
  if (stopped.isEnd) groups.end(stopped.at);
  originalAttributes ??= { state: 'absent', at: stopped.at };
  return { found: { originalAttributes, signed }, stopped };
}

/** The place of (0400,0561). Unknown when it holds something else than items: what is behind it is seen all the same. */
function recordSite(
  window: Window,
  site: PresentSite,
  encoding: Encoding,
): FurtherSites['originalAttributes'] {
  if (!isSequenceVr(site.vr)) return UNKNOWN.originalAttributes;
  try {
    checkItems(window, Tag.originalAttributes, site, encoding);
    return site;
  } catch (thrown) {
    if (thrown instanceof DicomError) return UNKNOWN.originalAttributes;
    throw thrown;
  }
}

/**
 * The lengths of private groups behind those that are edited: as far as private elements are looked into
 * for other people (IDENTITY_BYTES), so that their removal is counted.
 */
function findGroups(window: Window, start: Start, encoding: Encoding, groups: CountedGroups): void {
  if (start.at >= IDENTITY_BYTES) return;
  const near = new Window(window.bytes.subarray(0, IDENTITY_BYTES), Math.min(window.total, IDENTITY_BYTES));
  try {
    const { at, isEnd } = pass(near, start, encoding, groups, (_, tag) => {
      return groupOf(tag) === FRAMES_GROUP || groupOf(tag) >= PIXELS_GROUP;
    });
    // A group that reaches the end of what is looked at may go on behind it.
    if (isEnd && near.total === window.total) groups.end(at);
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown;
  }
}

/** Passes over the elements of the top level until one is told to end it, or there are none any more: `isEnd`. */
function pass(
  window: Window,
  start: Start,
  encoding: Encoding,
  groups: CountedGroups,
  endsAt: (at: number, tag: number) => boolean,
): Start & { readonly isEnd: boolean } {
  let { at, last } = start;
  while (at < window.total) {
    // Fewer bytes than an element has, and a tag of zeros, are padding or a fault for the walk to report.
    if (window.total - at < HEADER_BYTES_MIN) break;
    window.require(at + HEADER_BYTES_MIN, at);
    const tag = tagAt(window.view, at, encoding);
    if (tag === 0) break;
    if (tag <= last) throw new DicomError('MALFORMED', 'the element is out of order', at, tag);
    groups.meet(tag, at);
    if (endsAt(at, tag)) return { at, last, isEnd: false };
    last = tag;
    const header = readHeader(window, at, encoding);
    const end = passOver(window, at, header, encoding);
    if (isCounted(tag) && header.length === 4) groups.count(tag, at, end);
    at = end;
  }
  return { at, last, isEnd: true };
}
