import { createInflateRaw, deflateRawSync, deflateSync, type ZlibOptions } from 'node:zlib';
import { type Built, dataset, part10 } from '../dicom/builder.ts';

/** Deflated Explicit VR Little Endian (PS3.5 annex A.5). */
export const DEFLATED = '1.2.840.10008.1.2.1.99';

export interface DeflatedForm extends ZlibOptions {
  readonly syntax?: string;
  /** Wrapped as zlib does. */
  readonly wrapped?: boolean;
}

/** A deflated instance, and what it is with its dataset inflated. */
export interface DeflatedFile {
  readonly bytes: Buffer;
  readonly inflated: Buffer;
  readonly datasetAt: number;
}

/** Writes a deflated instance; its stream is as long as it is, padded to nothing. */
export function deflatedFile(elements: readonly Built[], form: DeflatedForm = {}): DeflatedFile {
  return deflatedDataset(dataset(elements, 'explicit-le'), form);
}

export function deflatedDataset(plain: Buffer, form: DeflatedForm = {}): DeflatedFile {
  const { syntax = DEFLATED, wrapped = false, ...options } = form;
  const meta = part10([], 'explicit-le', syntax);
  const stream = wrapped ? deflateSync(plain, options) : deflateRawSync(plain, options);
  return {
    bytes: Buffer.concat([meta, stream]),
    inflated: Buffer.concat([meta, plain]),
    datasetAt: meta.byteLength,
  };
}

/** Inflates a raw stream by itself, and says how many bytes of it that took. */
export async function inflateAll(stream: Uint8Array): Promise<{ bytes: Buffer; consumed: number }> {
  const engine = createInflateRaw();
  engine.end(stream);
  const chunks: Buffer[] = [];
  for await (const chunk of engine) chunks.push(chunk as Buffer);
  return { bytes: Buffer.concat(chunks), consumed: engine.bytesWritten };
}
