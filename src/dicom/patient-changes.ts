import { appendingItems, appendingValue, type Change, putting } from './change.ts';
import { type OtherPatientIdForm, TYPE_OF_PATIENT_ID } from './dialect.ts';
import { concat, encodeText } from './encode.ts';
import { encodeOtherId, encodeQualifiers } from './identifier-items.ts';
import { LO_CHARACTERS_MAX, OTHER_IDS_BYTES_MAX } from './limits.ts';
import { isSameId, isSameQualifiers, NO_QUALIFIERS, type OtherId, type Qualifiers } from './other-ids.ts';
import type { PatientElements } from './patient-elements.ts';
import type { Issuer, PatchRecipe } from './recipe.ts';
import { itemEncoding } from './sites.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { trimPadding } from './text.ts';
import { rewritten } from './transcode.ts';

/**
 * What the recipe changes in group 0010, in the order of tags; nothing of what is there already. Undefined
 * when the Patient ID that has to go can be kept nowhere, or (0010,1002) would be longer than is read again.
 */
export function patientChanges(patient: PatientElements, recipe: PatchRecipe): Change[] | undefined {
  const { dialect, bsn } = recipe;
  const form = dialect.otherPatientId;
  const exchanges = bsn !== undefined && form !== null && dialect.patientId === 'bsn';
  const changes = exchanges ? exchanged(patient, bsn, form) : completed(patient, recipe);
  if (bsn !== undefined && dialect.otherPatientIds) changes.push(...addedValue(patient, bsn));
  const items = exchanges
    ? movedItem(patient, bsn, recipe.issuer)
    : bsn === undefined || form === null
      ? []
      : addedItem(patient, { patientId: bsn, ...form });
  if (items === undefined || items.length === 0) return items && changes;
  const bytes = patient.element('otherPatientIdsSequence').byteLength + concat(items).byteLength;
  if (bytes > OTHER_IDS_BYTES_MAX) return undefined;
  const site = patient.site('otherPatientIdsSequence');
  return [...changes, appendingItems(Tag.otherPatientIdsSequence, site, items, patient.dataset)];
}

/**
 * A Patient ID that names no issuer gets one: the sender, whose number it is; or the issuer of the BSN when
 * it is that, and none when the dialect says none.
 */
function completed(patient: PatientElements, recipe: PatchRecipe): Change[] {
  const { issuer } = recipe;
  if (issuer === undefined || !isOwnNumber(patient)) return [];
  if (patient.text('patientId') === recipe.bsn) {
    const form = recipe.dialect.otherPatientId;
    return form === null
      ? []
      : [puttingIssuer(patient, form.issuerOfPatientId), puttingQualifiers(patient, form)];
  }
  const changes: Change[] = [];
  if (recipe.patientId === 'prefix') changes.push(...prefixed(patient, `${issuer.issuerOfPatientId}-`));
  changes.push(puttingIssuer(patient, issuer.issuerOfPatientId));
  const qualifiers = qualifiersOf(issuer, patient);
  if (qualifiers !== undefined) changes.push(puttingQualifiers(patient, qualifiers));
  return changes;
}

/** The Patient ID with the prefix, unless it has it, would be too long, or is two, of which one would get it. */
function prefixed(patient: PatientElements, prefix: string): Change[] {
  const id = patient.text('patientId');
  const fits = prefix.length + id.length <= LO_CHARACTERS_MAX && !id.includes('\\');
  if (id.startsWith(prefix) || !fits) return [];
  const element = encodeText(Tag.patientId, 'LO', `${prefix}${id}`, patient.dataset);
  return [putting(Tag.patientId, patient.site('patientId'), element)];
}

/** The BSN with its issuer becomes the Patient ID, as far as it is not. */
function exchanged(patient: PatientElements, bsn: string, form: OtherPatientIdForm): Change[] {
  const { dataset } = patient;
  const texts = [
    ['patientId', 'LO', bsn],
    ['issuerOfPatientId', 'LO', form.issuerOfPatientId],
    ['typeOfPatientId', 'CS', form.typeOfPatientId],
  ] as const;
  const changes = texts
    .filter(([attribute, , value]) => patient.text(attribute) !== value)
    .map(([attribute, vr, value]) =>
      putting(Tag[attribute], patient.site(attribute), encodeText(Tag[attribute], vr, value, dataset)),
    );
  if (!isSameQualifiers(patient.qualifiers() ?? NO_QUALIFIERS, form))
    changes.push(puttingQualifiers(patient, form));
  return changes;
}

function puttingIssuer(patient: PatientElements, issuer: string): Change {
  const element = encodeText(Tag.issuerOfPatientId, 'LO', issuer, patient.dataset);
  return putting(Tag.issuerOfPatientId, patient.site('issuerOfPatientId'), element);
}

function puttingQualifiers(patient: PatientElements, qualifiers: Readonly<Qualifiers>): Change {
  const element = encodeQualifiers(qualifiers, patient.dataset);
  return putting(Tag.issuerOfPatientIdQualifiers, patient.site('issuerOfPatientIdQualifiers'), element);
}

/** One more value of (0010,1000), unless it is one already or there is no room. */
function addedValue(patient: PatientElements, bsn: string): Change[] {
  if (patient.text('otherPatientIds').split('\\').map(trimPadding).includes(bsn)) return [];
  const value = patient.value('otherPatientIds');
  const site = patient.site('otherPatientIds');
  const change = appendingValue(Tag.otherPatientIds, site, value, bsn, patient.dataset);
  return change === undefined ? [] : [change];
}

/** Equal in everything that the dialect writes; an item may say more, and in any encoding of its lengths. */
function addedItem(patient: PatientElements, id: OtherId): Uint8Array[] {
  if (patient.otherIds().some((other) => isSameId(other, id))) return [];
  const inside = insideOtherIds(patient);
  return [encodeOtherId(id, encodeQualifiers(id, inside), inside)];
}

/**
 * The Patient ID that makes room for the BSN, as an item. None when there is none, it is the BSN, or an item
 * says the same; undefined when what qualifies its issuer cannot be written there.
 */
function movedItem(
  patient: PatientElements,
  bsn: string,
  issuer: Issuer | undefined,
): Uint8Array[] | undefined {
  const patientId = patient.text('patientId');
  if (patientId === '' || patientId === bsn) return [];
  const own = isOwnNumber(patient) ? issuer : undefined;
  const entity = own && qualifiersOf(own, patient);
  const said = entity ?? patient.qualifiers();
  const typeOfPatientId = patient.text('typeOfPatientId');
  const id = {
    patientId,
    issuerOfPatientId: own?.issuerOfPatientId ?? patient.text('issuerOfPatientId'),
    typeOfPatientId: typeOfPatientId === '' ? TYPE_OF_PATIENT_ID : typeOfPatientId,
    ...(said ?? NO_QUALIFIERS),
  };
  if (patient.otherIds().some((other) => isSameId(other, id))) return [];
  const inside = insideOtherIds(patient);
  const stands = patient.element('issuerOfPatientIdQualifiers');
  const qualifiers =
    said === undefined
      ? new Uint8Array(0)
      : entity === undefined
        ? rewritten(stands, patient.dataset, inside)
        : encodeQualifiers(entity, inside);
  return qualifiers && [encodeOtherId(id, qualifiers, inside)];
}

function insideOtherIds(patient: PatientElements): Encoding {
  return itemEncoding(patient.site('otherPatientIdsSequence'), patient.dataset);
}

function isOwnNumber(patient: PatientElements): boolean {
  const names = patient.text('issuerOfPatientId') !== '' || patient.qualifiers()?.namesIssuer === true;
  return patient.text('patientId') !== '' && !names;
}

/** With the kind of number that stood there. Undefined when the organization has no universal entity id. */
function qualifiersOf(issuer: Issuer, patient: PatientElements): Qualifiers | undefined {
  const { universalEntityId, universalEntityIdType } = issuer;
  if (universalEntityId === null) return undefined;
  const { identifierTypeCode } = patient.qualifiers() ?? NO_QUALIFIERS;
  return { universalEntityId, universalEntityIdType: universalEntityIdType ?? '', identifierTypeCode };
}
