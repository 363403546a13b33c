import { dateTimeOf } from '../delivery/recipes.ts';
import { DIALECTS, type Dialect } from '../dicom/dialect.ts';
import { type Issuer, issuerFault, type PatchRecipe, type PatientIdPolicy } from '../dicom/patch.ts';
import { isUid } from '../dicom/text.ts';
import { UsageError } from './errors.ts';
import { oneOf, required } from './options.ts';

/** As mailboxes name them; `reconciled-by-gateway` is theirs alone. */
const POLICIES = ['keep-with-issuer', 'prefix'] as const satisfies readonly PatientIdPolicy[];
const NESTED = ['keep', 'strip'] as const;

/** (0400,0563): who changes what came. */
const MODIFYING_SYSTEM = 'SLUIS';

export const recipeOptions = {
  dialect: { type: 'string' },
  issuer: { type: 'string' },
  'issuer-oid': { type: 'string' },
  'patient-id': { type: 'string', default: 'keep-with-issuer' },
  nested: { type: 'string', default: 'keep' },
  'no-record': { type: 'boolean', default: false },
} as const;

interface RecipeValues {
  readonly dialect?: string | undefined;
  readonly issuer?: string | undefined;
  readonly 'issuer-oid'?: string | undefined;
  readonly 'patient-id': string;
  readonly nested: string;
  readonly 'no-record': boolean;
}

/** How files are tagged in one run; with a BSN it is the recipe of each. */
export interface TagRecipe extends Omit<PatchRecipe, 'bsn' | 'foreign'> {
  readonly stripsNested: boolean;
}

/** `now` (ms) is what records of changes say; the same for all files of a run. Throws UsageError. */
export function tagRecipe(values: RecipeValues, now: number): TagRecipe {
  const patientId = oneOf(values['patient-id'], '--patient-id', POLICIES);
  const issuer = issuerOf(values);
  if (issuer === undefined && patientId === 'prefix') {
    throw new UsageError('--patient-id prefix puts --issuer before the Patient ID: name one');
  }
  const record = {
    modifiedAt: dateTimeOf(now),
    modifyingSystem: MODIFYING_SYSTEM,
    source: issuer?.issuerOfPatientId ?? '',
  };
  return {
    dialect: dialectOf(required(values.dialect, '--dialect')),
    patientId,
    stripsNested: oneOf(values.nested, '--nested', NESTED) === 'strip',
    ...(issuer === undefined ? {} : { issuer }),
    ...(values['no-record'] ? {} : { record }),
  };
}

function dialectOf(name: string): Dialect {
  const dialect = DIALECTS.find((one) => one.name === name);
  if (dialect === undefined) {
    throw new UsageError(`--dialect is one of ${DIALECTS.map((one) => one.name).join(', ')}`);
  }
  return dialect;
}

function issuerOf({ issuer, 'issuer-oid': oid }: RecipeValues): Issuer | undefined {
  if (issuer === undefined) {
    if (oid !== undefined) throw new UsageError('--issuer-oid qualifies --issuer: name that too');
    return undefined;
  }
  const named = {
    issuerOfPatientId: issuer,
    universalEntityId: oid ?? null,
    universalEntityIdType: oid === undefined ? null : 'ISO',
  };
  if (issuerFault(named) === undefined && (oid === undefined || isUid(oid))) return named;
  throw new UsageError('--issuer takes at most 64 plain letters and digits, --issuer-oid digits with dots');
}
