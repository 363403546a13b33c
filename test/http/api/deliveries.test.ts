import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliveryOf, queueItems, until } from '../../delivery/sending.ts';
import { generateStudy } from '../../support/study/study.ts';
import { type ApiWorld, openApiWorld } from './api-world.ts';

const ctClass = '1.2.840.10008.5.1.4.1.1.2';
const report = { mediaType: 'application/pdf', bytes: Buffer.from('%PDF-1.7\n%%EOF\n') };
const sha256 = createHash('sha256').update(report.bytes).digest('hex');

describe('a delivery with a report, to who takes no CT', () => {
  const mr = [...generateStudy({ modality: 'MR', instances: 2, seed: 80, bytesPerInstance: 512 })];
  const ct = [...generateStudy({ modality: 'CT', instances: 3, seed: 80, bytesPerInstance: 512 })];
  let world: ApiWorld;
  let token: string;
  let transfer: string;
  let path: string;

  beforeAll(async () => {
    world = await openApiWorld();
    await world.mailbox('west.mr', { by: 'pull' }, { excludeModalities: ['CT'] });
    token = await world.token('west');
    const instances = [...ct, ...mr].map(({ bytes }) => bytes);
    transfer = await queueItems(world, { to: ['west.mr'], instances, reports: [report] });
    world.offers.wake('west.mr');
    await until(
      () => deliveryOf(world, transfer).offered,
      () => world.lines,
    );
    path = `/v1/deliveries/${deliveryOf(world, transfer).id}`;
  });
  afterAll(() => world.close());

  const ask = async (method: string, at: string, body?: unknown) => {
    const response = await world.api.request(at, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const acknowledge = (...items: unknown[]) => ask('POST', `${path}/acknowledge`, { items });

  it('lists what it holds, with the report among it, and what was left out', async () => {
    const { status, json } = await ask('GET', path);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      leftOut: { [ctClass]: 3 },
      untagged: {},
      items: [
        ...mr.map(({ sopInstanceUid }) => ({ sopInstanceUid })),
        { report: { mediaType: 'application/pdf' }, sha256, bytes: report.bytes.byteLength },
      ],
    });
    expect((json.items as object[])[2]).not.toHaveProperty('sopInstanceUid');
  });

  it('is in the inbox with the size of what it holds', async () => {
    const { json } = await ask('GET', '/v1/mailboxes/west.mr/inbox');
    const bytes = mr.reduce((sum, one) => sum + one.bytes.byteLength, report.bytes.byteLength);
    expect(json.items).toMatchObject([{ transfer, instances: 3, bytes }]);
  });

  it.each([
    ['nothing', { sha256 }],
    ['both an instance and a report', { sopInstanceUid: '1.2.3', report: sha256, sha256 }],
    ['a report by no digest', { report: 'application/pdf', sha256 }],
  ])('takes no word that names %s', async (_, item) => {
    expect(await acknowledge(item)).toMatchObject({ status: 400, json: { code: 'SLUIS_REQUEST_INVALID' } });
  });

  it('is confirmed when each of its own items is held', async () => {
    const left = { sopInstanceUid: ct[0]?.sopInstanceUid, sha256 };
    expect(await acknowledge(left)).toMatchObject({ status: 422 });
    const { json } = await ask('GET', path);
    const said = (json.items as { sopInstanceUid?: string; sha256: string }[]).map((item) =>
      item.sopInstanceUid === undefined
        ? { report: item.sha256, sha256: item.sha256 }
        : { sopInstanceUid: item.sopInstanceUid, sha256: item.sha256 },
    );
    expect(await acknowledge(...said)).toMatchObject({
      status: 200,
      json: { state: 'confirmed', delivered: 3, of: 3, transferState: 'delivered' },
    });
  });
});
