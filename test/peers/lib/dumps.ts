import { ask, askAll } from './tools.ts';

/** Who an object is about by a dump of dcmdump or gdcmdump, which both print values between brackets. */
export interface DumpedIds {
  readonly own: ReadonlyMap<string, string>;
  /** The items of the dataset's own (0010,1002). */
  readonly others: readonly ReadonlyMap<string, string>[];
}

const LINE = /^( *)\(([0-9a-f]{4},[0-9a-f]{4})\)(?:.*?\[(.*?) *\])?/;

export function idsOf(dump: string): DumpedIds {
  const own = new Map<string, string>();
  const others: Map<string, string>[] = [];
  let inside = false;
  for (const line of dump.split('\n')) {
    const [, indent = '', tag = '', value = ''] = LINE.exec(line) ?? [];
    if (tag === '') continue;
    if (indent === '') {
      inside = tag === '0010,1002' || (inside && tag.startsWith('fffe,'));
      own.set(tag, value);
    } else if (inside && indent.length === 2 && tag === 'fffe,e000') {
      others.push(new Map());
    } else if (inside && indent.length === 4) {
      others.at(-1)?.set(tag, value);
    }
  }
  return { own, others };
}

/** Tags of the top level that a patch may write. */
const PATCHED = /^\((?:[0-9a-f]{4},0000|0010,002[0124]|0010,100[02]|0400,0561)\)/;

/** The dump without what a patch may write at the top level, and without comments. */
export function restOf(dump: string): string[] {
  const rest: string[] = [];
  let patched = false;
  for (const line of dump.split('\n')) {
    // A sequence's own delimiter stands at the margin too.
    if (/^\((?!fffe)/.test(line)) patched = PATCHED.test(line);
    if (!patched && line !== '' && !line.startsWith('#')) rest.push(line);
  }
  return rest;
}

/** What dcmdump prints of one file; undefined when it cannot be read. */
export type Dump = string | undefined;

/** Files for one process: reading its dictionary costs dcmdump more than reading a file. */
const BATCH = 40;

/** Dumps by path, and everything that dcmdump complained of, in the order of the batches. */
export async function dumpAll(
  paths: readonly string[],
): Promise<{ dumps: Map<string, Dump>; complaints: string[] }> {
  const batches = Array.from({ length: Math.ceil(paths.length / BATCH) }, (_, index) =>
    paths.slice(index * BATCH, (index + 1) * BATCH),
  );
  const dumps = new Map<string, Dump>();
  const complaints = await askAll(batches, async (batch) => {
    // +uc: a UN value of defined length is shown as what it is. -Un: numbers, not names of UIDs.
    const said = await ask('dcmdump', '+F', '+uc', '-Un', ...batch);
    const parts = said.out.split(/^# dcmdump \([0-9]+\/[0-9]+\): .*$/m).slice(1);
    if (parts.length !== batch.length)
      throw new Error(`dcmdump says of ${parts.length.toString()} files something`);
    const unread = new Set([...said.complaints.matchAll(/reading file: (.*)$/gm)].map(([, path]) => path));
    for (const [index, path] of batch.entries()) dumps.set(path, unread.has(path) ? undefined : parts[index]);
    return said.complaints;
  });
  return { dumps, complaints };
}
