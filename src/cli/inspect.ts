import { setAsideText } from '../study/set-aside.ts';
import { verdictOf } from '../transfer/verdict.ts';
import { UsageError } from './errors.ts';
import { findFiles } from './found-files.ts';
import { type InspectedItem, inspectedItems } from './inspected-items.ts';
import { parseOptions } from './options.ts';
import type { PartInspection } from './part-inspection.ts';
import { plain } from './problem.ts';
import { Progress } from './progress.ts';
import type { ReportInspection } from './report-inspection.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis inspect PATH…

Says of each file what the exchange would say of it: one JSON line with its UIDs, size, SHA-256,
verdict (accepted, held or rejected) and reasons. A report (PDF, CDA, text) has its media type in place
of the UIDs; of a ZIP each entry has a line, also what is set aside and why. Folders are walked in
sorted order. Nothing is sent; only a deflated dataset within a deflated ZIP is for a moment written
out, into the system's temporary folder. Ends with 0 whatever the verdicts are: read them.`;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { positionals } = parseOptions({}, args);
  if (positionals.length === 0) throw new UsageError('name at least one file or folder');
  const files = await findFiles(positionals, (path, why) => terminal.note(`skipped ${plain(path)}: ${why}`));
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = new Progress(terminal, 'inspecting', total);
  try {
    for (const { path } of files) {
      for await (const item of inspectedItems(path, (bytes) => progress.add(bytes))) {
        terminal.print(JSON.stringify({ file: path, ...lineOf(item) }));
      }
    }
  } finally {
    progress.end();
  }
  return 0;
}

function lineOf(item: InspectedItem): object {
  const entry = item.entry === null ? {} : { entry: item.entry };
  switch (item.is) {
    case 'instance':
      return { ...entry, ...instanceLine(item.inspection) };
    case 'report':
      return { ...entry, ...reportLine(item.inspection) };
    case 'set-aside':
      return { ...entry, setAside: item.why, bytes: item.bytes, detail: setAsideText[item.why].en };
    case 'broken': {
      const { offset, reason } = item.fault;
      const detail = `at byte ${offset.toString()}: ${reason}`;
      return { bytes: item.bytes, verdict: 'rejected', reasons: ['PACKAGE_BROKEN'], detail };
    }
  }
}

function instanceLine({ bytes, sha256, scan, reasons, detail }: PartInspection): object {
  return {
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

function reportLine({ mediaType, bytes, sha256, reasons, detail }: ReportInspection): object {
  return {
    report: mediaType,
    bytes,
    sha256,
    verdict: verdictOf(reasons),
    reasons,
    ...(detail === '' ? {} : { detail }),
  };
}
