import type { PatchRecipe } from '../../src/dicom/recipe.ts';
import type { Encoding } from '../../src/dicom/scan.ts';
import type { Built } from './builder.ts';

/** What a patch has to make of an instance, said of elements and not of bytes. Shares no code with src. */
export function modelled(
  elements: readonly Built[],
  recipe: PatchRecipe,
  encoding: Encoding,
): readonly Built[] {
  const before = new Map(elements.map((element) => [element.tag, element]));
  const after = new Map(before);
  const { dialect, bsn, issuer, record } = recipe;
  const form = dialect.otherPatientId;
  const writes = form !== null || dialect.otherPatientIds;
  const exchanged = bsn !== undefined && dialect.patientId === 'bsn' && form !== null;
  const id = text(before.get(ID));
  const isOwn = id !== '' && text(before.get(ISSUER)) === '' && !names(before.get(QUALIFIERS));
  const [, , code = ''] = said(before.get(QUALIFIERS));
  const put = (tag: number, vr: string, value: string) => {
    if (text(before.get(tag)) !== value || !before.has(tag)) after.set(tag, { tag, vr, value });
  };
  const putQualifiers = (items: readonly Built[]) =>
    after.set(QUALIFIERS, { tag: QUALIFIERS, vr: 'SQ', items: [items] });

  if (exchanged) {
    put(ID, 'LO', bsn);
    put(ISSUER, 'LO', form.issuerOfPatientId);
    put(TYPE, 'CS', form.typeOfPatientId);
    const wanted = [form.universalEntityId, form.universalEntityIdType, form.identifierTypeCode];
    if (said(before.get(QUALIFIERS)).join() !== wanted.join()) putQualifiers(qualifiers(...wanted));
  } else if (writes && issuer !== undefined && isOwn) {
    if (id === bsn && form !== null) {
      put(ISSUER, 'LO', form.issuerOfPatientId);
      putQualifiers(qualifiers(form.universalEntityId, form.universalEntityIdType, form.identifierTypeCode));
    } else if (id !== bsn) {
      const prefix = `${issuer.issuerOfPatientId}-`;
      const fits = prefix.length + id.length <= 64 && !id.startsWith(prefix) && !id.includes('\\');
      if (recipe.patientId === 'prefix' && fits) put(ID, 'LO', prefix + id);
      put(ISSUER, 'LO', issuer.issuerOfPatientId);
      if (issuer.universalEntityId !== null)
        putQualifiers(qualifiers(issuer.universalEntityId, issuer.universalEntityIdType ?? '', code));
    }
  }

  if (bsn !== undefined && dialect.otherPatientIds) {
    const old = before.get(OTHER_IDS);
    const values = text(old)
      .split('\\')
      .map((value) => value.trim());
    if (text(old) === '') after.set(OTHER_IDS, { tag: OTHER_IDS, vr: 'LO', value: bsn });
    else if (!values.includes(bsn) && old !== undefined && isMultiple(old, encoding)) {
      after.set(OTHER_IDS, { ...old, value: `${endTrimmed(raw(old))}\\${bsn}` });
    }
  }

  const item: Built[] | undefined = exchanged
    ? moved(before, bsn, isOwn ? issuer : undefined)
    : bsn !== undefined && form !== null
      ? idItem(bsn, form.issuerOfPatientId, form.typeOfPatientId, {
          tag: QUALIFIERS,
          vr: 'SQ',
          items: [qualifiers(form.universalEntityId, form.universalEntityIdType, form.identifierTypeCode)],
        })
      : undefined;
  const others = before.get(OTHERS);
  const isExplicitThere = encoding !== 'implicit-le' && others?.vr !== 'UN';
  if (item !== undefined && !(others?.items ?? []).some((other) => idSaid(other) === idSaid(item))) {
    after.set(OTHERS, withItem(OTHERS, others, isExplicitThere ? item.map(withLengthOfUn) : item));
  }

  const priors = [...before.values()].filter((element) => after.get(element.tag) !== element);
  if (priors.length > 0 && record !== undefined && dialect.originalAttributes) {
    const old = before.get(ORIGINAL);
    const isExplicit = encoding !== 'implicit-le' && old?.vr !== 'UN';
    const entry = [
      { tag: 0x04000550, vr: 'SQ', items: [isExplicit ? priors.map(withLengthOfUn) : priors] },
      { tag: 0x04000562, vr: 'DT', value: record.modifiedAt },
      { tag: 0x04000563, vr: 'LO', value: record.modifyingSystem },
      { tag: 0x04000564, vr: 'LO', value: record.source },
      { tag: 0x04000565, vr: 'CS', value: 'COERCE' },
    ];
    after.set(ORIGINAL, withItem(ORIGINAL, old, entry));
  }
  return [...after.values()].sort((a, b) => a.tag - b.tag);
}

const ID = 0x00100020;
const ISSUER = 0x00100021;
const TYPE = 0x00100022;
const QUALIFIERS = 0x00100024;
const OTHER_IDS = 0x00101000;
const OTHERS = 0x00101002;
const ORIGINAL = 0x04000561;

/** Without a VR nobody can tell that a text has one value only. */
function isMultiple({ vr }: Built, encoding: Encoding): boolean {
  return encoding === 'implicit-le' || ['LO', 'SH', 'UN'].includes(vr);
}

function withItem(tag: number, sequence: Built | undefined, item: readonly Built[]): Built {
  const items = sequence?.items ?? [];
  return { tag, vr: 'SQ', ...sequence, items: [...items, item], closedFrom: items.length };
}

function moved(
  before: ReadonlyMap<number, Built>,
  bsn: string,
  issuer: PatchRecipe['issuer'],
): Built[] | undefined {
  const id = text(before.get(ID));
  if (id === '' || id === bsn) return undefined;
  const type = text(before.get(TYPE)) === '' ? 'TEXT' : text(before.get(TYPE));
  const old = before.get(QUALIFIERS);
  if (issuer === undefined) return idItem(id, text(before.get(ISSUER)), type, says(old) ? old : undefined);
  const { issuerOfPatientId, universalEntityId, universalEntityIdType } = issuer;
  const [, , code = ''] = said(old);
  const entity = universalEntityId === null ? undefined : [universalEntityId, universalEntityIdType ?? ''];
  const kept = says(old) ? old : undefined;
  const own = entity && { tag: QUALIFIERS, vr: 'SQ', items: [qualifiers(...entity, code)] };
  return idItem(id, issuerOfPatientId, type, own ?? kept);
}

function idItem(id: string, issuer: string, type: string, qualifying: Built | undefined): Built[] {
  return [
    { tag: ID, vr: 'LO', value: id },
    ...(issuer === '' ? [] : [{ tag: ISSUER, vr: 'LO', value: issuer }]),
    { tag: TYPE, vr: 'CS', value: type },
    ...(qualifying === undefined ? [] : [qualifying]),
  ];
}

function qualifiers(id = '', type = '', code = ''): Built[] {
  return [
    { tag: 0x00400032, vr: 'UT', value: id },
    { tag: 0x00400033, vr: 'CS', value: type },
    { tag: 0x00400035, vr: 'CS', value: code },
  ].filter(({ value }) => value !== '');
}

/** What the first item of a (0010,0024) says. */
function said(element: Built | undefined): string[] {
  const item = element?.items?.[0] ?? [];
  return [0x00400032, 0x00400033, 0x00400035].map((tag) => text(item.find((one) => one.tag === tag)));
}

/** What an item of (0010,1002) says, in one text. */
function idSaid(item: readonly Built[]): string {
  const find = (tag: number) => item.find((one) => one.tag === tag);
  return [...[ID, ISSUER, TYPE].map((tag) => text(find(tag))), ...said(find(QUALIFIERS))].join('|');
}

function says(element: Built | undefined): boolean {
  return (element?.items ?? []).some((item) => item.some((one) => raw(one) !== '' || says(one)));
}

/** More than which kind of number it is. */
function names(element: Built | undefined): boolean {
  return (element?.items ?? []).some((item) =>
    item.some((one) => one.tag !== 0x00400035 && (raw(one) !== '' || names(one))),
  );
}

function raw(element: Built): string {
  const { value = '' } = element;
  return typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
}

function text(element: Built | undefined): string {
  return element === undefined ? '' : endTrimmed(raw(element)).replace(/^[ \0]+/, '');
}

function endTrimmed(value: string): string {
  return value.replace(/[ \0]+$/, '');
}

/** A UN of undefined length is recorded with its length: not every reader finds the end of one. */
export function withLengthOfUn(element: Built): Built {
  const items = element.items?.map((item) => item.map(withLengthOfUn));
  const closed = element.vr === 'UN' && element.open === true ? { ...element, open: false } : element;
  // What is in a UN is implicit, where there is no UN.
  return items === undefined || element.vr === 'UN' ? closed : { ...closed, items };
}
