import type { Scan } from '../dicom/scan.ts';
import type { ReportType } from '../study/report.ts';
import { countText, sizeText } from './amount.ts';
import { InputRefused } from './errors.ts';
import {
  TRANSFER_BYTES_MAX,
  TRANSFER_INSTANCES_MAX,
  TRANSFER_REPORTS_MAX,
  TRANSFER_STUDIES_MAX,
} from './limits.ts';
import { plain } from './problem.ts';
import { firstLines } from './table.ts';
import type { Terminal } from './terminal.ts';

interface Listed {
  /** Of a file; of an entry of a ZIP what to call it. */
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

/** One instance that will be sent. Holds no patient data. */
export interface ListedInstance extends Listed {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
}

/** One report that will be sent. */
export interface ListedReport extends Listed {
  readonly mediaType: ReportType;
}

/** What a transfer will hold, in the order of its package: instances by UID, reports by content. */
export interface Listing {
  readonly instances: readonly ListedInstance[];
  readonly reports: readonly ListedReport[];
}

/** At most so many files that cannot be sent are named, the others counted. */
const FAULTS_SHOWN = 10;
/** A disc with its viewer holds some hundred that nobody misses; by then it is clear what they are. */
const SKIPS_SHOWN = 100;

/**
 * Becomes what a transfer will hold, one file after the other. What cannot be sent is told of all files
 * at once, so that nobody repairs one at a time.
 */
export class Contents {
  readonly #instances = new Map<string, ListedInstance>();
  readonly #reports = new Map<string, ListedReport>();
  readonly #skipped: string[] = [];
  readonly #faults: string[] = [];

  /** One SOP Instance UID is one instance: equal bytes once, other bytes never (PS3.4 leaves no choice). */
  addInstance({ path, bytes, mtimeMs, sha256, scan }: Listed & { readonly scan: Scan }): void {
    const { sopInstanceUid, studyInstanceUid } = scan;
    const twin = this.#instances.get(sopInstanceUid);
    if (twin === undefined) {
      const instance = { path, bytes, mtimeMs, sha256, sopInstanceUid, studyInstanceUid };
      this.#instances.set(sopInstanceUid, instance);
    } else if (twin.sha256 === sha256) {
      this.skip(path, `the same instance as ${twin.path}`);
    } else {
      this.refuse(
        path,
        `it and ${twin.path} have one SOP Instance UID and different content; send only the right one`,
      );
    }
  }

  /** A report has no UID: the same content is the same report. */
  addReport(report: ListedReport): void {
    const twin = this.#reports.get(report.sha256);
    if (twin === undefined) this.#reports.set(report.sha256, report);
    else this.skip(report.path, `the same report as ${twin.path}`);
  }

  /** Is left out, and the others are sent. */
  skip(path: string, why: string): void {
    this.#skipped.push(`skipped ${plain(path)}: ${plain(why)}`);
  }

  /** Cannot be sent, and without it nothing is. */
  refuse(path: string, why: string): void {
    this.#faults.push(`${plain(path)}: ${plain(why)}`);
  }

  /** Says what is left out. Throws InputRefused when something cannot be sent, or there is nothing, or too much. */
  finish(terminal: Terminal): Listing {
    for (const line of firstLines(this.#skipped, SKIPS_SHOWN)) terminal.note(line);
    const faults = this.#faults.length;
    if (faults > 0) {
      throw new InputRefused(
        [
          `${countText(faults, 'file')} cannot be sent, so nothing was:`,
          ...firstLines(this.#faults, FAULTS_SHOWN),
        ].join('\n  '),
      );
    }
    const instances = [...this.#instances.values()].sort((a, b) =>
      a.sopInstanceUid < b.sopInstanceUid ? -1 : 1,
    );
    const reports = [...this.#reports.values()].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    checkLimits({ instances, reports });
    return { instances, reports };
  }
}

function checkLimits({ instances, reports }: Listing): void {
  const items = [...instances, ...reports];
  if (items.length === 0) {
    throw new InputRefused('there is no DICOM instance and no report here, so nothing was sent');
  }
  const studies = new Set(instances.map(({ studyInstanceUid }) => studyInstanceUid)).size;
  const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  const limits: readonly (readonly [count: number, most: number, text: string])[] = [
    [items.length, TRANSFER_INSTANCES_MAX, countText(TRANSFER_INSTANCES_MAX, 'instance')],
    [reports.length, TRANSFER_REPORTS_MAX, countText(TRANSFER_REPORTS_MAX, 'report')],
    [studies, TRANSFER_STUDIES_MAX, `${TRANSFER_STUDIES_MAX.toString()} studies`],
    [bytes, TRANSFER_BYTES_MAX, sizeText(TRANSFER_BYTES_MAX)],
  ];
  const over = limits.find(([count, most]) => count > most);
  if (over === undefined) return;
  throw new InputRefused(`this is more than ${over[2]}, the most that one transfer takes; send it in parts`);
}
