import { basename } from 'node:path';
import { FORMATS, formOf } from './bsn-report-forms.ts';
import { type Look, lookAtFile, lookIntoArchive, notRead, setAside } from './bsn-report-look.ts';
import { fileOutput, screenOutput } from './bsn-report-output.ts';
import type { Summary } from './bsn-report-rows.ts';
import { summaryLines } from './bsn-report-table.ts';
import { Tally } from './bsn-report-tally.ts';
import { UsageError } from './errors.ts';
import { Windows } from './first-bytes.ts';
import { type Walked, walkFiles } from './found-files.ts';
import { inOrder } from './in-order.ts';
import { HEADS_READ_MAX } from './limits.ts';
import { oneOf, parseOptions } from './options.ts';
import { FILES, Progress } from './progress.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** What --fail-on can name, and how many files, patients or studies of it there are. */
const FINDINGS: Readonly<Record<string, (summary: Summary) => number>> = {
  conflict: (summary) => summary.bsn.conflict + summary.conflictingPatients + summary.conflictingStudies,
  missing: ({ bsn }) => bsn.missing + bsn.hint,
  invalid: ({ invalid }) => invalid,
  foreign: ({ foreign }) => foreign,
  unreadable: ({ problems }) => unreadable(problems),
};

/** A text or a viewer beside the studies is not unreadable. */
const EXPECTED: ReadonlySet<string> = new Set(['NOT_DICOM', 'REPORT', 'SET_ASIDE']);

function unreadable(problems: Summary['problems']): number {
  const counts = Object.entries(problems).map(([code, count]) => (EXPECTED.has(code) ? 0 : count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The report is made, and there is what --fail-on names. */
const FOUND = 3;

export const usage = `sluis bsn-report PATH… [--format table|json|csv] [--out FILE] [--fail-on WHAT[,WHAT]] [--show-numbers]

Says where the BSN stands in the files, folders and ZIP archives that PATHs name, where it is missing
or given twice, and which files name somebody else inside. Reads the first 128 KiB of a file as a rule,
changes nothing, sends nothing anywhere. Patients are running numbers; no BSN is shown.
  --format F       table   what needs attention, and how much there is of everything (default)
                   json    a line per file, then per study, per patient, and a summary last
                   csv     the same rows without the summary, which goes to standard error
  --out FILE       where the report goes, for this user alone; nothing is ever replaced
  --fail-on WHAT   ends with 3 when there is any: ${Object.keys(FINDINGS).join(', ')}
  --show-numbers   shows BSNs and Patient IDs in the clear, for whoever repairs the source
File names are shown as they are. Ends with 0 when the report is made, whatever stands in it.`;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions(
    {
      format: { type: 'string', default: 'table' },
      out: { type: 'string' },
      'fail-on': { type: 'string' },
      'show-numbers': { type: 'boolean', default: false },
    },
    args,
  );
  if (positionals.length === 0) throw new UsageError('name at least one file or folder');
  const format = oneOf(values.format, '--format', FORMATS);
  const failOn = (values['fail-on']?.split(',') ?? []).map((one) =>
    oneOf(one, '--fail-on', Object.keys(FINDINGS)),
  );
  const showNumbers = values['show-numbers'];
  if (showNumbers) {
    terminal.note('this report holds BSNs and Patient IDs: keep it where nobody else can read it');
  }
  const tally = new Tally(showNumbers);
  const output = values.out === undefined ? screenOutput(terminal) : await fileOutput(values.out);
  const write = async (lines: Iterable<string>): Promise<void> => {
    for (const line of lines) await output.line(line);
  };
  try {
    const form = formOf(format, tally);
    await write(form.begin());
    for await (const look of lookAtAll(terminal, positionals)) {
      // It may lie in the folder it is about.
      if (output.part === null || basename(look.file) !== output.part)
        await write(form.file(tally.add(look)));
    }
    await write(form.end());
    await output.finish();
  } finally {
    await output.close();
  }
  const summary = tally.summary();
  if (format === 'csv' || values.out !== undefined) {
    for (const line of summaryLines(summary)) terminal.note(line);
  }
  return failOn.some((finding) => (FINDINGS[finding]?.(summary) ?? 0) > 0) ? FOUND : 0;
}

async function* lookAtAll(terminal: Terminal, paths: readonly string[]): AsyncGenerator<Look> {
  const progress = new Progress(terminal, 'reading', await count(terminal, paths), undefined, FILES);
  const windows = new Windows();
  const look = async (walked: Walked): Promise<{ path: string; looked: Look | 'archive' }> => {
    const { path } = walked;
    const subject = { file: path, entry: null };
    if (walked.is === 'skipped') return { path, looked: setAside(subject, walked.why) };
    if (walked.is === 'unreadable') return { path, looked: notRead(subject, walked.error) };
    return { path, looked: await lookAtFile(path, windows) };
  };
  try {
    for await (const { path, looked } of inOrder(walkFiles(paths), HEADS_READ_MAX, look)) {
      progress.add(1);
      if (looked !== 'archive') yield looked;
      else yield* inArchive(path, windows, progress);
    }
  } finally {
    progress.end();
  }
}

async function* inArchive(path: string, windows: Windows, progress: Progress): AsyncGenerator<Look> {
  for await (const look of lookIntoArchive(path, windows, (entries) => progress.grow(entries))) {
    progress.add(1);
    yield look;
  }
}

/** Walks once for nothing but a number: reading is what takes hours, and somebody wants to know how many. */
async function count(terminal: Terminal, paths: readonly string[]): Promise<number> {
  const progress = new Progress(terminal, 'counting files');
  let files = 0;
  try {
    for await (const _ of walkFiles(paths)) files += 1;
  } finally {
    progress.end();
  }
  return files;
}
