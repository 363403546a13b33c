import type { Integrity } from './delivery/integrity.ts';
import { counted, gauge, type Metric } from './ops/metric.ts';
import type { State } from './state/state.ts';
import type { Storage, StorageSpace } from './storage/storage.ts';
import type { DerivedObjects } from './transfer/derived-objects.ts';
import type { Uploads } from './upload/uploads.ts';
import type { WorkPool } from './work/pool.ts';

interface Gauged {
  readonly uploads: Uploads;
  readonly pool: WorkPool;
  readonly storage: Storage;
  readonly derivedObjects: DerivedObjects;
  readonly integrity: Integrity;
  readonly state: Pick<State, 'waiting'>;
}

export function gaugesOf(parts: Gauged): Metric[] {
  const { uploads, pool, storage, derivedObjects, integrity, state } = parts;
  const space = async (of: keyof StorageSpace): Promise<number> => (await storage.space())[of];
  return [
    gauge({
      name: 'sluis_upload_writers',
      help: 'requests that write to an upload or wait to',
      read: () => uploads.load.writers,
    }),
    gauge({
      name: 'sluis_uploads_open',
      help: 'uploads that are not received yet',
      read: () => uploads.load.open,
    }),
    gauge({
      name: 'sluis_upload_syncs_waiting',
      help: 'checkpoints that wait for their turn to be made durable; 8 have it at once',
      read: () => uploads.load.syncsWaiting,
    }),
    gauge({
      name: 'sluis_state_commits_waiting',
      help: 'commits that wait for their turn; 64 share a sync',
      read: () => state.waiting,
    }),
    gauge({
      name: 'sluis_upload_coming_bytes',
      help: 'bytes that open uploads have still to send',
      read: () => uploads.load.comingBytes,
    }),
    gauge({
      name: 'sluis_derived_coming_bytes',
      help: 'bytes set aside for derived objects that are being made',
      read: () => derivedObjects.comingBytes,
    }),
    gauge({
      name: 'sluis_delivery_checks_running',
      help: 'transfers of which the stored bytes are held against their ledger',
      read: () => integrity.checking,
    }),
    gauge({
      name: 'sluis_work_queue_tasks',
      help: 'tasks that wait for a worker',
      read: () => pool.metrics.queued,
    }),
    gauge({ name: 'sluis_work_running_tasks', help: 'tasks that run', read: () => pool.metrics.running }),
    counted({ name: 'sluis_work_done_total', help: 'tasks that were done', read: () => pool.metrics.done }),
    counted({ name: 'sluis_work_failed_total', help: 'tasks that failed', read: () => pool.metrics.failed }),
    gauge({
      name: 'sluis_storage_free_bytes',
      help: 'free bytes of the disk',
      read: () => space('freeBytes'),
    }),
    gauge({ name: 'sluis_storage_disk_bytes', help: 'bytes of the disk', read: () => space('totalBytes') }),
  ];
}
