import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differenceOutside } from '../support/differ.ts';
import { pixelDataOf } from '../support/pixel-data.ts';
import { samplesAreHere } from '../support/samples.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import {
  BSN,
  type CorpusFile,
  detailsOf,
  readable,
  type TaggedFile,
  tagFolder,
  writeCorpus,
} from './lib/corpus.ts';
import { type DumpedIds, dumpAll, idsOf, restOf } from './lib/dumps.ts';
import {
  ask,
  askAll,
  newComplaints,
  newLines,
  type ReadBack,
  type ReadId,
  readBack,
  type Said,
} from './lib/tools.ts';

const ISSUER = 'ZUIDERDIEP';
/** Each way to write the BSN, and what may go along with it. */
const RECIPES = {
  'nl-2010': ['--dialect', 'nl-2010'],
  'legacy-1000 with an issuer': ['--dialect', 'legacy-1000', '--issuer', ISSUER, '--issuer-oid', '1.2.3'],
  'patientid-bsn': ['--dialect', 'patientid-bsn', '--issuer', ISSUER],
  'nl-2010 with a prefix, stripped': [
    ...['--dialect', 'nl-2010', '--issuer', ISSUER, '--patient-id', 'prefix', '--nested', 'strip'],
  ],
} as const;
type RecipeName = keyof typeof RECIPES;
const NAMES = Object.keys(RECIPES) as RecipeName[];

const folder = await openTempFolder('corpus');
afterAll(() => folder.remove());
const folderOf = (recipe: RecipeName): string => folder.file(recipe.replaceAll(/[^a-z0-9]+/g, '-'));

let corpus: CorpusFile[] = [];
const outputs = new Map<RecipeName, TaggedFile[]>();
beforeAll(async () => {
  corpus = await writeCorpus(folder.file('in'));
  for (const name of NAMES) {
    outputs.set(name, await tagFolder(folder.file('in'), folderOf(name), RECIPES[name]));
  }
});

/** A file before and behind `sluis tag`. */
interface Pair {
  readonly file: CorpusFile;
  readonly tagged: TaggedFile;
  readonly output: string;
  readonly bytes: Buffer;
}

/** Those that have an output. */
function pairs(recipe: RecipeName): Pair[] {
  const byName = new Map(corpus.map((file) => [file.name, file]));
  return (outputs.get(recipe) ?? []).flatMap((tagged) => {
    const file = byName.get(tagged.name);
    const { output, bytes } = tagged;
    return file === undefined || output === null || bytes === undefined
      ? []
      : [{ file, tagged, output, bytes }];
  });
}

const isTagged = ({ file }: Pair): boolean => file.expected.outcome === 'tagged';
/** One line for what is wrong with a file; tests expect no lines. */
const fault = (name: string, what: string | undefined): string[] =>
  what === undefined ? [] : [`${name}: ${what}`];

/** The same question is asked of an original once, whatever the dialects. */
const answers = new Map<string, Promise<Said>>();
function askOnce(tool: string, ...args: readonly string[]): Promise<Said> {
  const key = [tool, ...args].join(' ');
  const answer = answers.get(key) ?? ask(tool, ...args);
  answers.set(key, answer);
  return answer;
}

/**
 * What a tool gets wrong. A UN value is implicit little endian in big endian as well (PS3.5 section 6.2.2 note
 * 2); pydicom and dciodvfy read it in the dataset's own byte order.
 */
const MISREAD: ReadonlySet<string> = new Set([
  'odd-others-un-big-endian.dcm',
  'odd-others-un-empty-big-endian.dcm',
]);

/** Its meta claims 64 KiB, so that dcmdump warns of each element of the dataset in it. */
const LONG_META = 'odd-meta-length-long.dcm';

/** Which tools cannot read, and can when it was tagged: a zlib stream is written anew as the standard has it. */
const UNREAD: ReadonlySet<string> = new Set(['odd-deflated-with-zlib-frame.dcm']);

let originals: ReturnType<typeof dumpAll> | undefined;
function dumpOriginals(): ReturnType<typeof dumpAll> {
  const files = corpus.filter(({ name }) => name !== LONG_META);
  originals ??= dumpAll(files.map(({ path }) => path));
  return originals;
}

/** How the number stands there by the dialect: in an item of (0010,1002), or as the Patient ID. */
const QUALIFIED: ReadId = {
  patientId: BSN,
  issuer: 'NLMINBIZA',
  type: 'TEXT',
  universalEntityId: '2.16.840.1.113883.2.4.6.3',
  universalEntityIdType: 'ISO',
  identifierTypeCode: 'NNNLD',
};
/** As pydicom prints a tag: (5533, 5533). */
const isPrivate = (tag: string): boolean => Number.parseInt(tag.slice(1, 5), 16) % 2 === 1;
const isBsn = (id: ReadId | undefined): boolean => JSON.stringify(id) === JSON.stringify(QUALIFIED);

describe('the corpus', () => {
  it(samplesAreHere ? 'has the public samples' : 'lacks the public samples: generated files only', () => {
    if (!samplesAreHere) console.log('samples not here: expected ../shared/samples beside the repository');
    const samples = corpus.filter(({ name }) => name.startsWith('sample-'));
    expect(samples.length >= 100).toBe(samplesAreHere);
    expect(corpus.length - samples.length).toBeGreaterThan(250);
    for (const name of NAMES) expect(outputs.get(name)?.length).toBe(corpus.length);
  });

  it('is refused only where a file is broken, each time with offset and reason', async () => {
    const details = await detailsOf(folder.file('in'));
    const faults = corpus.flatMap(({ name, expected }) => {
      const detail = details.get(name) ?? 'not inspected';
      const isBroken = expected.outcome !== 'tagged' && expected.outcome !== 'untagged';
      if (!isBroken)
        return fault(name, detail === '' ? undefined : `nothing is wrong with it, yet ${detail}`);
      return fault(
        name,
        /^(?:[0-9A-F]{4},[0-9A-F]{4} )?at byte [0-9]+: ./.test(detail) ? undefined : `no reason: ${detail}`,
      );
    });
    expect(faults).toEqual([]);
  });
});

describe.each(NAMES)('tagged as %s', (recipe) => {
  it('no byte outside the edits changes', () => {
    const faults = pairs(recipe).flatMap(({ file, tagged, bytes }) =>
      fault(file.name, differenceOutside(file.bytes, bytes, tagged)),
    );
    expect(faults).toEqual([]);
  });

  it('what cannot be tagged is left alone, and nothing else is', () => {
    const faults = corpus.flatMap(({ name, bytes, expected }) => {
      const line = outputs.get(recipe)?.find((one) => one.name === name);
      if (line === undefined) return [`${name}: no line`];
      if (expected.outcome === 'tagged') return fault(name, line.output === null ? 'no output' : undefined);
      if (expected.outcome === 'incomplete') return [];
      const isLeft = line.edits.length === 0 && (line.bytes?.equals(bytes) ?? true);
      return fault(name, isLeft ? undefined : 'it was changed');
    });
    expect(faults).toEqual([]);
  });

  it('the pixel data is the same', () => {
    const syntaxes = new Set<string>();
    const faults = pairs(recipe).flatMap(({ file, bytes }) => {
      const [before, after] = [pixelDataOf(file.bytes), pixelDataOf(bytes)];
      if (before.sha256 !== undefined) syntaxes.add(before.transferSyntaxUid);
      return fault(file.name, before.sha256 === after.sha256 ? undefined : 'other pixels');
    });
    expect(faults).toEqual([]);
    expect(syntaxes.size).toBeGreaterThanOrEqual(samplesAreHere ? 14 : 8);
  });

  it('pydicom reads the BSN, its issuer and its type, and all else as before', async () => {
    const all = pairs(recipe);
    const read = await readBack(all.map(({ file, output }) => [file.path, output] as const));
    const byFile = new Map(read.map((one) => [one.file, one]));
    let seen = 0;
    const faults = all.flatMap((pair) => {
      const said = byFile.get(pair.output);
      if (said === undefined) return [`${pair.file.name}: pydicom says nothing`];
      if (said.unread !== undefined)
        return fault(pair.file.name, said.unreadBefore === undefined ? said.unread : undefined);
      if (said.before === undefined || UNREAD.has(pair.file.name)) return [];
      if (pair.file.expected.outcome === 'refused') return [];
      const changed = said.changed?.filter((tag) => !(recipe.endsWith('stripped') && isPrivate(tag)));
      if (changed?.length !== 0) return [`${pair.file.name}: changed ${said.changed?.join() ?? ''}`];
      if (!isTagged(pair) || MISREAD.has(pair.file.name)) return [];
      seen += 1;
      return fault(pair.file.name, readFault(recipe, said));
    });
    expect(faults).toEqual([]);
    expect(seen).toBeGreaterThan(200);
  });

  it('dcmdump reads them too, all else as before, and has nothing new to complain of', async () => {
    const all = pairs(recipe).filter(({ file }) => file.name !== LONG_META);
    const before = await dumpOriginals();
    const after = await dumpAll(all.map(({ output }) => output));
    const faults = all.flatMap((pair) => {
      const { file, output } = pair;
      const [one, other] = [before.dumps.get(file.path), after.dumps.get(output)];
      if (other === undefined)
        return fault(file.name, one === undefined ? undefined : 'cannot be read any more');
      const unheld = isTagged(pair) ? dumpFault(recipe, idsOf(other)) : undefined;
      if (one === undefined || UNREAD.has(file.name)) return fault(file.name, unheld);
      // Nothing may be there that was not; what is stripped is missing, and else nothing is.
      const [rest, now] = [restOf(one), restOf(other)];
      const changed = recipe.endsWith('stripped')
        ? newLines(rest, now)
        : [...newLines(rest, now), ...newLines(now, rest)];
      return [
        ...fault(file.name, unheld),
        ...changed.slice(0, 3).map((line) => `${file.name}: changed ${line}`),
      ];
    });
    expect(faults).toEqual([]);
    expect(newComplaints(before.complaints.join(''), after.complaints.join(''), /./)).toEqual([]);
  });

  // A process for each file, and slow to start: those that write an item, and those that write the Patient ID.
  it.runIf(recipe === 'nl-2010' || recipe === 'patientid-bsn')('gdcmdump reads them too', async () => {
    let read = 0;
    const faults = await askAll(pairs(recipe).filter(isTagged), async ({ file, output }) => {
      const { content, out } = await ask('gdcmdump', output);
      if (!content) return [];
      read += 1;
      return fault(file.name, dumpFault(recipe, idsOf(out)));
    });
    expect(faults.flat()).toEqual([]);
    expect(read).toBeGreaterThan(200);
  });

  it.runIf(recipe === 'patientid-bsn')('gdcminfo says of the image what it said before', async () => {
    const faults = await askAll(pairs(recipe), async ({ file, output }) => {
      const before = await ask('gdcminfo', file.path);
      if (!before.content) return [];
      const after = await ask('gdcminfo', output);
      const isSame = after.content && after.out === before.out;
      return fault(file.name, isSame ? undefined : newComplaints(before.out, after.out, /./).join());
    });
    expect(faults.flat()).toEqual([]);
  });

  it('dciodvfy finds no new error', async () => {
    const faults = await askAll(pairs(recipe), async ({ file, tagged, bytes }) => {
      if (tagged.edits.length === 0 || MISREAD.has(file.name)) return [];
      const [one, other] = [folder.file(`before-${file.name}`), folder.file(`after-${file.name}`)];
      await Promise.all([writeFile(one, readable(file.bytes)), writeFile(other, readable(bytes))]);
      const [before, after] = [await askOnce('dciodvfy', one), await ask('dciodvfy', other)];
      const both = (said: typeof before): string => said.out + said.complaints;
      return newComplaints(both(before), both(after), /Error/).map((line) => `${file.name}: ${line}`);
    });
    expect(faults.flat()).toEqual([]);
  });

  it('tagging the copies again changes nothing', async () => {
    const again = await tagFolder(folderOf(recipe), `${folderOf(recipe)}-again`, RECIPES[recipe]);
    const first = new Map(pairs(recipe).map((pair) => [pair.output, pair]));
    const faults = again.flatMap(({ file, edits, bytes, output }) => {
      const pair = first.get(file);
      if (pair === undefined || output === null) return [`${basename(file)}: no pair`];
      const isSame = edits.length === 0 && bytes?.equals(pair.bytes) === true;
      return fault(basename(file), isSame ? undefined : `${edits.length.toString()} more edits`);
    });
    expect(faults).toEqual([]);
    expect(again.length).toBe(first.size);
  });
});

/** What pydicom does not find, by the recipe. */
function readFault(
  recipe: RecipeName,
  { own, retired = '', others = [], before }: ReadBack,
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
  const isRetired = retired.split('\\').includes(BSN);
  return recipe.startsWith('legacy') && !isRetired ? `(0010,1000) is ${retired}` : undefined;
}

/** Of the Patient ID itself. */
function ownFault(recipe: RecipeName, own: ReadId, before: ReadId): string | undefined {
  if (recipe === 'patientid-bsn') return isBsn(own) ? undefined : `the Patient ID is ${JSON.stringify(own)}`;
  const isOwn = before.patientId !== '' && before.issuer === '' && before.universalEntityId === '';
  const isTheBsn = before.patientId === BSN;
  const prefixed = `${ISSUER}-${before.patientId}`;
  const isPrefixed = recipe.endsWith('stripped') && isOwn && !isTheBsn && prefixed.length <= 64;
  const id = isPrefixed ? prefixed : before.patientId;
  if (own.patientId !== id) return `the Patient ID became ${own.patientId}`;
  const issuer = recipe === 'nl-2010' || !isOwn ? before.issuer : isTheBsn ? QUALIFIED.issuer : ISSUER;
  return own.issuer === issuer ? undefined : `its issuer became ${own.issuer}`;
}

/** The same for a dump, which does not show all of an item in each tool. */
function dumpFault(recipe: RecipeName, { own, others }: DumpedIds): string | undefined {
  const candidates = recipe === 'patientid-bsn' ? [own] : others;
  const isThere = candidates.some(
    (ids) =>
      ids.get('0010,0020') === BSN &&
      ids.get('0010,0021') === QUALIFIED.issuer &&
      ids.get('0010,0022') === QUALIFIED.type,
  );
  return isThere ? undefined : 'the BSN, its issuer and its type are not there together';
}
