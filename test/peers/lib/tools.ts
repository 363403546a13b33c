import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a tool said of one file, and whether it ended with 0. */
export interface Said {
  readonly content: boolean;
  readonly out: string;
  readonly complaints: string;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Runs a tool that may complain or abort; one that is not installed is a failure, not a complaint. */
export async function ask(tool: string, ...args: readonly string[]): Promise<Said> {
  const child = execFile(tool, [...args], { maxBuffer: OUTPUT_BYTES_MAX, encoding: 'latin1' });
  const parts = { out: '', complaints: '' };
  child.stdout?.on('data', (piece: string) => (parts.out += piece));
  child.stderr?.on('data', (piece: string) => (parts.complaints += piece));
  const [code] = (await once(child, 'close')) as [number | null];
  return { content: code === 0, ...parts };
}

/** All of them, two at a time: there are two cores. */
export async function askAll<Item, Answer>(
  items: readonly Item[],
  one: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) answers[at] = await one(items[at] as Item);
  };
  await Promise.all([lane(), lane()]);
  return answers;
}

/** What a tool said of one file among many: both of its streams, and whether it ended with 0. */
export interface SaidOfOne {
  readonly content: boolean;
  readonly out: string;
}

/** Files for one shell, and its loop: to start a tool out of this process costs as much as the tool itself. */
const BATCH = 40;
const LOOP = 'tool=$1; shift; for file; do "$tool" "$file" 2>&1; code=$?; echo; echo "==== $code"; done';
const MISSING = 127;

/** Runs a tool that takes one file at a time over all of them, once over each. */
export async function askEach(tool: string, paths: readonly string[]): Promise<Map<string, SaidOfOne>> {
  const all = new Map<string, SaidOfOne>();
  const unique = [...new Set(paths)];
  const batches = Array.from({ length: Math.ceil(unique.length / BATCH) }, (_, index) =>
    unique.slice(index * BATCH, (index + 1) * BATCH),
  );
  await askAll(batches, async (batch) => {
    const { out } = await ask('sh', '-c', LOOP, 'sh', tool, ...batch);
    const parts = out.split(/\n==== ([0-9]+)\n/);
    for (const [index, path] of batch.entries()) {
      const code = Number(parts[2 * index + 1]);
      if (code === MISSING || Number.isNaN(code)) throw new Error(`${tool} does not run: ${out.slice(-200)}`);
      all.set(path, { content: code === 0, out: parts[2 * index] ?? '' });
    }
  });
  return all;
}

/** Complaints of a tool about the second file and not the first; numbers (offsets, lengths) may differ. */
export function newComplaints(before: string, after: string, pattern: RegExp): string[] {
  return newLines(linesOf(before, pattern), linesOf(after, pattern));
}

/** Lines of the second that the first does not have, each as often as it has it. */
export function newLines(before: readonly string[], after: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of before) left.set(line, (left.get(line) ?? 0) + 1);
  return after.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

const linesOf = (text: string, pattern: RegExp): string[] =>
  text
    .split('\n')
    .filter((line) => pattern.test(line))
    .map((line) => line.replaceAll(/\/[^ ]*/g, 'FILE').replaceAll(/[0-9]+/g, '#'));

export interface ReadId {
  readonly patientId: string;
  readonly issuer: string;
  readonly type: string;
  readonly universalEntityId: string;
  readonly universalEntityIdType: string;
  readonly identifierTypeCode: string;
}

/** What read-back.py says of a pair; see there. */
export interface ReadBack {
  readonly file: string;
  readonly unreadBefore?: string;
  readonly unread?: string;
  readonly own?: ReadId;
  readonly retired?: string;
  readonly others?: readonly ReadId[];
  readonly original?: number;
  readonly before?: { readonly own: ReadId; readonly retired: string; readonly others: readonly ReadId[] };
  readonly changed?: readonly string[];
}

/** One Python for all pairs [before, after]. Debian's: pydicom is installed for that one. */
export async function readBack(
  pairs: readonly (readonly [before: string, after: string])[],
): Promise<ReadBack[]> {
  const script = new URL('../read-back.py', import.meta.url).pathname;
  const child = spawn('/usr/bin/python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (piece: Buffer) => (out += piece.toString('utf8')));
  child.stdin.end(pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`read-back.py ended with ${String(code)}`);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReadBack);
}
