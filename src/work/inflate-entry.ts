import { digestsOf } from './digester.ts';
import { Inflation, InflationFault } from './inflation.ts';
import { Inspector } from './inspector.ts';
import type { InflateJob, InflateResult } from './jobs.ts';
import type { OutputFile } from './output-file.ts';
import type { PieceReader } from './piece-reader.ts';

/** See inflate: the data of a ZIP entry, of which nothing is kept unless all of it is what its archive says. */
export async function inflateEntry(
  job: InflateJob,
  reader: PieceReader,
  out: OutputFile,
): Promise<InflateResult> {
  try {
    for await (const chunk of new Inflation(reader, job.ranges).inflated(job)) {
      await out.write(chunk);
      if (out.bytes > (job.bytes ?? job.bytesMax)) throw otherLength(job);
    }
    if (out.bytes !== (job.bytes ?? out.bytes)) throw otherLength(job);
    // Read back from the page cache: only now it is known how many bytes there are.
    const inspector = new Inspector(out.bytes);
    reader.read([{ path: job.into, start: 0, bytes: out.bytes }], (chunk) => inspector.feed(chunk));
    const inspection = inspector.finish();
    if (inspection.crc32 !== (job.crc32 ?? inspection.crc32)) {
      throw new InflationFault(
        'MALFORMED',
        0,
        'the inflated bytes have another CRC-32 than the archive says',
      );
    }
    return { inspection, bytes: out.bytes };
  } catch (thrown) {
    if (!(thrown instanceof InflationFault)) throw thrown;
    const { code, offset, reason } = thrown;
    const error = { code, tag: '', offset, reason };
    const digests = digestsOf(job.ranges, reader);
    return { inspection: { scan: undefined, identity: undefined, ...digests, error }, bytes: 0 };
  }
}

function otherLength({ bytes = 0 }: InflateJob): InflationFault {
  const reason = `the archive says ${bytes.toString()} bytes, there are more or fewer`;
  return new InflationFault('MALFORMED', 0, reason);
}
