import { verdictOf } from '../transfer/verdict.ts';
import { UsageError } from './errors.ts';
import { findFiles } from './found-files.ts';
import { type Inspection, inspectFile } from './inspection.ts';
import { parseOptions } from './options.ts';
import { Progress } from './progress.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis inspect PATH…

Says of each file what the exchange would say of it: one JSON line with its UIDs, size, SHA-256,
verdict (accepted, held or rejected) and reasons. Folders are walked in sorted order; nothing is sent.
Ends with 0 whatever the verdicts are: read them.`;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { positionals } = parseOptions({}, args);
  if (positionals.length === 0) throw new UsageError('name at least one file or folder');
  const files = await findFiles(positionals, (path, why) => terminal.note(`skipped ${path}: ${why}`));
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = new Progress(terminal, 'inspecting', total);
  try {
    for (const { path } of files) {
      terminal.print(JSON.stringify(lineOf(await inspectFile(path, (bytes) => progress.add(bytes)))));
    }
  } finally {
    progress.end();
  }
  return 0;
}

function lineOf({ path, bytes, sha256, scan, reasons, detail }: Inspection) {
  return {
    file: path,
    sopInstanceUid: scan?.sopInstanceUid ?? '',
    sopClassUid: scan?.sopClassUid ?? '',
    studyInstanceUid: scan?.studyInstanceUid ?? '',
    seriesInstanceUid: scan?.seriesInstanceUid ?? '',
    transferSyntaxUid: scan?.transferSyntaxUid ?? '',
    bytes,
    sha256,
    verdict: verdictOf(reasons),
    reasons,
    ...(detail === '' ? {} : { detail }),
  };
}
