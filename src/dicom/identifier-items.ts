import { encodeItem, encodeSequence, encodeText } from './encode.ts';
import type { OtherId, Qualifiers } from './other-ids.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';

/** A (0010,0024) with its one item; what is '' is left out of it. */
export function encodeQualifiers(qualifiers: Readonly<Qualifiers>, encoding: Encoding): Uint8Array {
  const { universalEntityId, universalEntityIdType, identifierTypeCode } = qualifiers;
  const elements: Uint8Array[] = [];
  if (universalEntityId !== '')
    elements.push(encodeText(Tag.universalEntityId, 'UT', universalEntityId, encoding));
  if (universalEntityIdType !== '')
    elements.push(encodeText(Tag.universalEntityIdType, 'CS', universalEntityIdType, encoding));
  if (identifierTypeCode !== '')
    elements.push(encodeText(Tag.identifierTypeCode, 'CS', identifierTypeCode, encoding));
  return encodeSequence(Tag.issuerOfPatientIdQualifiers, [encodeItem(elements, encoding)], encoding);
}

/**
 * An item of (0010,1002), PS3.3 table 10-18. `qualifiers` is the whole element (0010,0024); an issuer of ''
 * and empty qualifiers are left out.
 */
export function encodeOtherId(
  id: Omit<Readonly<OtherId>, keyof Qualifiers>,
  qualifiers: Uint8Array,
  encoding: Encoding,
): Uint8Array {
  const elements = [encodeText(Tag.patientId, 'LO', id.patientId, encoding)];
  if (id.issuerOfPatientId !== '')
    elements.push(encodeText(Tag.issuerOfPatientId, 'LO', id.issuerOfPatientId, encoding));
  elements.push(encodeText(Tag.typeOfPatientId, 'CS', id.typeOfPatientId, encoding), qualifiers);
  return encodeItem(elements, encoding);
}
