import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { authorizer } from './access/api-keys.ts';
import { KeyRing } from './access/key-ring.ts';
import { AddressBook, type AddressBookEntry } from './addressbook/address-book.ts';
import { Bell } from './delivery/bell.ts';
import { Deliveries } from './delivery/deliveries.ts';
import { Integrity } from './delivery/integrity.ts';
import { Lanes } from './delivery/lanes.ts';
import { Offers } from './delivery/offers.ts';
import { Tagging } from './delivery/tagging.ts';
import { DIALECTS } from './dicom/dialect.ts';
import { dispatcher } from './dispatch.ts';
import { gaugesOf } from './gauges.ts';
import { createApi } from './http/api/app.ts';
import { contentHandler } from './http/api/content.ts';
import { openapiOf } from './http/api/openapi.ts';
import { apiRoutes } from './http/api/routes.ts';
import type { Handler, Listener } from './http/exchange.ts';
import { listen } from './http/listen.ts';
import { type Config, reserveBytesOf } from './ops/config.ts';
import type { Log } from './ops/log.ts';
import type { Metric } from './ops/metric.ts';
import type { Part } from './ops/part.ts';
import { Repeating } from './ops/repeating.ts';
import { programVersion } from './ops/version.ts';
import { FolderLock } from './state/folder-lock.ts';
import { keys } from './state/keys.ts';
import { State } from './state/state.ts';
import { openDiskStorage } from './storage/disk.ts';
import { spoolGauges } from './storage/metrics.ts';
import type { S3Storage } from './storage/s3.ts';
import { Checking } from './transfer/checking.ts';
import { DerivedObjects } from './transfer/derived-objects.ts';
import { Deriving } from './transfer/deriving.ts';
import { Examiner } from './transfer/examiner.ts';
import { Expiring } from './transfer/expiring.ts';
import { Follower } from './transfer/follower.ts';
import { expiryGraceMs } from './transfer/limits.ts';
import { Recording } from './transfer/recording.ts';
import { Transfers } from './transfer/transfers.ts';
import { UploadClaimed } from './upload/errors.ts';
import { expirySweepMs, type UploadSettings } from './upload/limits.ts';
import { uploadsHandler } from './upload/protocol.ts';
import type { TusOptions } from './upload/tus.ts';
import { Uploads } from './upload/uploads.ts';
import { WorkPool } from './work/pool.ts';

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

/** A running exchange. */
export interface Exchange {
  readonly listener: Listener;
  readonly state: State;
  readonly addressBook: AddressBook;
  /** What this exchange shows beside the counters that its domains keep for the whole process. */
  readonly metrics: readonly Metric[];
  /** Refuses new requests, lets running ones end until `deadline`, and closes everything in reverse. */
  stop(deadline: AbortSignal): Promise<void>;
}

/**
 * The composition root: config → state → storage → work → transfers → delivery → listener. Rejects with
 * the first part that cannot start, after the ones before it were stopped.
 */
export async function startExchange(config: Config, log: Log): Promise<Exchange> {
  const folder = config.data.folder;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const closing: { name: string; stop(deadline: AbortSignal): Promise<void> }[] = [];
  let bucket: S3Storage | undefined;
  const stop = async (deadline: AbortSignal): Promise<void> => {
    // Parts that stop before the storage may wait for it, and S3 may never answer.
    const cut = (): void => bucket?.cut();
    deadline.addEventListener('abort', cut);
    if (deadline.aborted) {
      cut();
    }
    for (const part of closing.splice(0).reverse()) {
      // One part that can't stop keeps no other from saving what it has.
      await part.stop(deadline).catch((error: unknown) => {
        log.error('part.stop-failed', { reason: part.name, error });
      });
    }
    deadline.removeEventListener('abort', cut);
  };
  const begin = async <P extends Part>(name: string, part: P): Promise<P> => {
    await part.start();
    closing.push({ name, stop: (deadline) => part.stop(deadline) });
    return part;
  };

  try {
    const lock = await FolderLock.take(folder);
    closing.push({ name: 'lock', stop: () => lock.release() });
    const state = await State.open(join(folder, 'state'));
    closing.push({ name: 'state', stop: () => state.close() });
    const keyRing = await KeyRing.of(join(folder, 'sluis.key'), state);
    bucket = await bucketOf(config, log);
    const storage = bucket ?? (await openDiskStorage(join(folder, 'storage')));
    if (bucket !== undefined) {
      await begin('storage', bucket);
    }
    const { totalBytes } = await storage.space();
    const addressBook = new AddressBook(state);
    await addressBook.seed(entriesOf(config));
    const authorize = authorizer(state);
    const { threads } = config.work;
    const pool = await begin('work', new WorkPool(threads === 0 ? {} : { workers: threads }));

    const bell = new Bell();
    const dialects = [...DIALECTS, ...config.dialects];
    const deliveries = new Deliveries({ state, addressBook, dialects });
    const tagging = new Tagging({ state, storage, keyRing });
    const integrity = new Integrity({ state, storage, pool, log });
    const offers = new Offers({
      state,
      storage,
      deliveries,
      tagging,
      pool,
      integrity,
      log,
      onOffered: (mailbox) => bell.ring(mailbox),
    });
    const lanes = new Lanes({
      addressBook,
      deliveries,
      offers,
      tagging,
      storage,
      integrity,
      log,
      lane: {
        connections: config.stow.connections,
        batchBytes: config.stow.batchBytes,
        batchInstances: config.stow.batchInstances,
        retry: {
          firstMs: config.retry.firstSeconds * second,
          maxMs: config.retry.maxSeconds * second,
          acuteMaxMs: config.retry.acuteSecondsMax * second,
          giveUpMs: config.retry.giveUpHours * hour,
        },
      },
      stow: {
        connections: config.stow.connections,
        connectMs: config.stow.connectSeconds * second,
        idleWriteMs: config.stow.idleWriteSeconds * second,
        answerMs: config.stow.answerSeconds * second,
        answerMsPer10MiB: config.stow.answerSecondsPer10MiB * second,
      },
    });

    const transfers = new Transfers({ state, keyRing, addressBook, limits: config.transfer });
    const reserveBytes = reserveBytesOf(config, totalBytes);
    const derivedObjects = new DerivedObjects({ state, storage, reserveBytes, log });
    await derivedObjects.start();
    const limits = config.transfer;
    const recording = new Recording({ state, keyRing, limits, derivedObjects });
    const checking = new Checking({
      state,
      addressBook,
      recording,
      deriving: new Deriving({
        state,
        storage,
        keyRing,
        addressBook,
        pool,
        derivedObjects,
        language: limits.reportLanguage,
        limits,
      }),
      choose: (transfer) => deliveries.choose(transfer),
      onReady: (tx, transfer, choices) => deliveries.queue(tx, transfer, choices),
    });
    const follower = new Follower({
      state,
      storage,
      pool,
      examiner: new Examiner({ storage, keyRing, pool, derivedObjects, limits, log }),
      recording,
      checking,
      archiveBytesMax: limits.transferBytesMax,
      log,
      onSettled: (transfer) => {
        for (const mailbox of transfer.state === 'ready' ? transfer.to : []) {
          lanes.wake(mailbox);
        }
      },
    });
    const settings = uploadSettingsOf(config, reserveBytes);
    const expiring = new Expiring({ state, derivedObjects, settings, log });
    const uploads = new Uploads({
      state,
      storage,
      log,
      settings,
      hooks: {
        priorityOf: (request) => transfers.priorityOf(request),
        claims: (tx, upload) => transfers.claim(tx, upload),
        received: () => undefined,
        published: (upload) => follower.follow(upload),
        terminable: (upload) => {
          if (upload.transfer !== null && !expiring.hasExpired(upload.transfer)) {
            throw new UploadClaimed();
          }
        },
        expirable: (upload) => expiring.isExpirable(upload),
        expired: (tx, upload) => expiring.removed(tx, upload),
      },
    });
    await uploads.resumeAfterStart();
    await begin('lanes', lanes);
    await begin('follower', follower);
    const sweep = async (): Promise<void> => {
      await uploads.expire();
      // As who made it: what its transfer has left is nobody else's business.
      await expiring.sweep(({ id, creator, organization }) =>
        uploads.terminate(id, { key: creator, organization }),
      );
    };
    const firstMs = Math.min(settings.expiryMs, expiryGraceMs);
    await begin(
      'expiry',
      new Repeating({ name: 'expiry', firstMs, everyMs: expirySweepMs, log, run: sweep }),
    );

    const routes = apiRoutes({
      state,
      keyRing,
      addressBook,
      transfers,
      deliveries,
      offers,
      bell,
      limits: config.transfer,
      onRetagged: (mailboxes) => {
        for (const mailbox of mailboxes) {
          lanes.wake(mailbox);
        }
      },
      onSealed: (transfer) => {
        const uploads = state.get(keys.transfers, transfer)?.uploads ?? [];
        const known = uploads.find(
          (upload) => (state.get(keys.follows, upload)?.state ?? 'following') !== 'following',
        );
        // To settle the transfer one upload that is known is enough; without one, whichever can.
        for (const upload of known === undefined ? uploads : [known]) {
          follower.follow(upload);
        }
      },
    });
    const { engine } = config.upload;
    const listener = await listen({
      host: config.http.host,
      port: config.http.port,
      listener: engine === 'sluis' ? config.http.listener : 'node-http',
      log,
      handler: dispatcher({
        uploads: await speaking(engine, {
          uploads,
          authorize,
          seal: (bytes) => keyRing.seal('upload-metadata', bytes),
          unseal: (sealed) => keyRing.unseal('upload-metadata', sealed),
          log,
        }),
        content: contentHandler({ authorize, offers, storage }),
        authorize,
        api: createApi({ routes, authorize, openapi: openapiOf(routes, programVersion()), log }),
        limits: config.transfer,
        ops: config.ops,
        corsOrigins: config.http.corsOrigins,
      }),
    });
    // What drains is told to end: a body that comes slowly is answered with where to go on, a long poll with nothing new.
    closing.push({
      name: 'listener',
      stop: async (deadline) => {
        bell.stop();
        await Promise.all([uploads.stop(), listener.stop(deadline)]);
      },
    });
    log.info('exchange.started', { port: listener.port, listener: listener.kind });
    return {
      listener,
      state,
      addressBook,
      metrics: [
        ...gaugesOf({ uploads, pool, storage, derivedObjects, integrity, state }),
        ...(bucket === undefined ? [] : spoolGauges(bucket)),
      ],
      stop,
    };
  } catch (error) {
    await stop(AbortSignal.abort());
    throw error;
  }
}

function entriesOf(config: Config): AddressBookEntry[] {
  return config.addressBook.organizations;
}

/** With storage.kind s3 the bucket, behind a spool; its library is loaded by who wants it. */
async function bucketOf({ data, storage: { kind, s3 } }: Config, log: Log): Promise<S3Storage | undefined> {
  const { bucket } = s3;
  if (kind !== 's3' || bucket === null) {
    return undefined;
  }
  const { openS3Storage } = await import('./storage/s3.ts');
  return openS3Storage({ ...s3, bucket, folder: join(data.folder, 'storage'), log });
}

/** Who speaks the protocol of uploads. @tus/server is loaded by who wants it. */
async function speaking(engine: Config['upload']['engine'], options: TusOptions): Promise<Handler> {
  if (engine === 'sluis') {
    return uploadsHandler(options);
  }
  const { nodeServerHandler } = await import('./upload/node-server/handler.ts');
  return nodeServerHandler(options);
}

function uploadSettingsOf({ upload, storage }: Config, reserveBytes: number): UploadSettings {
  return {
    durability: upload.durability,
    checkpointBytes: upload.checkpointBytes,
    checkpointMs: upload.checkpointSeconds * second,
    bytesMax: storage.uploadBytesMax,
    reserveBytes,
    ledger: upload.ledger,
    expiryMs: upload.expiryHours * hour,
    expiryMsMax: upload.expiryDaysMax * day,
    unclaimedMs: upload.unclaimedDays * day,
    openMax: upload.openPerOrganization,
    inFlightShareMax: upload.inFlightShare,
    watermarks: storage.watermarks,
    writersMax: upload.writersMax,
  };
}
