import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Lane, type LaneSettings } from '../../src/delivery/lane.ts';
import { StowReceiver, type StowSettings } from '../../src/delivery/transports/stow.ts';
import { keys } from '../../src/state/keys.ts';
import type { DeliveryRecord, Priority } from '../../src/state/records.ts';
import { reportFindingOf } from '../../src/transfer/report-finding.ts';
import type { BsnPlace } from '../support/study/patient.ts';
import { generateStudy } from '../support/study/study.ts';
import { manifestOf, type World, zuid } from '../transfer/world.ts';
import type { Pacs } from './pacs.ts';

export const quick: LaneSettings = {
  connections: 2,
  batchBytes: 1_000_000,
  batchInstances: 10,
  retry: { firstMs: 10, maxMs: 40, acuteMaxMs: 20, giveUpMs: 60_000 },
};

export const stow: StowSettings = {
  connections: 2,
  connectMs: 1_000,
  idleWriteMs: 5_000,
  answerMs: 5_000,
  answerMsPer10MiB: 100,
};

let seed = 1_000;

export interface Queued {
  readonly transfer: string;
  /** In the order of the transfer. */
  readonly uids: readonly string[];
  /** As they were uploaded. */
  readonly instances: readonly Uint8Array[];
}

/** A complete transfer of a new study, ready for its mailboxes. */
export async function queueStudy(
  world: World,
  {
    to,
    instances = 4,
    bytesPerInstance = 2048,
    priority = 'routine',
    bsnIn = 'patient-id',
  }: {
    to: readonly string[];
    instances?: number;
    bytesPerInstance?: number;
    priority?: Priority;
    bsnIn?: BsnPlace;
  },
): Promise<Queued> {
  const study = [...generateStudy({ modality: 'CT', instances, bytesPerInstance, seed: seed++, bsnIn })];
  const found = await Promise.all(study.map(({ bytes }) => world.find(bytes)));
  const { id } = await world.open({ to, priority, bsn: '999990019' });
  await world.transfers.seal(zuid, id, manifestOf(found));
  await world.arrive(id, found);
  const settled = await world.checking.settle(id);
  if (settled?.state !== 'ready')
    throw new Error(`the transfer is ${settled?.state}: ${settled?.reasons.join()}`);
  return {
    transfer: id,
    uids: study.map(({ sopInstanceUid }) => sopInstanceUid),
    instances: study.map(({ bytes }) => bytes),
  };
}

/** A report, as a sender has it. */
export interface SentReport {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A complete transfer of these instances and reports, ready for its mailboxes. */
export async function queueItems(
  world: World,
  {
    to,
    instances,
    reports = [],
    bsn,
  }: {
    to: readonly string[];
    instances: readonly Uint8Array[];
    reports?: readonly SentReport[];
    bsn?: string;
  },
): Promise<string> {
  const images = await Promise.all(instances.map((bytes) => world.find(bytes)));
  const documents = await Promise.all(
    reports.map(async ({ mediaType, bytes }) => {
      const extents = [await world.store(bytes)];
      const digests = { sha256: createHash('sha256').update(bytes).digest(), crc32: crc32(bytes) };
      const content = { extents, bytes: bytes.byteLength, ...digests, fault: undefined };
      return reportFindingOf('upload', content, { mediaType, origin: 'part' });
    }),
  );
  const { id } = await world.open({ to, ...(bsn === undefined ? {} : { bsn }) });
  const listed = reports.map(({ mediaType, bytes }) => ({
    mediaType,
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));
  await world.transfers.seal(zuid, id, manifestOf(images), listed);
  await world.arrive(id, [...images, ...documents]);
  const settled = await world.checking.settle(id);
  if (settled?.state !== 'ready')
    throw new Error(`the transfer is ${settled?.state}: ${settled?.reasons.join()}`);
  return id;
}

/** An acute transfer of these instances, of which only the first is listed: some may have its UID. */
export async function queueAcute(
  world: World,
  to: string,
  instances: readonly Uint8Array[],
): Promise<Queued> {
  const found = await Promise.all(instances.map((bytes) => world.find(bytes)));
  const { id } = await world.open({ to: [to], priority: 'acute', bsn: '999990019' });
  await world.transfers.seal(zuid, id, manifestOf(found.slice(0, 1)));
  await world.arrive(id, found);
  const settled = await world.checking.settle(id);
  if (settled?.state !== 'ready' || settled.instances !== instances.length)
    throw new Error(`the transfer is ${settled?.state}: ${settled?.reasons.join()}`);
  return { transfer: id, uids: found.map(({ instance }) => instance.sopInstanceUid), instances };
}

/** Another object with the same UID. */
export function changedEnd(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[changed.byteLength - 1] = 77;
  return changed;
}

export function deliveryOf(world: World, transfer: string, mailbox?: string): DeliveryRecord {
  for (const { key, value } of world.state.list(keys.deliveriesOf, { prefix: [transfer] })) {
    const delivery = world.state.get(keys.deliveries, key[1]);
    if (delivery !== undefined && (mailbox === undefined || value === mailbox)) return delivery;
  }
  throw new Error('no such delivery');
}

/** A lane to the server, which the test stops. */
export function laneTo(
  world: World,
  mailbox: string,
  pacs: Pick<Pacs, 'url'> & { readonly tokenFile?: string },
  change: Partial<LaneSettings> = {},
  changeStow: Partial<StowSettings> = {},
): Lane {
  const { deliveries, tagging, storage, integrity, log } = world;
  const receiving = { by: 'stow', url: pacs.url, tokenFile: pacs.tokenFile ?? null } as const;
  const receiver = new StowReceiver(receiving, storage, { ...stow, ...changeStow });
  const settings = { ...quick, ...change };
  return new Lane({ mailbox, deliveries, tagging, receiver, integrity, settings, log });
}

/** Waits for what the test says comes about. */
export async function until(holds: () => boolean, what: () => unknown): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`did not come about: ${JSON.stringify(what())}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
