import { appendingItems, appendingValue, type Change, putting } from './change.ts';
import { type OtherPatientIdForm, TYPE_OF_PATIENT_ID } from './dialect.ts';
import { encodeText } from './encode.ts';
import { encodeOtherId, encodeQualifiers } from './identifier-items.ts';
import { LO_CHARACTERS_MAX } from './limits.ts';
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
 * when the Patient ID that has to go can be kept nowhere.
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
  const site = patient.site('otherPatientIdsSequence');
  return [...changes, appendingItems(Tag.otherPatientIdsSequence, site, items, patient.dataset)];
}

/**
 * A Patient ID that names no issuer gets one: the sender, whose number it is; or the issuer of the BSN when
 * it is that.
 */
function completed(patient: PatientElements, recipe: PatchRecipe): Change[] {
  const { issuer } = recipe;
  if (issuer === undefined || !isOwnNumber(patient)) return [];
  const form = recipe.dialect.otherPatientId;
  if (form !== null && patient.text('patientId') === recipe.bsn) {
    return [puttingIssuer(patient, form.issuerOfPatientId), puttingQualifiers(patient, form)];
  }
  const changes: Change[] = [];
  if (recipe.patientId === 'prefix') changes.push(...prefixed(patient, `${issuer.issuerOfPatientId}-`));
  changes.push(puttingIssuer(patient, issuer.issuerOfPatientId));
  const qualifiers = qualifiersOf(issuer);
  if (qualifiers !== undefined) changes.push(puttingQualifiers(patient, qualifiers));
  return changes;
}

/** The Patient ID with the prefix, unless it has it or would be too long. */
function prefixed(patient: PatientElements, prefix: string): Change[] {
  const id = patient.text('patientId');
  if (id.startsWith(prefix) || prefix.length + id.length > LO_CHARACTERS_MAX) return [];
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
  const said = own === undefined ? patient.qualifiers() : qualifiersOf(own);
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
      : own === undefined
        ? rewritten(stands, patient.dataset, inside)
        : encodeQualifiers(said, inside);
  return qualifiers && [encodeOtherId(id, qualifiers, inside)];
}

function insideOtherIds(patient: PatientElements): Encoding {
  return itemEncoding(patient.site('otherPatientIdsSequence'), patient.dataset);
}

function isOwnNumber(patient: PatientElements): boolean {
  const names = patient.text('issuerOfPatientId') !== '' || patient.qualifiers() !== undefined;
  return patient.text('patientId') !== '' && !names;
}

/** Undefined when the organization has no universal entity id. */
function qualifiersOf({ universalEntityId, universalEntityIdType }: Issuer): Qualifiers | undefined {
  if (universalEntityId === null) return undefined;
  return { ...NO_QUALIFIERS, universalEntityId, universalEntityIdType: universalEntityIdType ?? '' };
}
