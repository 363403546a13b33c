import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Lane } from '../../src/delivery/lane.ts';
import { Lanes } from '../../src/delivery/lanes.ts';
import { entry } from '../../src/delivery/ledger.ts';
import { unclearAnswersMax } from '../../src/delivery/limits.ts';
import { Offers } from '../../src/delivery/offers.ts';
import { applyEdits } from '../../src/dicom/patch.ts';
import { keys } from '../../src/state/keys.ts';
import type { DeliveryRecord } from '../../src/state/records.ts';
import { WorkPool } from '../../src/work/pool.ts';
import { openFaultProxy } from '../support/fault-proxy.ts';
import { openWorld, type World } from '../transfer/world.ts';
import { openPacs, type Pacs } from './pacs.ts';
import {
  changedEnd,
  deliveryOf,
  laneTo,
  type Queued,
  queueAcute,
  queueStudy,
  quick,
  stow,
  until,
} from './sending.ts';

const mailbox = 'west.pacs';
const none = (): boolean => false;
const hasFailed = ({ failingSince }: DeliveryRecord): boolean => failingSince !== null;

describe('a lane', () => {
  let world: World;
  let pacs: Pacs;
  let lanes: Lane[];

  beforeEach(async () => {
    world = await openWorld();
    pacs = await openPacs();
    lanes = [];
    await world.mailbox(mailbox, { by: 'stow', url: pacs.url, tokenFile: null });
  });
  afterEach(async () => {
    await Promise.all(lanes.map((lane) => lane.stop(AbortSignal.abort())));
    await pacs.close();
    await world.close();
  });

  const open = (...[change, changeStow]: [object?, object?]): Lane => {
    const lane = laneTo(world, mailbox, pacs, change, changeStow);
    lanes.push(lane);
    return lane;
  };
  const ended = ['delivered', 'partial', 'failed'];
  const end = async ({ transfer }: Queued) => {
    const delivery = () => deliveryOf(world, transfer, mailbox);
    await until(
      () => ended.includes(delivery().state),
      () => [delivery(), world.lines.slice(-5), pacs.requests],
    );
    return delivery();
  };
  const failedAttempts = () => world.lines.filter(({ event }) => event === 'lane.attempt-failed');
  const times = (uid: string): number => pacs.requests.flat().filter((one) => one === uid).length;

  it('delivers every instance once, tagged and else byte for byte', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 25 });
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 25, of: 25 });
    expect(pacs.requests.flat().toSorted()).toEqual(study.uids.toSorted());
    expect(pacs.requests.every((uids) => uids.length <= quick.batchInstances)).toBe(true);
    expect(pacs.questions).toEqual([]);
    const tag = world.tagging.of(deliveryOf(world, study.transfer));
    for (const [number, uid] of study.uids.entries()) {
      const { edits, instance } = await tag(number);
      expect(edits.length).toBeGreaterThan(0);
      expect(instance.sopInstanceUid).toBe(uid);
      const expected = applyEdits(study.instances[number] ?? new Uint8Array(), edits);
      expect(pacs.held.get(uid)?.equals(expected)).toBe(true);
    }
    expect(world.transfer(study.transfer).state).toBe('delivered');
    expect([...world.deliveries.waiting(mailbox)]).toEqual([]);
  });

  it('gives the length of what it sends, and its token', async () => {
    const tokenFile = join(world.folder, 'token');
    writeFileSync(tokenFile, 'secret-token\n');
    await world.mailbox(mailbox, { by: 'stow', url: pacs.url, tokenFile });
    const offers = new Offers({ ...world, pool: new WorkPool(), onOffered: () => undefined });
    const all = new Lanes({ ...world, offers, lane: quick, stow });
    try {
      const study = await queueStudy(world, { to: [mailbox] });
      await all.start();
      await end(study);
      expect(pacs.heads[0]).toMatchObject({ authorization: 'Bearer secret-token' });
      expect(Number(pacs.heads[0]?.['content-length'])).toBeGreaterThan(4 * 2048);
      expect(pacs.heads[0]?.['transfer-encoding']).toBeUndefined();
    } finally {
      await all.stop(AbortSignal.abort());
    }
  });

  it('sends an instance that is larger than a batch alone', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 3, bytesPerInstance: 200_000 });
    open({ batchBytes: 100_000 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 3 });
    expect(pacs.requests.map((uids) => uids.length)).toEqual([1, 1, 1]);
  });

  it.each([200, 202, 400, 409, 500])(
    'believes what a %i answer names: some are held, one is refused',
    async (status) => {
      const study = await queueStudy(world, { to: [mailbox] });
      const bad = study.uids[2] ?? '';
      pacs.plan = () => ({ status, stores: (uid) => uid !== bad, fails: { [bad]: '49152' } });
      open().wake();
      expect(await end(study)).toMatchObject({ state: 'partial', delivered: 3, of: 4 });
      expect(world.transfer(study.transfer).state).toBe('failed');
      expect(times(bad)).toBe(1);
    },
  );

  it('never says delivered of a study that was refused', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    pacs.plan = (uids) => ({
      status: 409,
      stores: none,
      fails: Object.fromEntries(uids.map((uid) => [uid, 0xc000])),
    });
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'failed', delivered: 0 });
  });

  it('asks for what an answer leaves open, and sends again only what is not there', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 6 });
    const lost = study.uids[4] ?? '';
    pacs.plan = (_, request) => (request === 0 ? { body: '', stores: (uid) => uid !== lost } : {});
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 6 });
    expect(pacs.questions.toSorted()).toEqual(study.uids.toSorted());
    expect(pacs.requests.slice(1)).toEqual([[lost]]);
  });

  it('asks after a cut behind the last byte, and does not send twice what arrived', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 6 });
    pacs.plan = (_, request) => (request === 0 ? { cut: 'after-reading' } : {});
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 6 });
    expect(pacs.posts).toBe(1);
    expect(pacs.questions.toSorted()).toEqual(study.uids.toSorted());
  });

  it('does not take silence for refusal: it waits for the answer, then asks', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    pacs.plan = (_, request) => (request === 0 ? { answersAfterMs: 2_000 } : {});
    open({ connections: 1 }, { answerMs: 100 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4 });
    expect(pacs.posts).toBe(1);
    expect(pacs.questions).toHaveLength(4);
  });

  it('gives a slow receiver the time it needs: the answer is waited for from the last byte on', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 6, bytesPerInstance: 9_000_000 });
    const target = { host: '127.0.0.1', port: pacs.port };
    const line = await openFaultProxy({ target, bytesPerSecondUp: 12_000_000 });
    const slow = laneTo(
      world,
      mailbox,
      { url: `http://127.0.0.1:${line.port}/dicom-web` },
      { batchBytes: 60_000_000 },
      // The body takes some 4.5 s, and up to 8 MB of it are in buffers when the last chunk is handed over.
      { answerMs: 2_000, answerMsPer10MiB: 0 },
    );
    lanes.push(slow);
    try {
      slow.wake();
      expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 6 });
      expect(pacs.posts).toBe(1);
    } finally {
      await line.close();
    }
  });

  it('gives up on a receiver that takes nothing, and comes back', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1, bytesPerInstance: 9_000_000 });
    pacs.plan = (_, request) => (request === 0 ? { stalls: true } : {});
    open({ connections: 1 }, { idleWriteMs: 100 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 1 });
    expect(world.lines.some(({ event }) => event === 'lane.attempt-failed')).toBe(true);
  });

  it('lets one instance that the receiver cannot take stop only itself', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 12 });
    const poison = study.uids[5] ?? '';
    pacs.plan = (uids) => (uids.includes(poison) ? { status: 400, body: '', stores: none } : {});
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'partial', delivered: 11, of: 12 });
    expect(pacs.held.size).toBe(11);
    const alone = pacs.requests.filter((uids) => uids.length === 1 && uids[0] === poison);
    expect(alone).toHaveLength(unclearAnswersMax);
    for (const uid of study.uids) {
      if (uid !== poison) expect(times(uid)).toBeLessThanOrEqual(2);
    }
  });

  it('lets an instance at which the line always breaks not stop the others', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 12 });
    const poison = study.uids[0] ?? '';
    pacs.plan = (uids) => (uids.includes(poison) ? { cut: 'after-reading', stores: none } : {});
    open({ connections: 1 }).wake();
    await until(
      () => pacs.held.size === 11 && deliveryOf(world, study.transfer).delivered === 11,
      () => pacs.requests,
    );
    expect(deliveryOf(world, study.transfer).state).toBe('sending');
  });

  it.each([
    ['301', { status: 301, headers: { Location: 'http://127.0.0.1:1/' }, body: '', stores: none }],
    ['204', { status: 204, body: '', stores: none }],
    ['503', { status: 503, headers: { 'Retry-After': '0' }, body: 'busy', stores: none }],
    ['500', { status: 500, body: '<html>oops</html>', stores: none }],
    ['401', { status: 401, body: '', stores: none }],
  ])('does not refuse instances for a receiver that answers %s for a while', async (_, plan) => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    pacs.plan = (_uids, request) => (request < unclearAnswersMax + 5 ? plan : {});
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 1 });
  });

  it('keeps on when the receiver says that it is full', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const fails = { [study.uids[0] ?? '']: 'A700' };
    pacs.plan = (_, request) => (request < unclearAnswersMax + 3 ? { status: 409, fails, stores: none } : {});
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 1 });
  });

  it('says delivered of no duplicate that it never sent: it may be another object', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 12 });
    const taken = study.uids[0] ?? '';
    pacs.held.set(taken, Buffer.alloc(1));
    pacs.plan = (uids) =>
      uids.includes(taken) ? { status: 409, fails: { [taken]: 0x0111 }, stores: (uid) => uid !== taken } : {};
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({
      state: 'partial',
      delivered: 11,
      // Also after the answer to the last two, in which all went well.
      lastOutcome:
        'status 409: the receiver holds another object with this SOP Instance UID, or the same from elsewhere',
    });
    expect(pacs.questions).toEqual([]);
    expect(times(taken)).toBe(1);
  });

  it('takes a duplicate for its own when it may have sent it before a cut, and marks it', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const [uid = ''] = study.uids;
    // The archive has it, and its index does not know that yet.
    pacs.qidoStatus = 204;
    pacs.plan = (_, request) =>
      request === 0 ? { cut: 'after-reading' } : { status: 409, fails: { [uid]: 0x0111 }, stores: none };
    const first = open();
    first.wake();
    await until(
      () => pacs.questions.length > 0 && pacs.posts > 1,
      () => pacs.requests,
    );
    const { id, state } = await end(study);
    expect(state).toBe('delivered');
    expect(world.deliveries.ledger(id).get(0)).toBe(entry.heldWithWarning);
  });

  const twins = async (): Promise<Queued> => {
    const { instances } = await queueStudy(world, { to: ['noord.mri'], instances: 1 });
    const [first = new Uint8Array()] = instances;
    return queueAcute(world, mailbox, [first, changedEnd(first)]);
  };

  it('does not take one of two with one UID for the other, which a question finds', async () => {
    const both = await twins();
    pacs.plan = (_, request) => (request === 1 ? { cut: 'before-reading' } : {});
    open({ connections: 1 }).wake();
    expect(await end(both)).toMatchObject({ state: 'delivered', delivered: 2 });
    expect(pacs.posts).toBe(3);
    const { edits } = await world.tagging.of(deliveryOf(world, both.transfer))(1);
    const [uid = ''] = both.uids;
    expect(pacs.held.get(uid)?.equals(applyEdits(both.instances[1] ?? new Uint8Array(), edits))).toBe(true);
  });

  it('takes no duplicate for its own where two have one UID: the receiver may hold the other', async () => {
    const both = await twins();
    const [uid = ''] = both.uids;
    const duplicate = { status: 409, fails: { [uid]: 0x0111 }, stores: none };
    pacs.plan = (_, request) => (request === 0 ? {} : request === 1 ? { cut: 'before-reading' } : duplicate);
    open({ connections: 1 }).wake();
    expect(await end(both)).toMatchObject({ state: 'partial', delivered: 1 });
  });

  it('takes no duplicate for its own of what it had no token to send with', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const [uid = ''] = study.uids;
    const tokenFile = join(world.folder, 'token');
    pacs.plan = () => ({ status: 409, fails: { [uid]: 0x0111 }, stores: none });
    const lane = laneTo(world, mailbox, { url: pacs.url, tokenFile });
    lanes.push(lane);
    lane.wake();
    await until(
      () => failedAttempts().length > 2,
      () => world.lines,
    );
    expect(deliveryOf(world, study.transfer).lastOutcome).toBe('the request did not come to an end (ENOENT)');
    writeFileSync(tokenFile, 'secret-token');
    expect(await end(study)).toMatchObject({ state: 'failed', delivered: 0 });
    expect(pacs.questions).toEqual([]);
  });

  it('knows that nothing went out where TLS did not come about', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 2 });
    const lane = laneTo(world, mailbox, { url: pacs.url.replace('http:', 'https:') });
    lanes.push(lane);
    lane.wake();
    await until(
      () => failedAttempts().length > 2,
      () => world.lines,
    );
    await lane.stop(AbortSignal.timeout(5_000));
    const { id } = deliveryOf(world, study.transfer);
    expect(world.deliveries.ledger(id).find(entry.waiting, 9)).toEqual([0, 1]);
  });

  it('knows that nothing went out of a request that was stopped while it waited for its connection', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 2 });
    pacs.plan = () => ({ answersAfterMs: 60_000 });
    const lane = open({ connections: 2, batchInstances: 1 }, { connections: 1, answerMs: 60_000 });
    lane.wake();
    const ledger = () => world.deliveries.ledger(deliveryOf(world, study.transfer).id);
    await until(
      () => pacs.held.size === 1 && ledger().find(entry.asked, 9).length === 2,
      () => pacs.requests,
    );
    await lane.stop(AbortSignal.timeout(20));
    expect(ledger().find(entry.asked, 9)).toHaveLength(1);
    expect(ledger().find(entry.waiting, 9)).toHaveLength(1);
  });

  it('remembers over a restart what it may have sent before', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const { id } = deliveryOf(world, study.transfer);
    await world.deliveries.change(id, (now, ledger) => {
      ledger.set(0, entry.again);
      return { ...now, state: 'sending' };
    });
    pacs.plan = ([uid = '']) => ({ status: 409, fails: { [uid]: 0x0111 }, stores: none });
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 1 });
  });

  it('sends to a receiver that it reaches again without a question, and takes no duplicate for its own', async () => {
    const [taken, free] = [
      await queueStudy(world, { to: [mailbox], instances: 1 }),
      await queueStudy(world, { to: [mailbox] }),
    ];
    const [uid = ''] = taken.uids;
    await pacs.down();
    open().wake();
    await until(
      () => failedAttempts().length > 2,
      () => world.lines,
    );
    pacs.plan = (uids) =>
      uids.includes(uid) ? { status: 409, fails: { [uid]: 0x0111 }, stores: (one) => one !== uid } : {};
    await pacs.up();
    expect(await end(taken)).toMatchObject({ state: 'failed', delivered: 0 });
    expect(await end(free)).toMatchObject({ state: 'delivered' });
    expect(pacs.questions).toEqual([]);
  });

  it('tries a receiver that is down with one request at a time, not with every delivery', async () => {
    for (let queued = 0; queued < 20; queued++) {
      await queueStudy(world, { to: [mailbox], instances: 1 });
    }
    await pacs.down();
    const lane = open({ retry: { ...quick.retry, firstMs: 60_000, maxMs: 60_000, acuteMaxMs: 60_000 } });
    lane.wake();
    await until(
      () => failedAttempts().length > 0,
      () => world.lines,
    );
    for (let turn = 0; turn < 20; turn++) {
      lane.wake();
      await world.state.commit(() => undefined);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    // What was under way when the first one failed.
    expect(failedAttempts().length).toBeLessThanOrEqual(quick.connections);
  });

  it('does not read the records of deliveries that wait for their next attempt', async () => {
    pacs.plan = () => ({ status: 503, body: '', stores: none });
    for (let queued = 0; queued < 20; queued++) {
      await queueStudy(world, { to: [mailbox], instances: 1 });
    }
    const lane = open({ retry: { ...quick.retry, firstMs: 60_000, maxMs: 60_000 } });
    lane.wake();
    await until(
      () => failedAttempts().length === 20 && [...world.deliveries.waiting(mailbox)].every(hasFailed),
      () => world.lines,
    );
    const get = vi.spyOn(world.state, 'get');
    for (let turn = 0; turn < 5; turn++) lane.wake();
    const read = get.mock.calls.filter(([table]) => table.name === keys.deliveries.name);
    get.mockRestore();
    expect(read).toEqual([]);
  });

  it('is not stopped by a wait that was written down before the clock was set back', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    const { id } = deliveryOf(world, study.transfer);
    await world.deliveries.change(id, (now) => ({ ...now, nextAttemptAt: Date.now() + 36_000_000 }));
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered' });
  });

  it('sends large instances over all of its connections', async () => {
    pacs.plan = () => ({ stalls: true });
    await queueStudy(world, { to: [mailbox], instances: 4, bytesPerInstance: 200_000 });
    open({ batchBytes: 100_000, connections: 3 }, { connections: 3, answerMs: 60_000 }).wake();
    await until(
      () => pacs.posts === 3,
      () => pacs.posts,
    );
  });

  it('waits as long as Retry-After says, but no longer than its own longest wait', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const headers = { 'Retry-After': '31536000' };
    pacs.plan = (_, request) => (request === 0 ? { status: 503, headers, body: '', stores: none } : {});
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered' });
    const failed = world.lines.find(({ event }) => event === 'lane.attempt-failed');
    expect(failed?.facts?.ms).toBe(quick.retry.maxMs);
  });

  it('delivers when its receiver is up again, and tells nobody its address', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    await pacs.down();
    open().wake();
    await until(
      () => deliveryOf(world, study.transfer).lastOutcome !== null,
      () => world.lines,
    );
    expect(deliveryOf(world, study.transfer).lastOutcome).toBe(
      'the receiver cannot be reached: ECONNREFUSED (SLUIS_DELIVERY_RECEIVER_UNREACHABLE)',
    );
    await pacs.up();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4 });
  });

  it('sends again what a receiver without QIDO may not have', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    pacs.qidoStatus = 404;
    pacs.plan = (_, request) => (request === 0 ? { cut: 'after-reading' } : {});
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4 });
    for (const uid of study.uids) expect(times(uid)).toBe(2);
  });

  it('does not send while it cannot ask', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    pacs.qidoStatus = 503;
    pacs.plan = (_, request) => (request === 0 ? { cut: 'after-reading' } : {});
    open({ connections: 1 }).wake();
    await until(
      () => pacs.questions.length >= 12,
      () => pacs.questions,
    );
    expect(pacs.posts).toBe(1);
    pacs.qidoStatus = null;
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4 });
    expect(pacs.posts).toBe(1);
  });

  it('sends what waits while it cannot ask for what it sent', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 9 });
    pacs.qidoStatus = 503;
    pacs.plan = (_, request) => (request === 0 ? { cut: 'after-reading' } : {});
    open({ connections: 1, batchInstances: 3 }).wake();
    await until(
      () => pacs.held.size === 9,
      () => pacs.requests,
    );
    for (const uid of study.uids) expect(times(uid)).toBe(1);
    pacs.qidoStatus = null;
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 9 });
    for (const uid of study.uids) expect(times(uid)).toBe(1);
  });

  it.each(['', '<html>Please log in</html>', '<NativeDicomModel/>', '"stored"', '[{"00080018":'])(
    'takes the answer %j to a question for no answer, and sends nothing again',
    async (body) => {
      const study = await queueStudy(world, { to: [mailbox] });
      pacs.qidoBody = body;
      pacs.plan = (_, request) => (request === 0 ? { cut: 'after-reading' } : {});
      open({ connections: 1 }).wake();
      await until(
        () => pacs.questions.length >= 12,
        () => pacs.questions,
      );
      pacs.qidoBody = null;
      expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4 });
      expect(pacs.posts).toBe(1);
    },
  );

  it('does not wait for the end of an answer that has none', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    pacs.qidoTrickles = true;
    pacs.plan = (_, request) => (request === 0 ? { trickles: true } : {});
    open({ connections: 1 }, { answerMs: 300 }).wake();
    const words = 'the receiver did not end its answer within 0.3 s (SLUIS_DELIVERY_RECEIVER_UNCLEAR)';
    const tellsWords = () => deliveryOf(world, study.transfer).lastOutcome === words;
    await until(tellsWords, () => world.lines);
    // And once more, from a question.
    const failed = failedAttempts().length;
    await until(
      () => pacs.questions.length > 0 && failedAttempts().length > failed + 1 && tellsWords(),
      () => world.lines,
    );
    pacs.qidoTrickles = false;
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4 });
    expect(pacs.posts).toBe(1);
  });

  it('counts what a question finds as progress: its waits begin anew', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 5 });
    pacs.plan = () => ({ cut: 'after-reading' });
    open({ connections: 1, batchInstances: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 5, failingSince: null });
    expect(failedAttempts().map(({ facts }) => facts?.count)).toEqual([1, 1, 1, 1, 1]);
  });

  it('asks after a restart for what it was sending, before it sends anything of it', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 5 });
    const { id } = deliveryOf(world, study.transfer);
    await world.deliveries.change(id, (now, ledger) => {
      for (const number of [0, 1, 2]) ledger.set(number, entry.asked);
      return { ...now, state: 'sending' };
    });
    const [arrived = '', ...rest] = study.uids;
    pacs.held.set(arrived, Buffer.alloc(1));
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 5 });
    expect(pacs.questions.toSorted()).toEqual(study.uids.slice(0, 3).toSorted());
    expect(times(arrived)).toBe(0);
    for (const uid of rest) expect(times(uid)).toBe(1);
  });

  it('leaves an answer for the next start when it is stopped while it sends', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 2 });
    pacs.plan = (_, request) => (request === 0 ? { answersAfterMs: 60_000 } : {});
    const first = open();
    first.wake();
    await until(
      () => pacs.held.size === 2,
      () => pacs.requests,
    );
    await first.stop(AbortSignal.timeout(20));
    expect(world.deliveries.ledger(deliveryOf(world, study.transfer).id).find(entry.asked, 9)).toEqual([
      0, 1,
    ]);
    // Its own cut is no failure of the receiver.
    expect(deliveryOf(world, study.transfer)).toMatchObject({ failingSince: null, lastOutcome: null });
    expect(failedAttempts()).toEqual([]);
    open().wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 2 });
    expect(pacs.posts).toBe(1);
  });

  it('gives a delivery up after its time, an acute one never', async () => {
    const routine = await queueStudy(world, { to: [mailbox], instances: 1 });
    const acute = await queueStudy(world, { to: [mailbox], instances: 1, priority: 'acute' });
    await pacs.down();
    open({ retry: { ...quick.retry, giveUpMs: 60 } }).wake();
    expect(await end(routine)).toMatchObject({ state: 'failed', delivered: 0 });
    expect(world.transfer(routine.transfer).state).toBe('failed');
    await pacs.up();
    expect(await end(acute)).toMatchObject({ state: 'delivered' });
  });

  it('gives up by how long it fails, not by how long it waited for its turn', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    const { id } = deliveryOf(world, study.transfer);
    const queuedAt = Date.now() - 2 * quick.retry.giveUpMs;
    await world.deliveries.change(id, (now) => ({ ...now, queuedAt }));
    pacs.plan = (_, request) => (request < 3 ? { status: 503, body: '', stores: none } : {});
    open({ connections: 1 }).wake();
    expect(await end(study)).toMatchObject({ state: 'delivered', delivered: 4, failingSince: null });
    expect(failedAttempts().length).toBeGreaterThan(0);
  });

  it('does not give up at its first failure because nobody tried while the process was off', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 1 });
    const { id } = deliveryOf(world, study.transfer);
    const failingSince = Date.now() - 2 * quick.retry.giveUpMs;
    await world.deliveries.change(id, (now) => ({ ...now, failingSince }));
    await pacs.down();
    open({ retry: { ...quick.retry, maxMs: 60_000 } }).wake();
    await until(
      () => deliveryOf(world, study.transfer).lastOutcome !== null,
      () => world.lines,
    );
    expect(deliveryOf(world, study.transfer).failingSince).toBe(failingSince);
    await pacs.up();
    expect(await end(study)).toMatchObject({ state: 'delivered' });
  });

  it('counts what still arrives when it has given up: partial, not failed', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 3 });
    let answer = (): void => undefined;
    const answersAfter = new Promise<void>((resolve) => {
      answer = resolve;
    });
    pacs.plan = (_, request) => (request === 0 ? { answersAfter } : { status: 503, body: '', stores: none });
    const retry = { ...quick.retry, giveUpMs: 60 };
    open({ connections: 2, batchInstances: 1, retry }, { answerMs: 60_000 }).wake();
    expect(await end(study)).toMatchObject({ state: 'failed', delivered: 0 });
    answer();
    await until(
      () => deliveryOf(world, study.transfer).delivered === 1,
      () => deliveryOf(world, study.transfer),
    );
    expect(deliveryOf(world, study.transfer).state).toBe('partial');
  });

  it('says of how many instances nothing is known when it gives up', async () => {
    const study = await queueStudy(world, { to: [mailbox], instances: 3 });
    pacs.qidoStatus = 503;
    pacs.plan = () => ({ cut: 'after-reading' });
    open({ connections: 1, retry: { ...quick.retry, giveUpMs: 60 } }).wake();
    const { state, lastOutcome } = await end(study);
    expect(state).toBe('failed');
    expect(lastOutcome).toContain('it is unknown whether the receiver holds 3 instances');
  });

  it('sends the acute one first', async () => {
    const routine = await queueStudy(world, { to: [mailbox], instances: 1 });
    const acute = await queueStudy(world, { to: [mailbox], instances: 1, priority: 'acute' });
    open({ connections: 1 }).wake();
    await end(routine);
    expect(pacs.requests).toEqual([acute.uids, routine.uids]);
  });

  it('gets on with other deliveries when one of them lost its bytes', async () => {
    const broken = await queueStudy(world, { to: [mailbox], instances: 2, priority: 'urgent' });
    const object = world.state.get(keys.instances, [broken.transfer, 0])?.extents[0]?.object;
    if (object === undefined) throw new Error('no extent');
    await world.storage.remove(object);
    const whole = await queueStudy(world, { to: [mailbox] });
    open({ connections: 1 }).wake();
    expect(await end(whole)).toMatchObject({ state: 'delivered', delivered: 4 });
    await until(
      () => deliveryOf(world, broken.transfer).delivered === 1,
      () => pacs.requests,
    );
  });

  it('that stalls does not hold up the one of another receiver of the same transfer', async () => {
    const other = await openPacs();
    await world.mailbox('west.other', { by: 'stow', url: other.url, tokenFile: null });
    pacs.plan = () => ({ stalls: true });
    const offers = new Offers({ ...world, pool: new WorkPool(), onOffered: () => undefined });
    const all = new Lanes({ ...world, offers, lane: quick, stow });
    try {
      const study = await queueStudy(world, {
        to: [mailbox, 'west.other'],
        instances: 20,
        bytesPerInstance: 200_000,
      });
      await all.start();
      await until(
        () => deliveryOf(world, study.transfer, 'west.other').state === 'delivered',
        () => other.requests,
      );
      expect(deliveryOf(world, study.transfer, mailbox)).toMatchObject({ state: 'sending', delivered: 0 });
      expect(world.transfer(study.transfer).state).toBe('delivering');
    } finally {
      await all.stop(AbortSignal.abort());
      await other.close();
    }
  });

  it('writes no BSN into records or log lines', async () => {
    const study = await queueStudy(world, { to: [mailbox] });
    pacs.plan = (_, request) => (request === 0 ? { status: 400, body: 'BSN 999990019 is unknown here' } : {});
    open().wake();
    await end(study);
    expect([...pacs.held.values()].every((bytes) => bytes.includes('999990019'))).toBe(true);
    expect(world.recordBytes().includes('999990019')).toBe(false);
    expect(JSON.stringify(world.lines)).not.toContain('999990019');
  });
});
