import { BSN } from './corpus.ts';
import type { DumpedIds } from './dumps.ts';
import type { ReadBack, ReadId } from './tools.ts';

const ISSUER = 'ZUIDERDIEP';
/** Each way to write the BSN, and what may go along with it. */
export const RECIPES = {
  'nl-2010': ['--dialect', 'nl-2010'],
  'legacy-1000 with an issuer': ['--dialect', 'legacy-1000', '--issuer', ISSUER, '--issuer-oid', '1.2.3'],
  'patientid-bsn': ['--dialect', 'patientid-bsn', '--issuer', ISSUER],
  'nl-2010 with a prefix, stripped': [
    ...['--dialect', 'nl-2010', '--issuer', ISSUER, '--patient-id', 'prefix', '--nested', 'strip'],
  ],
} as const;
export type RecipeName = keyof typeof RECIPES;
export const NAMES = Object.keys(RECIPES) as RecipeName[];

/** How the number stands there: in an item of (0010,1002), or as the Patient ID. */
const QUALIFIED: ReadId = {
  patientId: BSN,
  issuer: 'NLMINBIZA',
  type: 'TEXT',
  universalEntityId: '2.16.840.1.113883.2.4.6.3',
  universalEntityIdType: 'ISO',
  identifierTypeCode: 'NNNLD',
};
const isBsn = (id: ReadId): boolean => JSON.stringify(id) === JSON.stringify(QUALIFIED);

export const isStripped = (recipe: RecipeName): boolean => recipe.endsWith('stripped');
/** The tags that changed and may not have, as pydicom prints them: (5533, 5533). */
export function changedTags(recipe: RecipeName, { changed = [] }: ReadBack): string[] {
  return changed.filter((tag) => !isStripped(recipe) || Number.parseInt(tag.slice(1, 5), 16) % 2 === 0);
}

/** What pydicom does not find, by the recipe. */
export function readFault(
  recipe: RecipeName,
  { own, retired = '', others = [], original = 0, before }: ReadBack,
): string | undefined {
  if (own === undefined || before === undefined) return 'no identity';
  const there = before.others.map(({ patientId }) => patientId);
  const now = others.map(({ patientId }) => patientId);
  if (now.slice(0, there.length).join() !== there.join())
    return `others went from ${there.join()} to ${now.join()}`;
  if (recipe !== 'patientid-bsn' && !others.some(isBsn)) return `no item: ${JSON.stringify(others)}`;
  const wrong = ownFault(recipe, own, before.own);
  if (wrong !== undefined) return wrong;
  const old = before.own.patientId;
  const isKept = old === '' || [own.patientId, ...now].some((id) => id.endsWith(old));
  if (!isKept) return `the old Patient ID is lost: ${now.join()}`;
  // The Patient ID that stood there is kept in (0400,0561) as well.
  if (own.patientId !== old && old !== '' && original === 0) return 'nothing was recorded';
  const isRetired = retired.split('\\').includes(BSN);
  return recipe.startsWith('legacy') && !isRetired ? `(0010,1000) is ${retired}` : undefined;
}

/** Of the Patient ID itself. */
function ownFault(recipe: RecipeName, own: ReadId, before: ReadId): string | undefined {
  if (recipe === 'patientid-bsn') return isBsn(own) ? undefined : `the Patient ID is ${JSON.stringify(own)}`;
  const isOwn = before.patientId !== '' && before.issuer === '' && before.universalEntityId === '';
  const isTheBsn = before.patientId === BSN;
  const prefixed = `${ISSUER}-${before.patientId}`;
  const isPrefixed = isStripped(recipe) && isOwn && !isTheBsn && prefixed.length <= 64;
  const id = isPrefixed ? prefixed : before.patientId;
  if (own.patientId !== id) return `the Patient ID became ${own.patientId}`;
  const issuer = recipe === 'nl-2010' || !isOwn ? before.issuer : isTheBsn ? QUALIFIED.issuer : ISSUER;
  return own.issuer === issuer ? undefined : `its issuer became ${own.issuer}`;
}

/** The same for a dump, which does not show all of an item in each tool. */
export function dumpFault(recipe: RecipeName, { own, others }: DumpedIds): string | undefined {
  const candidates = recipe === 'patientid-bsn' ? [own] : others;
  const isThere = candidates.some(
    (ids) =>
      ids.get('0010,0020') === BSN &&
      ids.get('0010,0021') === QUALIFIED.issuer &&
      ids.get('0010,0022') === QUALIFIED.type,
  );
  return isThere ? undefined : 'the BSN, its issuer and its type are not there together';
}
