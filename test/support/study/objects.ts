import { BASIC_TEXT_SR, ENCAPSULATED_PDF, KEY_OBJECT_SELECTION } from './documents.ts';
import { type ObjectForm, type ObjectPlace, sharedElements } from './object-form.ts';
import { EXPLICIT_LE, part10 } from './part10.ts';
import { ANNELIES, type BsnPlace, type SyntheticPatient } from './patient.ts';
import { PRESENTATION_STATE, SECONDARY_CAPTURE } from './pictures.ts';
import { RT_PLAN, RT_STRUCTURE_SET } from './radiotherapy.ts';
import { type GeneratedInstance, generateStudy } from './study.ts';
import { derivedUid } from './uid.ts';
import type { Element } from './writer.ts';

const FORMS = {
  'basic-text-sr': BASIC_TEXT_SR,
  'encapsulated-pdf': ENCAPSULATED_PDF,
  'key-object-selection': KEY_OBJECT_SELECTION,
  'presentation-state': PRESENTATION_STATE,
  'rt-plan': RT_PLAN,
  'rt-structure-set': RT_STRUCTURE_SET,
  'secondary-capture': SECONDARY_CAPTURE,
} as const satisfies Record<string, ObjectForm>;

/** What a study has beside its slices. */
export type ObjectKind = keyof typeof FORMS;
export const OBJECT_KINDS = Object.keys(FORMS) as ObjectKind[];

export interface ObjectOptions {
  readonly kind: ObjectKind;
  /** That of the CT study (`generateStudy`) the object belongs to and speaks of. */
  readonly seed: number;
  /** Counts objects of one kind in one study; 0 when left out. */
  readonly index?: number;
  readonly patient?: Partial<SyntheticPatient>;
  /** `none` when left out. */
  readonly bsnIn?: BsnPlace;
}

export interface GeneratedObject extends GeneratedInstance {
  readonly sopClassUid: string;
  readonly studyInstanceUid: string;
}

/** A report, plan, picture or note of the CT study with that seed, in any syntax that is not for images only. */
export function generateObject(options: ObjectOptions, transferSyntaxUid = EXPLICIT_LE): GeneratedObject {
  const place = placeOf(options);
  const { sopInstanceUid, seriesInstanceUid, studyInstanceUid } = place;
  return {
    fileName: `${options.kind}-${(options.index ?? 0).toString()}.dcm`,
    sopInstanceUid,
    seriesInstanceUid,
    studyInstanceUid,
    sopClassUid: FORMS[options.kind].sopClassUid,
    bytes: part10(objectElements(options), transferSyntaxUid),
  };
}

/** Its elements, for whoever writes them with something more or in an odd form. */
export function objectElements(options: ObjectOptions): Element[] {
  const form = FORMS[options.kind];
  const place = placeOf(options);
  return [...sharedElements(form, place), ...form.elements(place)];
}

function placeOf({ kind, seed, index = 0, patient, bsnIn = 'none' }: ObjectOptions): ObjectPlace {
  const study = generateStudy({ modality: 'CT', instances: 1, seed });
  const uid = (what: string): string => derivedUid('sluis', kind, seed, what, index);
  return {
    patient: { ...ANNELIES, ...patient },
    bsnIn,
    seed,
    studyInstanceUid: study.studyInstanceUid,
    seriesInstanceUid: uid('series'),
    sopInstanceUid: uid('instance'),
    frameOfReferenceUid: derivedUid('sluis', 'CT', seed, 'frame of reference', 0),
    image: {
      sopClassUid: study.sopClassUid,
      sopInstanceUid: study.sopInstanceUid(0),
      seriesInstanceUid: study.seriesInstanceUids[0] ?? '',
    },
  };
}
