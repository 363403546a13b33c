import { composeInstance, type InstancePlace } from './instance.ts';
import { MODALITIES, type Modality } from './modality.ts';
import { EXPLICIT_LE, type TransferSyntaxUid } from './part10.ts';
import { ANNELIES, type BsnPlace, type SyntheticPatient } from './patient.ts';
import { frameOf } from './phantom.ts';
import { derivedUid } from './uid.ts';

export interface StudyOptions {
  readonly modality: Modality;
  readonly instances: number;
  /** Pixel bytes of one instance, to the nearest row; 512 KiB (512 x 512 x 16 bit) when left out. */
  readonly bytesPerInstance?: number;
  /** Explicit VR Little Endian when left out. */
  readonly transferSyntaxUid?: TransferSyntaxUid;
  /** The same options and seed give the same bytes. UIDs follow from modality and seed alone. */
  readonly seed: number;
  readonly patient?: Partial<SyntheticPatient>;
  /** `retired-1000` when left out. */
  readonly bsnIn?: BsnPlace;
  /** Instances in one series; 200 when left out. */
  readonly seriesSize?: number;
}

export interface GeneratedInstance {
  /** Unique within the study; says nothing about the patient. */
  readonly fileName: string;
  readonly sopInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** A whole Part 10 file. */
  readonly bytes: Uint8Array;
}

/** A study that exists one instance at a time: iterating makes each when it is asked for. */
export interface GeneratedStudy extends Iterable<GeneratedInstance> {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUids: readonly string[];
  readonly sopClassUid: string;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly patient: SyntheticPatient;
  readonly instances: number;
  /** Without making the instance. */
  sopInstanceUid(index: number): string;
  /** The instance at `index`, from 0. Throws RangeError outside the study. */
  instance(index: number): GeneratedInstance;
}

const BYTES_PER_INSTANCE = 512 * 512 * 2;
const SERIES_SIZE = 200;

/** A synthetic study of CT or MR images. Costs nothing until it is iterated, and memory for one instance then. */
export function generateStudy(options: StudyOptions): GeneratedStudy {
  const { modality, seed, instances } = options;
  const seriesSize = options.seriesSize ?? SERIES_SIZE;
  const patient = { ...ANNELIES, ...options.patient };
  const transferSyntaxUid = options.transferSyntaxUid ?? EXPLICIT_LE;
  const frame = frameOf(options.bytesPerInstance ?? BYTES_PER_INSTANCE);
  const uid = (kind: string, index: number): string => derivedUid('sluis', modality, seed, kind, index);
  const sopInstanceUid = (index: number): string => uid('instance', index);
  const studyInstanceUid = uid('study', 0);
  const seriesCount = Math.ceil(instances / seriesSize);
  const seriesInstanceUids = Array.from({ length: seriesCount }, (_, series) => uid('series', series));

  const instance = (index: number): GeneratedInstance => {
    if (!(index >= 0 && index < instances)) {
      throw new RangeError(`instance ${index.toString()} of ${instances.toString()}`);
    }
    const series = Math.floor(index / seriesSize);
    const seriesInstanceUid = uid('series', series);
    const place: InstancePlace = { index, series, slice: index % seriesSize };
    const uids = {
      sopInstanceUid: sopInstanceUid(index),
      studyInstanceUid,
      seriesInstanceUid,
      frameOfReferenceUid: uid('frame of reference', 0),
    };
    const bsnIn = options.bsnIn ?? 'retired-1000';
    const form = { modality, patient, bsnIn, transferSyntaxUid, frame, seed };
    return {
      fileName: `${modality}-${padded(series + 1, 3)}-${padded(place.slice + 1, 5)}.dcm`,
      sopInstanceUid: uids.sopInstanceUid,
      seriesInstanceUid,
      bytes: composeInstance(form, uids, place),
    };
  };

  return {
    studyInstanceUid,
    seriesInstanceUids,
    sopClassUid: MODALITIES[modality].sopClassUid,
    transferSyntaxUid,
    patient,
    instances,
    sopInstanceUid,
    instance,
    *[Symbol.iterator]() {
      for (let index = 0; index < instances; index += 1) yield instance(index);
    },
  };
}

const padded = (number: number, digits: number): string => number.toString().padStart(digits, '0');
