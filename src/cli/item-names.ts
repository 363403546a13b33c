import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeliveredReport, DeliveryAnswer, DeliveryItem, NamedItem } from './answers.ts';
import { digestOf } from './file-bytes.ts';

/**
 * Where the items of a delivery go below `out`, one of each digest.
 *
 * An instance: <study>/<UID>.dcm, and UID-2.dcm for the second object that claims the same SOP Instance UID
 * (an acute transfer may hold two). A report: report-<n>.pdf in the study's folder; where the delivery has
 * several studies, or none, nobody says which it belongs to, and it goes to a folder named by the transfer.
 */
export async function namedItems(
  out: string,
  { transfer, items }: Pick<DeliveryAnswer, 'transfer' | 'items'>,
): Promise<NamedItem[]> {
  const studies = new Set(items.flatMap((item) => ('report' in item ? [] : item.studyInstanceUid)));
  const [study = transfer] = studies;
  const folder = studies.size === 1 ? study : transfer;
  const reports = new ReportNames(join(out, folder));
  const known = new Map<string, Set<string>>();
  const named: NamedItem[] = [];
  for (const item of items) {
    const name = 'report' in item ? 'report' : `${item.studyInstanceUid}/${item.sopInstanceUid}`;
    const digests = known.get(name) ?? new Set();
    known.set(name, digests);
    if (digests.has(item.sha256)) continue;
    digests.add(item.sha256);
    if ('report' in item) {
      named.push({ ...item, folder, fileName: await reports.next(item) });
    } else {
      const number = digests.size === 1 ? '' : `-${digests.size.toString()}`;
      named.push({ ...item, folder: item.studyInstanceUid, fileName: `${item.sopInstanceUid}${number}.dcm` });
    }
  }
  return named;
}

/** What an item is called in a message. */
export function called(item: DeliveryItem): string {
  return 'report' in item ? `a report of ${item.bytes.toString()} bytes` : `instance ${item.sopInstanceUid}`;
}

/**
 * Names reports by numbers. One that was received into the folder before has its number still; any other
 * gets the first that is free, so that no report is ever taken for an older version of another.
 */
class ReportNames {
  readonly #folder: string;
  /** Names of the reports in the folder, by their numbers; undefined until they were looked for. */
  #there: ReadonlyMap<number, string> | undefined;
  readonly #given = new Set<number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async next({ report, bytes, sha256 }: DeliveredReport): Promise<string> {
    this.#there ??= await reportsIn(this.#folder);
    const extension = extensionOf(report.mediaType);
    for (const name of this.#there.values()) {
      const path = join(this.#folder, name);
      const isSame =
        name.endsWith(`.${extension}`) &&
        (await stat(path)).size === bytes &&
        (await digestOf(path, () => undefined)) === sha256;
      if (isSame) return name;
    }
    let number = 1;
    while (this.#there.has(number) || this.#given.has(number)) number += 1;
    this.#given.add(number);
    return `report-${number.toString()}.${extension}`;
  }
}

async function reportsIn(folder: string): Promise<Map<number, string>> {
  const names = await readdir(folder).catch((thrown: NodeJS.ErrnoException) => {
    // What stands in the way of the folder is found when it is made.
    if (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR') return [];
    throw thrown;
  });
  return new Map(
    names.flatMap((name) => {
      const number = /^report-(\d{1,9})\.[a-z]{3}$/u.exec(name)?.[1];
      return number === undefined ? [] : [[Number(number), name] as const];
    }),
  );
}

function extensionOf(mediaType: string): string {
  if (mediaType === 'application/pdf') return 'pdf';
  if (mediaType === 'text/plain') return 'txt';
  return /[/+]xml$/u.test(mediaType) ? 'xml' : 'bin';
}
