import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { keys } from '../../src/state/keys.ts';
import type {
  DeliveryRecord,
  InstanceRecord,
  TransferRecord,
  UploadRecord,
} from '../../src/state/records.ts';
import { Checking, type OnReady } from '../../src/transfer/checking.ts';
import { Deriving } from '../../src/transfer/deriving.ts';
import { Examiner } from '../../src/transfer/examiner.ts';
import { Follower, type FollowerParts } from '../../src/transfer/follower.ts';
import type { WorkPool } from '../../src/work/pool.ts';
import { writePackage } from '../study/support.ts';
import { generateStudy } from '../support/study/study.ts';
import { until } from '../support/until.ts';
import { openWorld, transferLimits, uploadRecord, type World } from './world.ts';

export const multipart = 'multipart/related; type="application/dicom"; boundary=B';
export const stow = { by: 'stow', url: 'http://127.0.0.1:1/dicom-web', tokenFile: null } as const;

/** Small CT slices of one study. */
export function slices(instances: number, more: object = {}) {
  return [...generateStudy({ modality: 'CT', instances, seed: 900, bytesPerInstance: 2048, ...more })];
}

/** A package of instances, and behind them reports of these types. */
export function packageOf(
  instances: readonly { bytes: Uint8Array }[],
  ...reports: readonly (readonly [type: string, data: Uint8Array])[]
): Uint8Array {
  return writePackage({
    parts: [
      ...instances.map(({ bytes }) => ({ data: bytes })),
      ...reports.map(([type, data]) => ({ data, headers: [`Content-Type: ${type}`] })),
    ],
  });
}

/** A world in which uploads are followed, and what was sent in them is decided. */
export interface Sending extends World {
  readonly settled: TransferRecord[];
  readonly follower: Follower;
  /** Another follower over the same records, as a next start has it. */
  follow(parts?: Partial<FollowerParts>): Follower;
  /** Its checking, when reports are made into PDFs so. */
  rendering(render: WorkPool['render'], limits?: { instancesMax: number }): Checking;
  /** An upload that is whole; of a transfer of its own, or of the one that is named. */
  upload(bytes: Uint8Array, filetype: string, change?: Partial<UploadRecord>): Promise<UploadRecord>;
  /** One upload that is a transfer of its own, when it is decided. */
  send(
    bytes: Uint8Array,
    filetype: string,
    to?: readonly string[],
    change?: Partial<UploadRecord>,
  ): Promise<TransferRecord>;
  items(transfer: TransferRecord): InstanceRecord[];
  deliveryTo(mailbox: string): DeliveryRecord;
  /** Names of derived objects that are on the disk, and what is recorded of them. */
  objectsOnDisk(): string[];
  objectsKnown(): string[];
  failures(): number;
}

export async function openSending(pool: WorkPool, limits = transferLimits, at?: string): Promise<Sending> {
  const world = await openWorld(limits, at);
  const settled: TransferRecord[] = [];
  const followers: Follower[] = [];
  const follow = (parts: Partial<FollowerParts> = {}): Follower => {
    const follower = new Follower({
      ...world,
      pool,
      examiner: new Examiner({ ...world, pool, limits }),
      archiveBytesMax: limits.transferBytesMax,
      retryMs: 1,
      onSettled: (one) => settled.push(one),
      ...parts,
    });
    followers.push(follower);
    return follower;
  };
  const follower = follow();
  const upload = async (
    bytes: Uint8Array,
    filetype: string,
    change: Partial<UploadRecord> = {},
  ): Promise<UploadRecord> => {
    const { object } = await world.store(bytes);
    const length = bytes.byteLength;
    const record = uploadRecord(change.transfer ?? null, {
      content: { of: 'object', object },
      filetype,
      length,
      offset: length,
      ...change,
    });
    await world.state.commit((tx) => {
      tx.put(keys.uploads, record.id, record);
      world.transfers.claim(tx, record);
    });
    return record;
  };

  return {
    ...world,
    settled,
    follower,
    follow,
    rendering(render, { instancesMax } = limits) {
      const deriving = new Deriving({ ...world, pool: { render }, language: 'nl', limits: { instancesMax } });
      const onReady: OnReady = (tx, transfer, choices) => world.deliveries.queue(tx, transfer, choices);
      return new Checking({ ...world, deriving, onReady });
    },
    upload,
    async send(bytes, filetype, to = ['noord.main'], change = {}) {
      const before = settled.length;
      const { id } = await upload(bytes, filetype, { from: 'zuid.main', to, ...change });
      follower.follow(id);
      await until(
        () => settled.length > before,
        () => world.lines.slice(-3),
      );
      return world.transfer(settled.at(-1)?.id ?? '');
    },
    items: ({ id, instances }) =>
      Array.from({ length: instances }, (_, number) => {
        const item = world.state.get(keys.instances, [id, number]);
        if (item === undefined) throw new Error(`no item ${number}`);
        return item;
      }),
    deliveryTo(mailbox) {
      const deliveries = [...world.state.list(keys.deliveries)].map(({ value }) => value);
      const found = deliveries.findLast((one) => one.mailbox === mailbox);
      if (found === undefined) throw new Error(`nothing was queued for ${mailbox}`);
      return found;
    },
    objectsOnDisk: () =>
      readdirSync(join(world.folder, 'storage', 'objects'), { recursive: true, encoding: 'utf8' }).filter(
        (name) => /\bd-/.test(name),
      ),
    objectsKnown: () => [...world.state.list(keys.derivedObjects)].map(({ value }) => value),
    failures: () => world.lines.filter(({ event }) => event === 'follower.failed').length,
    async close() {
      for (const one of followers) await one.stop(AbortSignal.timeout(10_000));
      await world.close();
    },
  };
}
