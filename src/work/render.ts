import { open } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import { IDENTITY_BYTES } from '../dicom/limits.ts';
import { scan } from '../dicom/scan.ts';
import { slice } from '../storage/reader.ts';
import { renderReport } from '../study/rendering/render-report.ts';
import { type SourceContext, sourceContextOf } from '../study/rendering/source-context.ts';
import { Inspector } from './inspector.ts';
import { type Piece, pieceBytes } from './jobs.ts';
import { renderedBytesMax } from './limits.ts';
import { OutputFile } from './output-file.ts';
import { PieceReader } from './piece-reader.ts';
import type { RenderContext, RenderJob, RenderResult } from './render-job.ts';

/**
 * Makes the instance and writes it. A report that cannot be read, or is too large, is a result. Rejects what
 * reading or writing rejects.
 */
export async function render(job: RenderJob): Promise<RenderResult> {
  const reader = new PieceReader();
  const file = await open(job.into, 'r+');
  try {
    const { sourceSha256, language, of } = job;
    const bytes = sourceOf(reader, job);
    if (bytes === undefined) {
      return notMade(`it is larger than ${(renderedBytesMax / 1024 ** 2).toString()} MiB`);
    }
    const common = { bytes, sourceSha256, language };
    const rendered = renderReport(
      of.kind === 'sr'
        ? { kind: 'sr', form: of.form, ...common }
        : { kind: of.kind, context: contextOf(reader, of.context), ...common },
    );
    if ('fault' in rendered) return notMade(rendered.fault);
    const { instance } = rendered;
    const out = new OutputFile(file);
    await out.empty();
    await out.write(instance);
    await out.sync();
    const inspector = new Inspector(instance.byteLength);
    inspector.feed(instance);
    return { inspection: inspector.finish(), bytes: instance.byteLength, fault: undefined };
  } finally {
    reader.close();
    await file.close();
  }
}

function notMade(fault: string): RenderResult {
  return { inspection: undefined, bytes: 0, fault };
}

/** Undefined when it is more than is held in memory. */
function sourceOf(reader: PieceReader, { source, deflatedRest }: RenderJob): Buffer | undefined {
  if (bytesOf(source) + bytesOf(deflatedRest) > renderedBytesMax) return undefined;
  const head = readAll(reader, source);
  if (deflatedRest.length === 0) return head;
  try {
    const maxOutputLength = renderedBytesMax - head.byteLength;
    return Buffer.concat([head, inflateRawSync(readAll(reader, deflatedRest), { maxOutputLength })]);
  } catch (thrown) {
    if (thrown instanceof RangeError && 'code' in thrown && thrown.code === 'ERR_BUFFER_TOO_LARGE') {
      return undefined;
    }
    throw thrown;
  }
}

/** As much of the head as the inspection looked at, so that the same context is found each time. */
function contextOf(reader: PieceReader, { pieces, bytes, form }: RenderContext): SourceContext {
  const there = bytesOf(pieces);
  let need = Math.min(bytes, IDENTITY_BYTES);
  for (;;) {
    if (need > there) throw new RangeError('the head of the context is not all there');
    const window = readAll(reader, slice(pieces, 0, need));
    const found = scan(window, bytes, form);
    if (!('need' in found)) return sourceContextOf(window, found);
    need = found.need;
  }
}

function readAll(reader: PieceReader, pieces: readonly Piece[]): Buffer {
  const all = Buffer.allocUnsafeSlow(bytesOf(pieces));
  let at = 0;
  reader.read(pieces, (chunk) => {
    all.set(chunk, at);
    at += chunk.byteLength;
  });
  return all;
}

function bytesOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0);
}
