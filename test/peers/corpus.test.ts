import { writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differenceOutside } from '../support/differ.ts';
import { editable, pixelDataOf } from '../support/pixel-data.ts';
import { samplesAreHere } from '../support/samples.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import {
  type CorpusFile,
  detailsOf,
  readable,
  type TaggedFile,
  tagFolder,
  writeCorpus,
} from './lib/corpus.ts';
import { dumpAll, idsOf, restOf } from './lib/dumps.ts';
import {
  changedTags,
  dumpFault,
  isStripped,
  NAMES,
  RECIPES,
  type RecipeName,
  readFault,
} from './lib/recipes.ts';
import { askEach, newComplaints, newLines, readBack } from './lib/tools.ts';

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
  for (const { file, bytes, original, output } of NAMES.flatMap(pairs)) {
    if (!INFLATED.has(file.name)) continue;
    await writeFile(original, readable(file.bytes));
    await writeFile(output, readable(bytes));
  }
});

/** A file before and behind `sluis tag`. */
interface Pair {
  readonly file: CorpusFile;
  readonly tagged: TaggedFile;
  readonly bytes: Buffer;
  /** What the tools are given: the files themselves, or what is in them. */
  readonly original: string;
  readonly output: string;
}

/** Those that have an output. */
function pairs(recipe: RecipeName): Pair[] {
  const byName = new Map(corpus.map((file) => [file.name, file]));
  return (outputs.get(recipe) ?? []).flatMap((tagged) => {
    const file = byName.get(tagged.name);
    const { output, bytes } = tagged;
    if (file === undefined || output === null || bytes === undefined) return [];
    return [{ file, tagged, bytes, original: forTools(file.path), output: forTools(output) }];
  });
}

/** Where the tools find it: what they cannot inflate is put inflated beside the folders. */
const forTools = (path: string): string =>
  INFLATED.has(basename(path)) ? folder.file(`inflated-${basename(dirname(path))}-${basename(path)}`) : path;

const isTagged = ({ file }: Pair): boolean => file.expected.outcome === 'tagged';
/** One line for what is wrong with a file; tests expect no lines. */
const fault = (name: string, what: string | undefined): string[] =>
  what === undefined ? [] : [`${name}: ${what}`];

/**
 * What a tool gets wrong. A UN value is implicit little endian in big endian as well (PS3.5 section 6.2.2 note
 * 2); pydicom and dciodvfy read it in the dataset's own byte order.
 */
const MISREAD: ReadonlySet<string> = new Set([
  'odd-others-un-big-endian.dcm',
  'odd-others-un-empty-big-endian.dcm',
]);

/** The same image once more: nothing new for gdcminfo, which takes as long as all other tools together. */
const IN_ANOTHER_ENCODING = /^odd-(?!plain|pixels).*-(?:implicit|big-endian|deflated)\.dcm$/;

/** Far more than any of the recipes writes; a whole value that was written anew would be more. */
const EDITED_BYTES_MAX = 4096;

/** Its meta claims 64 KiB, so that dcmdump warns of each element of the dataset in it. */
const LONG_META = 'odd-meta-length-long.dcm';

/** What no tool inflates: they do not know the syntax, or the frame around the stream. They get it inflated. */
const INFLATED: ReadonlySet<string> = new Set([
  'odd-deflated-with-zlib-frame.dcm',
  'odd-deflated-jpip-4.95.dcm',
  'odd-deflated-jpip-4.205.dcm',
]);

let originals: ReturnType<typeof dumpAll> | undefined;
function dumpOriginals(): ReturnType<typeof dumpAll> {
  // What is rejected has no output, whatever the recipe.
  const all = pairs('nl-2010').filter(({ file }) => file.name !== LONG_META);
  originals ??= dumpAll(all.map(({ original }) => original));
  return originals;
}

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

  it('the edits are few bytes, behind the file meta and in front of the pixels', () => {
    const faults = pairs(recipe).flatMap(({ file, tagged }) => {
      const { from = 0, to = Number.POSITIVE_INFINITY } = editable(file.bytes) ?? {};
      const bytes = tagged.edits.reduce((sum, { remove, insert }) => sum + remove + insert, 0);
      const isWithin = tagged.edits.every(({ at, remove }) => at >= from && at + remove <= to);
      return fault(
        file.name,
        isWithin && bytes < EDITED_BYTES_MAX ? undefined : `edits of ${bytes.toString()} bytes`,
      );
    });
    expect(faults).toEqual([]);
  });

  it('what cannot be tagged is left alone, and nothing else is', () => {
    const faults = corpus.flatMap(({ name, bytes, expected }) => {
      const line = outputs.get(recipe)?.find((one) => one.name === name);
      if (line === undefined) return [`${name}: no line`];
      if (expected.outcome === 'tagged') return fault(name, line.output === null ? 'no output' : undefined);
      if (expected.outcome === 'incomplete') return [];
      const isLeft = line.edits.length === 0 && (line.bytes?.equals(bytes) ?? true);
      const isSigned = expected.outcome === 'untagged' && expected.why === 'signed';
      if (isSigned && !line.reasons.includes('SIGNED_OBJECT')) return [`${name}: signed, and nobody is told`];
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
    const read = await readBack(all.map(({ original, output }) => [original, output] as const));
    const byFile = new Map(read.map((one) => [one.file, one]));
    let seen = 0;
    const faults = all.flatMap((pair) => {
      const said = byFile.get(pair.output);
      if (said === undefined) return [`${pair.file.name}: pydicom says nothing`];
      if (said.unread !== undefined)
        return fault(pair.file.name, said.unreadBefore === undefined ? said.unread : undefined);
      if (said.before === undefined || pair.file.expected.outcome === 'refused') return [];
      const changed = changedTags(recipe, said);
      if (changed.length > 0) return [`${pair.file.name}: changed ${changed.join()}`];
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
      const { file, original, output } = pair;
      const [one, other] = [before.dumps.get(original), after.dumps.get(output)];
      if (other === undefined)
        return fault(file.name, one === undefined ? undefined : 'cannot be read any more');
      const unheld = isTagged(pair) ? dumpFault(recipe, idsOf(other)) : undefined;
      if (one === undefined) return fault(file.name, unheld);
      // Nothing may be there that was not; what is stripped is missing, and else nothing is.
      const [rest, now] = [restOf(one), restOf(other)];
      const changed = isStripped(recipe)
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
    const all = pairs(recipe).filter(isTagged);
    const said = await askEach(
      'gdcmdump',
      all.map(({ output }) => output),
    );
    const read = all.filter(({ output }) => said.get(output)?.content);
    const faults = read.flatMap(({ file, output }) =>
      fault(file.name, dumpFault(recipe, idsOf(said.get(output)?.out ?? ''))),
    );
    expect(faults).toEqual([]);
    expect(read.length).toBeGreaterThan(200);
  });

  it.runIf(recipe === 'patientid-bsn')('gdcminfo says of the image what it said before', async () => {
    const images = pairs(recipe).filter(({ file }) => !IN_ANOTHER_ENCODING.test(file.name));
    const said = await askEach(
      'gdcminfo',
      images.flatMap(({ original, output }) => [original, output]),
    );
    const faults = images.flatMap(({ file, original, output }) => {
      const [before, after] = [said.get(original), said.get(output)];
      if (before?.content !== true || (after?.content === true && before.out === after.out)) return [];
      return [`${file.name}: ${newComplaints(before.out, after?.out ?? '', /./).join()}`];
    });
    expect(faults).toEqual([]);
  });

  it('dciodvfy finds no new error', async () => {
    const all = pairs(recipe).filter(
      ({ file, tagged }) => tagged.edits.length > 0 && !MISREAD.has(file.name),
    );
    const read = await Promise.all(
      all.map(async ({ file, bytes }) => {
        const [before, after] = [folder.file(`before-${file.name}`), folder.file(`after-${file.name}`)];
        await Promise.all([writeFile(before, readable(file.bytes)), writeFile(after, readable(bytes))]);
        return { name: file.name, before, after };
      }),
    );
    const said = await askEach(
      'dciodvfy',
      read.flatMap(({ before, after }) => [before, after]),
    );
    const faults = read.flatMap(({ name, before, after }) => {
      const [one, other] = [said.get(before)?.out ?? '', said.get(after)?.out ?? ''];
      return newComplaints(one, other, /Error/).map((line) => `${name}: ${line}`);
    });
    expect(faults).toEqual([]);
    expect(read.length).toBeGreaterThan(200);
  });

  it('tagging the copies again changes nothing', async () => {
    const again = await tagFolder(folderOf(recipe), `${folderOf(recipe)}-again`, RECIPES[recipe]);
    const first = new Map(pairs(recipe).map((pair) => [pair.tagged.output, pair]));
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
