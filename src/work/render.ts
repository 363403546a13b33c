import { open } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import { IDENTITY_BYTES } from '../dicom/limits.ts';
import { scan } from '../dicom/scan.ts';
import { renderReport } from '../study/rendering/render-report.ts';
import { type SourceContext, sourceContextOf } from '../study/rendering/source-context.ts';
import { Inspector } from './inspector.ts';
import { type Piece, pieceBytes } from './jobs.ts';
import { renderedBytesMax } from './limits.ts';
import { OutputFile } from './output-file.ts';
import { PieceReader } from './piece-reader.ts';
import type { RenderContext, RenderJob, RenderResult } from './render-job.ts';

/** Makes the instance and writes it. A report that cannot be read is a result. Rejects what reading or writing rejects. */
export async function render(job: RenderJob): Promise<RenderResult> {
  const reader = new PieceReader();
  const file = await open(job.into, 'r+');
  try {
    const source = readAll(reader, job.source);
    const rest = readAll(reader, job.deflatedRest);
    const bytes = rest.byteLength === 0 ? source : Buffer.concat([source, inflated(rest)]);
    const { sourceSha256, language, of } = job;
    const common = { bytes, sourceSha256, language };
    const rendered = renderReport(
      of.kind === 'sr'
        ? { kind: 'sr', ...common }
        : { kind: of.kind, context: contextOf(reader, of.context), ...common },
    );
    if ('fault' in rendered) {
      return { inspection: undefined, bytes: 0, fault: rendered.fault };
    }
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

/** As much of the head as the inspection looked at, so that the same context is found each time. */
function contextOf(reader: PieceReader, { pieces, bytes }: RenderContext): SourceContext {
  let need = Math.min(bytes, IDENTITY_BYTES);
  const all = readAll(reader, pieces);
  for (;;) {
    const window = all.subarray(0, need);
    const found = scan(window, bytes);
    if (!('need' in found)) return sourceContextOf(window, found);
    if (found.need > all.byteLength) throw new RangeError('the head of the context is not all there');
    need = found.need;
  }
}

function readAll(reader: PieceReader, pieces: readonly Piece[]): Buffer {
  const bytes = pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0);
  if (bytes > renderedBytesMax) throw new RangeError('a report to be rendered is too large');
  const all = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  reader.read(pieces, (chunk) => {
    all.set(chunk, at);
    at += chunk.byteLength;
  });
  return all;
}

function inflated(rest: Uint8Array): Buffer {
  return inflateRawSync(rest, { maxOutputLength: renderedBytesMax });
}
