import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { authorizer } from './access/api-keys.ts';
import { Unauthorized } from './access/errors.ts';
import { KeyRing } from './access/key-ring.ts';
import type { Authorize } from './access/principal.ts';
import { AddressBook, type AddressBookEntry } from './addressbook/address-book.ts';
import { Bell } from './delivery/bell.ts';
import { Deliveries } from './delivery/deliveries.ts';
import { Lanes } from './delivery/lanes.ts';
import { Offers } from './delivery/offers.ts';
import { Tagging } from './delivery/tagging.ts';
import { DIALECTS } from './dicom/dialect.ts';
import { createApi } from './http/api/app.ts';
import { contentHandler, contentPath } from './http/api/content.ts';
import { openapiOf } from './http/api/openapi.ts';
import { apiRoutes } from './http/api/routes.ts';
import { fetchBridge } from './http/bridge.ts';
import type { Handler, Listener, RequestHeaders } from './http/exchange.ts';
import { listen } from './http/listen.ts';
import { problem } from './http/problem.ts';
import { router } from './http/router.ts';
import { type Config, reserveBytesOf } from './ops/config.ts';
import { landing, landingHeaders, preferredLanguage } from './ops/landing.ts';
import type { Log } from './ops/log.ts';
import { counted, gauge, type Metric } from './ops/metric.ts';
import type { Part } from './ops/part.ts';
import { programVersion } from './ops/version.ts';
import { FolderLock } from './state/folder-lock.ts';
import { keys } from './state/keys.ts';
import { State } from './state/state.ts';
import { openDiskStorage } from './storage/disk.ts';
import type { Storage, StorageSpace } from './storage/storage.ts';
import { Checking } from './transfer/checking.ts';
import { DerivedObjects } from './transfer/derived-objects.ts';
import { Deriving } from './transfer/deriving.ts';
import { Examiner } from './transfer/examiner.ts';
import { Follower } from './transfer/follower.ts';
import { Recording } from './transfer/recording.ts';
import { Transfers } from './transfer/transfers.ts';
import { UploadClaimed } from './upload/errors.ts';
import { tusHandler, uploadsPath } from './upload/tus.ts';
import { Uploads } from './upload/uploads.ts';
import { WorkPool } from './work/pool.ts';

const second = 1000;

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
  const stop = async (deadline: AbortSignal): Promise<void> => {
    for (const part of closing.splice(0).reverse()) {
      // One part that can't stop keeps no other from saving what it has.
      await part.stop(deadline).catch((error: unknown) => {
        log.error('part.stop-failed', { reason: part.name, error });
      });
    }
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
    const storage = await openDiskStorage(join(folder, 'storage'));
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
    const offers = new Offers({
      state,
      storage,
      deliveries,
      tagging,
      pool,
      log,
      onOffered: (mailbox) => bell.ring(mailbox),
    });
    const lanes = new Lanes({
      addressBook,
      deliveries,
      offers,
      tagging,
      storage,
      log,
      lane: {
        connections: config.stow.connections,
        batchBytes: config.stow.batchBytes,
        batchInstances: config.stow.batchInstances,
        retry: {
          firstMs: config.retry.firstSeconds * second,
          maxMs: config.retry.maxSeconds * second,
          acuteMaxMs: config.retry.acuteSecondsMax * second,
          giveUpMs: config.retry.giveUpHours * 3600 * second,
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
    const uploads = new Uploads({
      state,
      storage,
      log,
      settings: {
        durability: config.upload.durability,
        checkpointBytes: config.upload.checkpointBytes,
        checkpointMs: config.upload.checkpointSeconds * second,
        bytesMax: config.storage.uploadBytesMax,
        reserveBytes,
      },
      hooks: {
        claims: (tx, upload) => transfers.claim(tx, upload),
        received: () => undefined,
        published: (upload) => follower.follow(upload),
        terminable: (upload) => {
          if (upload.transfer !== null) {
            throw new UploadClaimed();
          }
        },
      },
    });
    await uploads.resumeAfterStart();
    await begin('lanes', lanes);
    await begin('follower', follower);

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
    const listener = await listen({
      host: config.http.host,
      port: config.http.port,
      listener: config.http.listener,
      log,
      handler: dispatcher({
        uploads: tusHandler({
          uploads,
          authorize,
          seal: (bytes) => keyRing.seal('upload-metadata', bytes),
          unseal: (sealed) => keyRing.unseal('upload-metadata', sealed),
          log,
        }),
        content: contentHandler({ authorize, offers, storage }),
        authorize,
        api: createApi({ routes, authorize, openapi: openapiOf(routes, programVersion()), log }),
        config,
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
      metrics: gaugesOf({ uploads, pool, storage, derivedObjects }),
      stop,
    };
  } catch (error) {
    await stop(AbortSignal.abort());
    throw error;
  }
}

interface Dispatched {
  readonly uploads: Handler;
  readonly content: Handler;
  readonly authorize: Authorize;
  readonly api: ReturnType<typeof createApi>;
  readonly config: Config;
}

/** Who answers which address. Uploads and contents are streamed; the rest is JSON and one page. */
function dispatcher({ uploads, content, authorize, api, config }: Dispatched): Handler {
  const { jsonBodyBytesMax, manifestBytesMax } = config.transfer;
  const fetch = (request: Request): Response | Promise<Response> => api.fetch(request);
  const holderOf = (headers: RequestHeaders): string | undefined => {
    const principal = authorize(headers);
    return 'refused' in principal ? undefined : principal.organization;
  };
  const json = fetchBridge(fetch, { bodyBytesMax: jsonBodyBytesMax, holderOf });
  // What lists every instance of a transfer is larger than other JSON.
  const lists = fetchBridge(fetch, { bodyBytesMax: manifestBytesMax, holderOf });
  /** The token before the body, which is held whole: a stranger must not make us hold one. */
  const known = (handler: Handler): Handler => {
    return (exchange) => {
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
        const principal = authorize(exchange.headers);
        if ('refused' in principal) {
          exchange.answer(problem(new Unauthorized(principal)));
          return undefined;
        }
      }
      return handler(exchange);
    };
  };
  const page: Handler = (exchange) => {
    if (exchange.path !== '/' || (exchange.method !== 'GET' && exchange.method !== 'HEAD')) {
      return json(exchange);
    }
    const language = preferredLanguage(exchange.headers.get('accept-language'));
    const body = landing({ version: programVersion(), ops: config.ops, language });
    exchange.answer({ status: 200, headers: landingHeaders, body });
    return undefined;
  };
  return router([
    { prefix: uploadsPath, handler: uploads },
    { prefix: contentPath, handler: content },
    { prefix: '/v1/transfers/*/manifest', handler: known(lists) },
    { prefix: '/v1/deliveries/*/acknowledge', handler: known(lists) },
    { prefix: '/', handler: known(page) },
  ]);
}

interface Gauged {
  readonly uploads: Uploads;
  readonly pool: WorkPool;
  readonly storage: Storage;
  readonly derivedObjects: DerivedObjects;
}

function gaugesOf({ uploads, pool, storage, derivedObjects }: Gauged): Metric[] {
  const space = async (of: keyof StorageSpace): Promise<number> => (await storage.space())[of];
  return [
    gauge({
      name: 'sluis_upload_writers',
      help: 'requests that write to an upload or wait to',
      read: () => uploads.load.writers,
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

function entriesOf(config: Config): AddressBookEntry[] {
  return config.addressBook.organizations;
}
