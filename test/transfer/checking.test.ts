import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keys } from '../../src/state/keys.ts';
import type { Finding } from '../../src/transfer/finding.ts';
import { instancesPerTurn, problemsShownMax } from '../../src/transfer/limits.ts';
import type { ReasonCode } from '../../src/transfer/reasons.ts';
import { transferView } from '../../src/transfer/views.ts';
import { generateStudy, type StudyOptions } from '../support/study/study.ts';
import { manifestOf, noord, openWorld, transferLimits, uploadRecord, type World, zuid } from './world.ts';

const other = { patientId: '90000000001', name: 'Vlaskamp^Ids', bsn: '999990020' };

describe('checking', () => {
  let world: World;
  let seed = 100;

  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world.close());

  /** Findings of a study that no other test has. */
  const study = async (instances: number, options: Partial<StudyOptions> = {}): Promise<Finding[]> => {
    const bytes = { modality: 'CT', bytesPerInstance: 2048, seed: seed++ } as const;
    const found: Finding[] = [];
    for (const one of generateStudy({ ...bytes, instances, ...options })) {
      found.push(await world.find(one.bytes));
    }
    return found;
  };
  const flawed = (finding: Finding, code: ReasonCode): Finding => ({
    ...finding,
    instance: { ...finding.instance, verdict: 'held', reasons: [code] },
  });
  const one = async (options: Partial<StudyOptions> = {}): Promise<Finding> => {
    const [found] = await study(1, options);
    if (found === undefined) throw new Error('no instance');
    return found;
  };

  /** Another content under the same UID. */
  const copyOf = (finding: Finding, fill: number): Finding => ({
    ...finding,
    instance: { ...finding.instance, sha256: Buffer.alloc(32, fill) },
  });
  /** How many records of instances are read while `run` runs. */
  const instancesRead = async (run: () => Promise<unknown>): Promise<number> => {
    const get = vi.spyOn(world.state, 'get');
    try {
      await run();
      return get.mock.calls.filter(([table]) => table.name === keys.instances.name).length;
    } finally {
      get.mockRestore();
    }
  };

  it('makes a transfer ready when every listed instance is there, and queues a delivery a mailbox', async () => {
    const found = await study(4);
    const { id } = await world.open({ to: ['noord.main', 'noord.mri'] });
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', instances: 4, reasons: [] });
    for (const mailbox of ['noord.main', 'noord.mri']) {
      const waiting = [...world.deliveries.waiting(mailbox)].filter(({ transfer }) => transfer === id);
      expect(waiting).toMatchObject([{ state: 'queued', of: 4, delivered: 0 }]);
    }
    expect(world.transfers.get(noord, id).id).toBe(id);
  });

  it('decides once, however often and at the same time it is asked', async () => {
    const found = await study(2);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    const commit = vi.spyOn(world.state, 'commit');
    const settled = await Promise.all(Array.from({ length: 5 }, () => world.checking.settle(id)));
    expect(commit).toHaveBeenCalledTimes(1);
    commit.mockRestore();
    expect(settled.filter((one) => one !== undefined)).toHaveLength(1);
    expect(await world.checking.settle(id)).toBeUndefined();
    expect([...world.state.list(keys.deliveriesOf, { prefix: [id] })]).toHaveLength(1);
  });

  it('looks at each instance once, however many uploads end at the same time', async () => {
    const found = await study(10);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found.slice(1));
    const read = await instancesRead(() =>
      Promise.all(Array.from({ length: 100 }, () => world.checking.settle(id))),
    );
    expect(read).toBe(9);
    await world.arrive(id, found.slice(0, 1));
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready' });
  });

  it('looks only at what came since, when uploads end one after the other', async () => {
    const found = await study(20);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    const settled: unknown[] = [];
    let read = 0;
    for (const finding of found) {
      await world.arrive(id, [finding]);
      read += await instancesRead(async () => settled.push(await world.checking.settle(id)));
    }
    expect(read).toBe(20);
    expect(settled.map((one) => one !== undefined)).toEqual([...Array<boolean>(19).fill(false), true]);
  });

  it('looks again at everything that came before the manifest was sealed', async () => {
    const found = await study(3);
    const { id } = await world.open();
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toBeUndefined();
    await world.transfers.seal(zuid, id, manifestOf(found.slice(1)));
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['NOT_LISTED'] });
  });

  it('loses no decision that becomes possible while it looks, and tells one caller of it', async () => {
    const large = await openWorld({ ...transferLimits, instancesMax: 10_000 });
    try {
      const finding = await one();
      const many = Array.from({ length: 5 * instancesPerTurn }, (_, at) => ({
        ...finding,
        instance: { ...finding.instance, sopInstanceUid: `1.2.${at}` },
      }));
      const { id } = await large.open();
      const upload = await large.arrive(id, many);
      const follow = { walk: null, instances: many.length, state: 'done' } as const;
      // It gives the event loop back five times; meanwhile something comes that stops the transfer.
      const first = large.checking.settle(id);
      await large.recording.found(id, upload, [flawed(finding, 'SYNTAX_LIES')], follow);
      const settled = await Promise.all([first, large.checking.settle(id)]);
      expect(settled.filter((found) => found !== undefined)).toMatchObject([
        { state: 'held', reasons: ['SYNTAX_LIES'] },
      ]);
    } finally {
      await large.close();
    }
  });

  it('decides from what is found up to then, also what comes while it decides', async () => {
    const [first, second] = await study(2);
    if (first === undefined || second === undefined) throw new Error('no instances');
    const { id } = await world.open();
    const upload = await world.arrive(id, [flawed(first, 'SYNTAX_LIES')]);
    const follow = { walk: null, instances: 2, state: 'done' } as const;
    const late = world.recording.found(id, upload, [flawed(second, 'TRUNCATED')], follow);
    const settled = await world.checking.settle(id);
    await late;
    expect(settled).toMatchObject({ state: 'held', reasons: ['SYNTAX_LIES', 'TRUNCATED'] });
  });

  it.each([0, 1, 2, 3])(
    'never completes without instance %i, and tells the receiver nothing',
    async (left) => {
      const found = await study(4);
      const { id } = await world.open();
      await world.transfers.seal(zuid, id, manifestOf(found));
      await world.arrive(id, found.toSpliced(left, 1));
      expect(await world.checking.settle(id)).toBeUndefined();
      expect(world.transfer(id).state).toBe('receiving');
      expect([...world.state.list(keys.deliveriesOf, { prefix: [id] })]).toEqual([]);
      expect(() => world.transfers.get(noord, id)).toThrow();
      await world.arrive(id, found.slice(left, left + 1));
      expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', instances: 4 });
    },
  );

  it('never completes before the manifest is sealed, whatever has come', async () => {
    const found = await study(2);
    const { id } = await world.open();
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toBeUndefined();
    await world.transfers.seal(zuid, id, manifestOf(found));
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready' });
  });

  it('takes a plain upload for its own manifest, once all of it is known', async () => {
    const found = await study(2);
    const upload = uploadRecord(null, { from: 'zuid.main', to: ['noord.main'] });
    await world.state.commit((tx) => world.transfers.claim(tx, upload));
    const id = world.state.get(keys.uploads, upload.id)?.transfer ?? '';
    const follow = { walk: null, instances: 2, state: 'following' } as const;
    await world.recording.found(id, upload.id, found, follow);
    expect(await world.checking.settle(id)).toBeUndefined();
    await world.recording.found(id, upload.id, [], { ...follow, state: 'done' });
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', instances: 2 });
  });

  it('is not stopped by an upload that was given up, when all is there', async () => {
    const found = await study(2);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, [], 'following');
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready' });
  });

  it('ends a follower whose transfer was decided without it', async () => {
    const found = await study(2);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    const late = await world.arrive(id, [], 'following');
    await world.arrive(id, found);
    await world.checking.settle(id);
    await world.recording.found(id, late, await study(1), { walk: null, instances: 1, state: 'following' });
    expect(world.state.get(keys.follows, late)?.state).toBe('done');
    expect(world.transfer(id)).toMatchObject({ state: 'ready', instances: 2 });
  });

  it('holds what the manifest does not list', async () => {
    const found = await study(3);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found.slice(0, 2)));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['NOT_LISTED'] });
  });

  it.each([
    ['sha256', { sha256: Buffer.alloc(32, 7) }],
    ['length', { bytes: 1 }],
  ])('holds an instance whose %s is not the listed one', async (_, change) => {
    const found = await study(2);
    const { id } = await world.open();
    const [first, second] = manifestOf(found);
    if (first === undefined || second === undefined) throw new Error('no instances');
    await world.transfers.seal(zuid, id, [first, { ...second, ...change }]);
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['DIGEST_DIFFERS'] });
  });

  it('holds an acute one too when an instance is not the listed one, and nothing more is on its way', async () => {
    const [first, second] = await study(2);
    if (first === undefined || second === undefined) throw new Error('no instances');
    const { id } = await world.open({ priority: 'acute' });
    await world.transfers.seal(zuid, id, manifestOf([first, copyOf(second, 0x5a)]));
    const late = await world.arrive(id, [], 'following');
    await world.arrive(id, [first, second]);
    // As many as are listed have come, but the right one may still come.
    expect(await world.checking.settle(id)).toBeUndefined();
    await world.recording.found(id, late, [], { walk: null, instances: 0, state: 'done' });
    expect(await world.checking.settle(id)).toMatchObject({
      state: 'held',
      reasons: expect.arrayContaining(['DIGEST_DIFFERS']) as unknown,
    });
  });

  it('is not completed by a copy that came twice, whichever of the copies it equals', async () => {
    const [first, other] = await study(2);
    if (first === undefined || other === undefined) throw new Error('no instances');
    const second = copyOf(first, 0x5a);
    const { id } = await world.open({ priority: 'acute' });
    await world.transfers.seal(zuid, id, manifestOf([second, other]));
    await world.arrive(id, [], 'following');
    await world.arrive(id, [first, second, second]);
    await world.arrive(id, [second, first]);
    expect(world.transfer(id).instances).toBe(2);
    expect(await world.checking.settle(id)).toBeUndefined();
    await world.arrive(id, [other]);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', instances: 3 });
  });

  it('names the first objects with a problem, without a look at the others', async () => {
    const large = await openWorld({ ...transferLimits, instancesMax: 5_000 });
    try {
      const finding = await one();
      const many = Array.from({ length: 200 }, (_, at) => {
        const instance = { ...finding.instance, sopInstanceUid: `1.2.${at}` };
        return at % 3 === 1 ? flawed({ ...finding, instance }, 'TRUNCATED') : { ...finding, instance };
      });
      const { id } = await large.open();
      await large.arrive(id, many);
      expect(await large.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['TRUNCATED'] });
      const list = vi.spyOn(large.state, 'list');
      const { problems } = transferView(large, large.transfer(id), 'sender');
      expect(list.mock.calls.some(([table]) => table.name === keys.instances.name)).toBe(false);
      const expected = Array.from({ length: problemsShownMax }, (_, at) => `1.2.${3 * at + 1}`);
      expect(problems.map(({ sopInstanceUid }) => sopInstanceUid)).toEqual(expected);
    } finally {
      await large.close();
    }
  });

  it('drops a duplicate that is equal', async () => {
    const found = await study(2);
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, [...found, ...found]);
    await world.arrive(id, found);
    const bytes = found.reduce((sum, { instance }) => sum + instance.bytes, 0);
    expect(await world.checking.settle(id)).toMatchObject({
      state: 'ready',
      instances: 2,
      bytes,
      reasons: [],
    });
  });

  it('holds a duplicate that is different', async () => {
    const found = await one();
    const changed = { ...found, instance: { ...found.instance, sha256: Buffer.alloc(32, 9) } };
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf([found]));
    await world.arrive(id, [found, changed]);
    const settled = await world.checking.settle(id);
    expect(settled?.state).toBe('held');
    expect(settled?.reasons).toContain('DUPLICATE_DIFFERENT');
  });

  it.each(['routine', 'acute'] as const)('holds a %s one in which two BSNs are stated', async (priority) => {
    const found = [await one(), await one({ patient: { bsn: other.bsn } })];
    const { id } = await world.open({ priority });
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    const settled = await world.checking.settle(id);
    expect(settled).toMatchObject({ state: 'held', reasons: ['BSN_CONFLICT'] });
  });

  it('holds one whose objects state another BSN than its sender', async () => {
    const found = await study(2);
    const { id } = await world.open({ bsn: other.bsn });
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['BSN_CONFLICT'] });
  });

  it.each(['routine', 'acute'] as const)('holds a %s one of two patients', async (priority) => {
    const found = [await one({ bsnIn: 'none' }), await one({ bsnIn: 'none', patient: other })];
    const { id } = await world.open({ priority });
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['PATIENT_MIXED'] });
  });

  it('lets a transfer without any BSN go, and says so', async () => {
    const found = await study(1, { bsnIn: 'none' });
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready', reasons: ['BSN_MISSING'] });
  });

  it.each([
    ['routine', 'held'],
    ['urgent', 'held'],
    ['bulk', 'held'],
    ['acute', 'ready'],
  ] as const)('of a %s transfer with a truncated instance makes it %s', async (priority, state) => {
    const [whole] = generateStudy({ modality: 'MR', instances: 1, seed: seed++, bytesPerInstance: 4096 });
    if (whole === undefined) throw new Error('no instance');
    const found = await world.find(whole.bytes.subarray(0, -100));
    expect(found.instance).toMatchObject({ verdict: 'held', reasons: ['TRUNCATED'] });
    const { id } = await world.open({ priority });
    await world.transfers.seal(zuid, id, manifestOf([found]));
    await world.arrive(id, [found]);
    expect(await world.checking.settle(id)).toMatchObject({ state, reasons: ['TRUNCATED'] });
  });

  it.each(['routine', 'acute'] as const)(
    'never sends a %s instance of which not even the UID can be read',
    async (priority) => {
      const [whole] = generateStudy({ modality: 'MR', instances: 1, seed: seed++, bytesPerInstance: 4096 });
      const head = await world.find((whole?.bytes ?? new Uint8Array()).subarray(0, 700));
      expect(head.instance).toMatchObject({ verdict: 'rejected', sopInstanceUid: '', scan: null });
      const found = [await one(), head];
      const { id } = await world.open({ priority });
      await world.transfers.seal(zuid, id, manifestOf(found.slice(0, 1)));
      await world.arrive(id, found);
      expect(await world.checking.settle(id)).toMatchObject({ state: 'held' });
    },
  );

  it('rejects a transfer of which nothing can be used', async () => {
    const { id } = await world.open();
    const found = await world.find(Buffer.from('no DICOM at all, but a letter'));
    await world.arrive(id, [found]);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'rejected', reasons: ['NOT_DICOM'] });
  });

  it('rejects a broken package, and holds it when something in it was good', async () => {
    const empty = await world.open();
    await world.arrive(empty.id, [], 'broken');
    expect(await world.checking.settle(empty.id)).toMatchObject({
      state: 'rejected',
      reasons: ['PACKAGE_BROKEN'],
    });
    const half = await world.open();
    await world.arrive(half.id, await study(1), 'broken');
    expect(await world.checking.settle(half.id)).toMatchObject({
      state: 'held',
      reasons: ['PACKAGE_BROKEN'],
    });
  });

  it('decides nothing for a mailbox that is not in the address book, and goes on when it is there again', async () => {
    const found = await study(2);
    const { id } = await world.open({ to: ['noord.main', 'noord.mri'] });
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    const mailbox = world.addressBook.mailbox('noord.mri');
    await world.state.commit((tx) => tx.remove(keys.mailboxes, mailbox.id));
    await expect(world.checking.settle(id)).rejects.toMatchObject({ code: 'SLUIS_MAILBOX_UNKNOWN' });
    expect(world.transfer(id).state).toBe('receiving');
    expect([...world.state.list(keys.deliveriesOf, { prefix: [id] })]).toEqual([]);
    await world.state.commit((tx) => tx.put(keys.mailboxes, mailbox.id, mailbox));
    expect(await world.checking.settle(id)).toMatchObject({ state: 'ready' });
  });

  it('stops counting at its limits', async () => {
    const found = await one();
    const huge = { ...found, instance: { ...found.instance, bytes: transferLimits.instanceBytesMax + 1 } };
    const { id } = await world.open();
    await world.arrive(id, [await one(), huge, await one()]);
    expect(await world.checking.settle(id)).toMatchObject({
      state: 'held',
      instances: 1,
      reasons: ['LIMIT_EXCEEDED'],
    });
  });

  it('looks no further into an upload that goes beyond a limit', async () => {
    const [found, other] = [await one(), await one()];
    const huge = { ...other, instance: { ...other.instance, bytes: transferLimits.instanceBytesMax + 1 } };
    const { id } = await world.open();
    const upload = await world.arrive(id, [found, huge], 'following');
    expect(world.state.get(keys.follows, upload)?.state).toBe('done');
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held', reasons: ['LIMIT_EXCEEDED'] });
  });

  it('takes nothing more once it has decided', async () => {
    const { id } = await world.open();
    await world.arrive(id, [flawed(await one(), 'SYNTAX_LIES')]);
    expect(await world.checking.settle(id)).toMatchObject({ state: 'held' });
    await expect(world.arrive(id, [])).rejects.toMatchObject({ code: 'SLUIS_TRANSFER_CLOSED' });
  });

  it('keeps the name, the number and the BSN of the patient out of every record', async () => {
    const patient = { name: 'Kwintsheul^Roosmarijn', patientId: '70707070707', bsn: '999990019' };
    const found = await study(2, { patient });
    const { id } = await world.open();
    await world.transfers.seal(zuid, id, manifestOf(found));
    await world.arrive(id, found);
    await world.checking.settle(id);
    const bytes = world.recordBytes();
    expect(bytes.includes(found[0]?.instance.sopInstanceUid ?? '?')).toBe(true);
    for (const secret of ['Kwintsheul', 'Roosmarijn', patient.patientId, patient.bsn]) {
      expect(bytes.includes(secret), secret).toBe(false);
    }
  });
});
