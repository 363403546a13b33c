import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliveryOf, queueStudy, until } from '../../delivery/sending.ts';
import { type ApiWorld, openApiWorld } from './api-world.ts';

const bsn = '999990019';
const request = { from: 'zuid.main', to: ['noord.main'] };
const sha256 = 'ab'.repeat(32);
const manifest = { instances: [{ sopInstanceUid: '1.2.3', bytes: 5, sha256 }] };

describe('the JSON API', () => {
  let world: ApiWorld;

  beforeAll(async () => {
    world = await openApiWorld();
  });
  afterAll(() => world.close());

  interface Asked {
    readonly by?: 'zuid' | 'noord';
    readonly headers?: Record<string, string>;
    readonly body?: unknown;
    readonly text?: string;
  }
  const ask = async (method: string, path: string, { by = 'zuid', headers = {}, body, text }: Asked = {}) => {
    const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await world.api.request(path, {
      method,
      headers: { authorization: `Bearer ${world.tokens[by]}`, ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    });
    const raw = await response.text();
    const json = JSON.parse(raw === '' ? '{}' : raw) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, raw, json };
  };
  const create = async (): Promise<string> =>
    String((await ask('POST', '/v1/transfers', { body: request })).json.id);

  describe('answers a problem', () => {
    it.each([
      ['without a token', { authorization: '' }],
      ['with another scheme', { authorization: 'Basic dXNlcg==' }],
      ['with a token nobody made', { authorization: `Bearer sluis_${'x'.repeat(43)}` }],
    ])('401 %s', async (_, headers) => {
      for (const [method, path] of [
        ['GET', '/v1/transfers'],
        ['POST', '/v1/transfers'],
        ['GET', '/v1/mailboxes'],
      ] as const) {
        const answer = await ask(method, path, { headers });
        expect(answer).toMatchObject({
          status: 401,
          json: { code: 'SLUIS_ACCESS_UNAUTHORIZED', status: 401 },
        });
        expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="sluis"');
        expect(answer.headers.get('content-type')).toBe('application/problem+json');
        expect(answer.headers.get('cache-control')).toBe('no-store');
      }
    });

    it.each([
      ['POST', '/v1/transfers', { ...request, from: 'noord.main' }, 403, 'SLUIS_TRANSFER_FROM_FORBIDDEN'],
      ['POST', '/v1/transfers', { ...request, to: ['oost.main'] }, 404, 'SLUIS_MAILBOX_UNKNOWN'],
      ['GET', '/v1/mailboxes/noord.main/inbox', undefined, 403, 'SLUIS_ACCESS_FORBIDDEN'],
      ['GET', '/v1/mailboxes/oost.main/inbox', undefined, 404, 'SLUIS_MAILBOX_UNKNOWN'],
      ['GET', '/v1/transfers/01890000-0000-7000-8000-000000000000', undefined, 404, 'SLUIS_TRANSFER_UNKNOWN'],
      ['GET', '/v1/transfers/..%2f..%2fetc', undefined, 404, 'SLUIS_TRANSFER_UNKNOWN'],
      ['GET', '/v1/deliveries/nothing', undefined, 404, 'SLUIS_DELIVERY_UNKNOWN'],
      ['PUT', '/v1/transfers/nothing/manifest', manifest, 404, 'SLUIS_TRANSFER_UNKNOWN'],
      ['GET', '/v1/nothing', undefined, 404, 'SLUIS_HTTP_NOT_FOUND'],
      ['GET', '/', undefined, 404, 'SLUIS_HTTP_NOT_FOUND'],
      ['DELETE', '/v1/transfers', undefined, 405, 'SLUIS_HTTP_METHOD_NOT_ALLOWED'],
      ['PUT', '/v1/transfers/some-id', {}, 405, 'SLUIS_HTTP_METHOD_NOT_ALLOWED'],
    ])('to %s %s %j: %i %s', async (method, path, body, status, code) => {
      const answer = await ask(method, path, { body });
      expect(answer).toMatchObject({ status, json: { code, status } });
      expect(String(answer.json.detail).length).toBeGreaterThan(10);
    });

    it('405 with the methods that the address takes', async () => {
      expect((await ask('DELETE', '/v1/transfers')).headers.get('allow')?.split(', ').toSorted()).toEqual([
        'GET',
        'POST',
      ]);
    });

    it.each([
      ['no body', ''],
      ['no JSON', '{"from":'],
      ['another type', '[]'],
      ['null', 'null'],
      ['no addresses', '{}'],
      ['an unknown key', JSON.stringify({ ...request, extra: 1 })],
      ['a mailbox that is none', JSON.stringify({ ...request, from: '../x' })],
      ['no receiver', JSON.stringify({ ...request, to: [] })],
      ['too many', JSON.stringify({ ...request, to: ['a', 'b', 'c', 'd'] })],
      ['an unknown priority', JSON.stringify({ ...request, priority: 'stat' })],
      ['a long remark', JSON.stringify({ ...request, remark: 'x'.repeat(41) })],
      ['a prototype', '{"__proto__":{"from":"zuid.main"},"to":["noord.main"]}'],
    ])('400 to %s', async (_, text) => {
      expect(await ask('POST', '/v1/transfers', { text })).toMatchObject({
        status: 400,
        json: { code: 'SLUIS_REQUEST_INVALID', remedy: 'fix-request' },
      });
    });

    it.each([
      '/v1/transfers?state=gone',
      '/v1/transfers?limit=0',
      '/v1/transfers?limit=201',
      '/v1/transfers?limit=many',
      '/v1/transfers?cursor=5',
      '/v1/transfers?extra=1',
      `/v1/mailboxes?q=${'x'.repeat(201)}`,
      '/v1/mailboxes/zuid.main/inbox?wait=61',
    ])('400 to %s', async (path) => {
      expect(await ask('GET', path)).toMatchObject({ status: 400, json: { code: 'SLUIS_REQUEST_INVALID' } });
    });

    it.each([
      ['empty', { instances: [] }],
      ['a digest that is none', { instances: [{ ...manifest.instances[0], sha256: 'ab' }] }],
      ['a size that is none', { instances: [{ ...manifest.instances[0], bytes: -1 }] }],
      ['a size above the limit', { instances: [{ ...manifest.instances[0], bytes: 10_000_001 }] }],
      ['a UID that is none', { instances: [{ ...manifest.instances[0], sopInstanceUid: 'a/b' }] }],
      ['one UID twice', { instances: [manifest.instances[0], manifest.instances[0]] }],
      [
        'more than the limit',
        {
          instances: Array.from({ length: 51 }, (_, at) => ({
            ...manifest.instances[0],
            sopInstanceUid: `1.${at}`,
          })),
        },
      ],
      ['reports', { ...manifest, reports: [{}] }],
    ])('400 to a manifest with %s', async (_, body) => {
      const id = await create();
      expect((await ask('PUT', `/v1/transfers/${id}/manifest`, { body })).status).toBe(400);
    });

    it.each([
      ['the BSN is wrong', { ...request, patient: { bsn: '999990018' } }, '999990018'],
      ['it stands in another field', { ...request, priority: bsn }, bsn],
      ['it is an address', { from: `${bsn} x`, to: [`${bsn}/`] }, bsn],
      ['it is a number', { ...request, patient: { bsn: 999990019 } }, bsn],
      ['it stands for the patient', { ...request, patient: bsn }, bsn],
      ['it is a status', { ...request, patient: { bsn, bsnStatus: bsn } }, bsn],
      ['the remark is too long', { ...request, remark: `${bsn} ${'x'.repeat(50)}` }, bsn],
      ['it is all there is', bsn, bsn],
      ['it is a key', { ...request, [bsn]: 1 }, bsn],
      ['it is a key within', { ...request, patient: { [`bsn${bsn}`]: 1 } }, bsn],
    ])('that holds no value of the request when %s', async (_, body, secret) => {
      const answer = await ask('POST', '/v1/transfers', { body });
      expect(answer.status).toBe(400);
      expect(answer.raw).not.toContain(secret);
      expect(JSON.stringify(world.lines)).not.toContain(secret);
    });

    it('that names a key which was mistyped', async () => {
      const answer = await ask('POST', '/v1/transfers', { body: { ...request, remrak: 'x' } });
      expect(answer.json.detail).toContain('remrak');
    });

    it('that names neither value nor cause of a fault of ours', async () => {
      const { transfers } = world;
      const list = transfers.list.bind(transfers);
      transfers.list = () => {
        throw new Error(`cannot read ${bsn}`);
      };
      try {
        const answer = await ask('GET', '/v1/transfers');
        expect(answer).toMatchObject({ status: 500, json: { code: 'SLUIS_INTERNAL' } });
        expect(answer.raw).not.toContain(bsn);
      } finally {
        transfers.list = list;
      }
    });
  });

  describe('POST /v1/transfers', () => {
    it('opens a transfer, once for one Idempotency-Key', async () => {
      const headers = { 'idempotency-key': 'once' };
      const first = await ask('POST', '/v1/transfers', { body: request, headers });
      expect(first).toMatchObject({
        status: 201,
        json: { state: 'receiving', priority: 'routine', deliveries: [] },
      });
      const again = await ask('POST', '/v1/transfers', { body: request, headers });
      expect(again).toMatchObject({ status: 200, json: { id: first.json.id } });
      const other = { body: { ...request, priority: 'acute' }, headers };
      expect(await ask('POST', '/v1/transfers', other)).toMatchObject({
        status: 422,
        json: { code: 'SLUIS_IDEMPOTENCY_KEY_REUSED' },
      });
    });

    it('takes a BSN as people write it, and never gives it back', async () => {
      const patient = { bsn: ` ${bsn} `, bsnStatus: 'verified' };
      const answer = await ask('POST', '/v1/transfers', {
        body: { ...request, patient, remark: 'Kwintsheul' },
      });
      expect(answer.status).toBe(201);
      const shown = await ask('GET', `/v1/transfers/${answer.json.id as string}`);
      for (const raw of [answer.raw, shown.raw]) {
        expect(raw).not.toContain(bsn);
        expect(raw).not.toContain('Kwintsheul');
      }
    });

    it.each(['', 'x'.repeat(256)])('refuses an Idempotency-Key of the wrong length', async (key) => {
      const headers = { 'idempotency-key': key };
      expect((await ask('POST', '/v1/transfers', { body: request, headers })).status).toBe(400);
    });
  });

  describe('PUT /v1/transfers/:id/manifest', () => {
    it('seals it, takes it again, and refuses another', async () => {
      const id = await create();
      const path = `/v1/transfers/${id}/manifest`;
      expect(await ask('PUT', path, { body: manifest })).toMatchObject({
        status: 200,
        json: { expected: 1 },
      });
      expect(await ask('PUT', path, { body: manifest })).toMatchObject({ status: 200 });
      const other = { instances: [{ sopInstanceUid: '1.2.3', bytes: 6, sha256 }] };
      expect(await ask('PUT', path, { body: other })).toMatchObject({
        status: 409,
        json: { code: 'SLUIS_TRANSFER_MANIFEST_SEALED' },
      });
      expect(await ask('PUT', path, { body: manifest, by: 'noord' })).toMatchObject({ status: 404 });
      expect(world.sealed).toContain(id);
    });
  });

  describe('takes a BSN that is known late', () => {
    const put = async (id: string, body: unknown, by: 'zuid' | 'noord' = 'zuid') =>
      ask('PUT', `/v1/transfers/${id}/patient`, { body, by });

    it('once, and the same again; another is refused, and neither is told', async () => {
      const id = await create();
      expect((await put(id, { bsn })).status).toBe(200);
      expect((await put(id, { bsn: ` ${bsn} ` })).status).toBe(200);
      const refused = await put(id, { bsn: '999990007' });
      expect(refused).toMatchObject({ status: 409, json: { code: 'SLUIS_TRANSFER_BSN_DIFFERS' } });
      expect(refused.raw).not.toMatch(/99999/);
    });

    it('from PID-3 of an HL7 message, where its issuer stands beside it', async () => {
      const id = await create();
      const pid3 = `4711^^^ADT1^MR~${bsn}^^^NLMINBIZA&2.16.840.1.113883.2.4.6.3&ISO^NNNLD`;
      expect((await put(id, { pid3, bsnStatus: 'verified' })).status).toBe(200);
      expect((await put(id, { bsn: '999990007' })).status).toBe(409);
    });

    it.each([
      ['nothing', {}],
      ['no BSN', { bsn: '123456789' }],
      ['a number that nobody issued', { pid3: `${bsn}^^^ADT1^MR` }],
      ['two different ones', { bsn: '999990007', pid3: `${bsn}^^^NLMINBIZA^NNNLD` }],
    ])('and refuses %s', async (_, body) => {
      const answer = await put(await create(), body);
      expect(answer).toMatchObject({ status: 400, json: { code: 'SLUIS_REQUEST_INVALID' } });
      expect(answer.raw).not.toMatch(/99999|123456789/);
    });

    it('from nobody but the sender', async () => {
      expect(await put(await create(), { bsn }, 'noord')).toMatchObject({ status: 404 });
    });
  });

  it('lists transfers in pages, until next is null', async () => {
    for (let made = 0; made < 5; made++) await create();
    const seen: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { json } = await ask('GET', `/v1/transfers?limit=2${cursor}`);
      seen.push(...(json.items as { id: string }[]).map(({ id }) => id));
      if (json.next === null) break;
      cursor = `&cursor=${json.next as string}`;
    }
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(new Set(seen).size).toBe(seen.length);
    expect(await ask('GET', '/v1/transfers?state=expired')).toMatchObject({
      json: { items: [], next: null },
    });
  });

  it('tells why a transfer is held, in two languages and with a next step', async () => {
    const found = await world.find(Buffer.from('a letter'));
    const { id } = await world.open();
    await world.arrive(id, [found]);
    await world.checking.settle(id);
    const { json } = await ask('GET', `/v1/transfers/${id}`);
    expect(json).toMatchObject({
      state: 'rejected',
      reasons: ['NOT_DICOM'],
      explanations: [{ code: 'NOT_DICOM', owner: 'sender', next: { nl: expect.any(String) } }],
      problems: [{ reasons: ['NOT_DICOM'], sopInstanceUid: '' }],
    });
  });

  it('lets a receiver wait for its inbox, read what is there, and acknowledge it', async () => {
    const inbox = '/v1/mailboxes/noord.main/inbox';
    const waiting = ask('GET', `${inbox}?wait=30`, { by: 'noord' });
    const study = await queueStudy(world, { to: ['noord.main'], instances: 2 });
    world.offers.wake('noord.main');
    const { json } = await waiting;
    const { id } = deliveryOf(world, study.transfer);
    expect(json).toMatchObject({
      items: [{ delivery: id, transfer: study.transfer, from: 'zuid.main', instances: 2 }],
    });
    const offered = await ask('GET', `/v1/deliveries/${id}`, { by: 'noord' });
    const items = offered.json.items as {
      sopInstanceUid: string;
      sha256: string;
      offset: number;
      bytes: number;
    }[];
    expect(items.map(({ sopInstanceUid }) => sopInstanceUid)).toEqual(study.uids);
    expect(await ask('GET', `/v1/deliveries/${id}`)).toMatchObject({ status: 404 });

    const said = items.map(({ sopInstanceUid, sha256: digest }) => ({ sopInstanceUid, sha256: digest }));
    const acknowledge = `/v1/deliveries/${id}/acknowledge`;
    const wrong = { items: [{ ...said[0], sha256 }] };
    expect(await ask('POST', acknowledge, { by: 'noord', body: wrong })).toMatchObject({
      status: 422,
      json: { code: 'SLUIS_DELIVERY_ACKNOWLEDGEMENT_INVALID' },
    });
    expect(await ask('POST', acknowledge, { by: 'zuid', body: { items: said } })).toMatchObject({
      status: 404,
    });
    expect(await ask('POST', acknowledge, { by: 'noord', body: { items: [] } })).toMatchObject({
      status: 400,
    });
    expect(await ask('POST', acknowledge, { by: 'noord', body: { items: said } })).toMatchObject({
      status: 200,
      json: { state: 'confirmed', delivered: 2, of: 2, transferState: 'delivered' },
    });
    expect((await ask('GET', inbox, { by: 'noord' })).json.items).toEqual([]);
  });

  it('shows a receiver its own part of a transfer, and the sender all of it', async () => {
    await world.mailbox('west.main', { by: 'pull' });
    const to = ['west.main', 'noord.main', 'noord.mri'];
    const { transfer } = await queueStudy(world, { to, instances: 1 });
    const mailboxesOf = (json: unknown) => (json as { deliveries: { mailbox: string }[] }).deliveries;
    for (const [by, own, uploads] of [
      ['zuid', to, 1],
      ['noord', ['noord.main', 'noord.mri'], 0],
    ] as const) {
      const { json } = await ask('GET', `/v1/transfers/${transfer}`, { by });
      expect(json).toMatchObject({ id: transfer, from: 'zuid.main', to: own });
      expect(json.uploads).toHaveLength(uploads);
      const { items } = (await ask('GET', '/v1/transfers', { by })).json as { items: { id: string }[] };
      const listed = items.find(({ id }) => id === transfer);
      expect(listed).toMatchObject({ to: own });
      for (const shown of [json, listed]) {
        expect(
          mailboxesOf(shown)
            .map(({ mailbox }) => mailbox)
            .toSorted(),
        ).toEqual([...own].toSorted());
      }
    }
  });

  it('tells of a sealed manifest once, however often it is sent', async () => {
    const id = await create();
    for (let sent = 0; sent < 3; sent++) {
      expect((await ask('PUT', `/v1/transfers/${id}/manifest`, { body: manifest })).status).toBe(200);
    }
    expect(world.sealed.filter((one) => one === id)).toHaveLength(1);
  });

  it('409 for a delivery that is not offered yet', async () => {
    const study = await queueStudy(world, { to: ['noord.mri'], instances: 1 });
    const { id } = deliveryOf(world, study.transfer);
    expect(await ask('GET', `/v1/deliveries/${id}`, { by: 'noord' })).toMatchObject({
      status: 409,
      json: { code: 'SLUIS_DELIVERY_NOT_OFFERED' },
    });
  });

  it('wakes nobody who has hung up', async () => {
    const gone = new AbortController();
    const waiting = world.api.request('/v1/mailboxes/zuid.main/inbox?wait=60', {
      headers: { authorization: `Bearer ${world.tokens.zuid}` },
      signal: gone.signal,
    });
    gone.abort();
    let ended = false;
    void Promise.resolve(waiting).finally(() => {
      ended = true;
    });
    await until(
      () => ended,
      () => 'the wait goes on',
    );
  });

  it('describes itself to everybody, every address that there is', async () => {
    const response = await world.api.request('/openapi.json');
    expect(response.status).toBe(200);
    const { paths, openapi } = (await response.json()) as { openapi: string; paths: Record<string, object> };
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths).toSorted()).toEqual([
      '/v1/deliveries/{id}',
      '/v1/deliveries/{id}/acknowledge',
      '/v1/deliveries/{id}/content',
      '/v1/mailboxes',
      '/v1/mailboxes/{id}/inbox',
      '/v1/transfers',
      '/v1/transfers/{id}',
      '/v1/transfers/{id}/manifest',
      '/v1/transfers/{id}/patient',
      '/v1/uploads',
      '/v1/uploads/{id}',
    ]);
  });
});
