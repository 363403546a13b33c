import { HEADER_BYTES_MIN } from './element.ts';
import type { ForeignElement } from './foreign.ts';
import type { Scan } from './scan.ts';
import { endOf, type Sites } from './sites.ts';
import { isPrivate, Tag } from './tags.ts';

/**
 * Throws RangeError unless each is a private element that may lie where it is said to, between what else a
 * patch changes: places of another instance must never be cut out of this one.
 */
export function checkForeign(scan: Scan, foreign: readonly ForeignElement[]): void {
  const fixed = fixedPlaces(scan.sites);
  let last = { tag: 0, end: scan.datasetAt };
  for (const { tag, at, bytes } of foreign) {
    const end = at + bytes;
    const isElement =
      isPrivate(tag) && bytes >= HEADER_BYTES_MIN && Number.isSafeInteger(at) && Number.isSafeInteger(end);
    const isNext = tag > last.tag && at >= last.end;
    const fits = fixed.every((place) => (tag < place.tag ? end <= place.from : at >= place.to));
    if (!isElement || !isNext || !fits)
      throw new RangeError('the foreign elements are not those of this instance');
    last = { tag, end };
  }
}

function fixedPlaces({ patientId, otherPatientIdsSequence, originalAttributes, groups }: Sites) {
  const places = groups.map(({ group, at, from }) => ({ tag: group * 0x10000, from: at, to: from }));
  const add = (tag: number, site: typeof originalAttributes) => {
    if (site.state === 'unknown') return;
    const from = site.at;
    places.push({ tag, from, to: site.state === 'absent' ? from : endOf(site) });
  };
  add(Tag.patientId, patientId);
  add(Tag.otherPatientIdsSequence, otherPatientIdsSequence);
  add(Tag.originalAttributes, originalAttributes);
  return places;
}
