import { counter, gauge, type Metric } from '../ops/metric.ts';
import type { StorageLoad } from './storage.ts';

export const segmentsOffloaded = counter({
  name: 'sluis_storage_segments_offloaded_total',
  help: 'segments that S3 has whole',
});

export const offloadedBytes = counter({
  name: 'sluis_storage_offloaded_bytes_total',
  help: 'bytes of segments that S3 has whole',
});

export const offloadFailures = counter({
  name: 'sluis_storage_offload_failures_total',
  help: 'tries to move a segment to S3 that failed',
});

export const fetchedBytes = counter({
  name: 'sluis_storage_fetched_bytes_total',
  help: 'bytes of segments fetched back from S3 for workers',
});

export const brokenReads = counter({
  name: 'sluis_storage_broken_reads_total',
  help: 'reads from S3 that broke and were asked for again',
});

export const storageMetrics = [segmentsOffloaded, offloadedBytes, offloadFailures, fetchedBytes, brokenReads];

/** How full the spool in front of S3 is. */
export function spoolGauges(storage: { readonly load: StorageLoad }): Metric[] {
  return [
    gauge({
      name: 'sluis_storage_spool_bytes',
      help: 'bytes in the spool in front of S3',
      read: () => storage.load.spoolBytes,
    }),
    gauge({
      name: 'sluis_storage_offloads_waiting',
      help: 'segments that wait to be moved to S3',
      read: () => storage.load.waiting,
    }),
    gauge({
      name: 'sluis_storage_offloads_under_way',
      help: 'segments on their way to S3',
      read: () => storage.load.underWay,
    }),
    gauge({
      name: 'sluis_storage_leftovers',
      help: 'removed objects that S3 still has, and is asked to let go again',
      read: () => storage.load.leftovers,
    }),
  ];
}
