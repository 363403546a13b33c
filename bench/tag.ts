/**
 * What does it cost to have a tagged instance ready to be sent, and does that depend on the pixel data?
 * Distinct files, nothing kept from one to the next. Peers: dcmjs read and write, dcmodify, cp.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeEnhanced } from '../test/support/study/enhanced.ts';
import { writeStudy } from '../test/support/study/write-study.ts';
import { openTempFolder } from '../test/support/temp-folder.ts';
import { type Measured, median, percentile, report } from './lib/report.ts';
import { copyMs, dcmjsMs, dcmodifyMs } from './lib/tag-peers.ts';
import { tagFile } from './lib/tagging.ts';

const FILES = 200;
const RUNS = 5;
const WARM_UP = 400;

interface Size {
  readonly name: string;
  /** How often the slow peers are asked: minutes are not worth a better median. */
  readonly peerRuns: number;
  readonly dcmjs: boolean;
  readonly write: (folder: string) => Promise<string[]>;
}

/** Distinct heads and UIDs; the pixels are holes, so that 200 files of a gigabyte take 50 MB of disk. */
const enhanced = (frames: number) => async (folder: string) => {
  const paths = Array.from({ length: FILES }, (_, index) => join(folder, `${index.toString()}.dcm`));
  for (const [seed, path] of paths.entries()) await writeEnhanced(path, { frames, seed, sparse: true });
  return paths;
};

const SIZES: readonly Size[] = [
  {
    name: '0.5 MB',
    peerRuns: 9,
    dcmjs: true,
    write: async (folder) => {
      const study = { modality: 'CT', instances: FILES, seed: 1, bsnIn: 'none' } as const;
      return (await writeStudy(folder, study)).map(({ path }) => path);
    },
  },
  { name: '210 MB', peerRuns: 1, dcmjs: true, write: enhanced(400) },
  { name: '1 GB', peerRuns: 1, dcmjs: false, write: enhanced(2000) },
];

const notes = [
  'files of 210 MB and 1 GB are sparse: their pixels are holes, only heads are on disk; cp and the others read and write all of it',
  'the page cache of the system is warm for all; nothing of the program is kept from one file to the next',
  'dcmjs on 1 GB is left out: it takes a minute and 6 GB of memory',
];

const folder = await openTempFolder('bench-tag');
try {
  const files = new Map<string, string[]>();
  for (const { name, write } of SIZES) {
    const place = folder.file(name.replace(' ', '-'));
    await mkdir(place);
    files.set(name, await write(place));
  }
  for (let call = 0; call < WARM_UP; call += 1)
    for (const paths of files.values()) tagFile(paths[call % FILES] ?? '');

  const times = new Map(SIZES.map(({ name }) => [name, { p50: [] as number[], p99: [] as number[] }]));
  for (let run = 0; run < RUNS; run += 1) {
    for (const [name, paths] of files) {
      const ms = paths.map((path) => timeOf(path));
      times.get(name)?.p50.push(percentile(ms, 0.5));
      times.get(name)?.p99.push(percentile(ms, 0.99));
    }
  }
  const measured: Measured[] = SIZES.flatMap(({ name }) =>
    (['p50', 'p99'] as const).map((metric) => ({
      subject: `sluis, ${name}`,
      metric,
      unit: 'ms',
      runs: times.get(name)?.[metric] ?? [],
    })),
  );
  const peers = SIZES.flatMap((size) => peersOf(size, files.get(size.name) ?? []));
  const of = (subject: string, metric: string): number =>
    median(
      [...measured, ...peers].find((one) => one.subject === subject && one.metric === metric)?.runs ?? [],
    );
  const ratio = (name: string) => of(`dcmjs read and write, ${name}`, 'file') / of(`sluis, ${name}`, 'p50');
  const slowest = Math.max(...SIZES.map(({ name }) => of(`sluis, ${name}`, 'p50')));
  const growth = of('sluis, 210 MB', 'p99') / of('sluis, 0.5 MB', 'p99');
  const [slice, large] = [ratio('0.5 MB'), ratio('210 MB')];
  report(
    'tag',
    [...measured, ...peers],
    [
      { name: 'p50 in ms, whatever the size', value: slowest, bar: 0.2, holds: slowest < 0.2 },
      { name: 'p99 of 210 MB against that of 0.5 MB', value: growth, bar: 2, holds: growth <= 2 },
      { name: 'dcmjs takes so many times longer on a CT slice', value: slice, bar: 100, holds: slice >= 100 },
      { name: 'and on 210 MB', value: large, bar: 10_000, holds: large >= 10_000 },
    ],
    notes,
  );
} finally {
  await folder.remove();
}

function timeOf(path: string): number {
  const begun = performance.now();
  tagFile(path);
  return performance.now() - begun;
}

function peersOf({ name, peerRuns, dcmjs }: Size, paths: readonly string[]): Measured[] {
  const to = folder.file('copy.dcm');
  const some = paths.slice(0, peerRuns);
  const modified = some.map((path) => dcmodifyMs(path, to)).filter((ms) => ms !== undefined);
  if (modified.length === 0 && !notes.includes('dcmodify is not installed'))
    notes.push('dcmodify is not installed');
  const copied = some.map((path) => copyMs(path, to));
  // The first file of a process costs dcmjs its dictionary: not counted where there are others.
  const rewritten = dcmjs ? some.map((path) => dcmjsMs(path)).slice(peerRuns > 1 ? 1 : 0) : [];
  const all = { cp: copied, dcmodify: modified, 'dcmjs read and write': rewritten };
  return Object.entries(all).flatMap(([subject, runs]) =>
    runs.length === 0 ? [] : [{ subject: `${subject}, ${name}`, metric: 'file', unit: 'ms', runs }],
  );
}
