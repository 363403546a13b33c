/** What does it cost to write the BSN into one CT slice, and does that depend on the pixel data? Peer: dcmjs. */
import dcmjs from 'dcmjs';
import { NL_2010 } from '../src/dicom/dialect.ts';
import { patch, patchNeeds } from '../src/dicom/patch.ts';
import { scan } from '../src/dicom/scan.ts';
import { generateStudy } from '../test/support/study/study.ts';
import { type Measured, median, report, timed } from './lib/report.ts';

const bsn = '999990019';
const windowBytes = 32 * 1024;

function instance(bytesPerInstance: number): Uint8Array {
  return generateStudy({ modality: 'CT', instances: 1, bytesPerInstance, seed: 1, bsnIn: 'none' }).instance(0)
    .bytes;
}

/** As the exchange does it: the head only, whatever lies behind it. */
function splice(file: Uint8Array): void {
  const window = file.subarray(0, windowBytes);
  const scanned = scan(window, file.byteLength);
  if ('need' in scanned) {
    throw new Error('the head of a generated slice fits in one window');
  }
  const needs = patchNeeds(scanned);
  const edits = patch(scanned, { dialect: NL_2010, bsn }, needs && file.subarray(needs.start, needs.end));
  if (edits.length === 0) {
    throw new Error('nothing was tagged');
  }
}

function readAndWrite(file: Uint8Array): void {
  const dataset = dcmjs.data.DicomMessage.readFile(
    file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer,
  );
  dataset.upsertTag('00101002', 'SQ', [{ '00100020': { vr: 'LO', Value: [bsn] } }]);
  dataset.write();
}

const small = instance(512 * 1024);
const large = instance(64 * 1024 * 1024);
const perCall = (runs: number[], calls: number): number[] => runs.map((ms) => ms / calls);
const many = (file: Uint8Array, calls: number) => (): void => {
  for (let call = 0; call < calls; call++) {
    splice(file);
  }
};

const measured: Measured[] = [
  { subject: 'sluis, 0.5 MiB', metric: 'tag', unit: 'ms', runs: perCall(timed(9, many(small, 500)), 500) },
  { subject: 'sluis, 64 MiB', metric: 'tag', unit: 'ms', runs: perCall(timed(9, many(large, 500)), 500) },
  {
    subject: 'dcmjs read and write, 0.5 MiB',
    metric: 'tag',
    unit: 'ms',
    runs: timed(9, () => readAndWrite(small)),
  },
];
const [ours, oursLarge, theirs] = measured.map(({ runs }) => median(runs)) as [number, number, number];
const faster = theirs / ours;
const growth = oursLarge / ours;
report('tag', measured, [
  { name: 'dcmjs takes so many times longer on a CT slice', value: faster, bar: 100, holds: faster >= 100 },
  { name: '64 MiB against 0.5 MiB', value: growth, bar: 2, holds: growth <= 2 },
]);
