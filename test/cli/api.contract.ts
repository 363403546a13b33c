import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  created,
  type DeliveryAnswer,
  deliveryAnswer,
  inbox,
  transferAnswer,
  transferList,
} from '../../src/cli/answers.ts';
import { type WrittenInstance, writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { writeZip } from '../support/zip.ts';

export interface ApiSubject {
  readonly url: string;
  /** Of the organization that has the mailboxes `south` and `north`; `north` is pulled and wants no BSN. */
  readonly token: string;
  /** Makes what was sent to `north` appear in its inbox, where the subject does not do so by itself. */
  offer(file: WrittenInstance): Promise<void>;
  close(): Promise<void>;
}

const TUS = { 'tus-resumable': '1.0.0' };
const APPEND = { ...TUS, 'content-type': 'application/offset+octet-stream' };

/**
 * What the commands rely on, asked of the exchange itself and of the double that stands in for it where
 * a test needs it to fail. One story: each step needs the one before.
 */
export function apiContract(name: string, open: () => Promise<ApiSubject>): void {
  describe(`the API of ${name}, as the commands use it`, () => {
    let folder: TempFolder;
    let subject: ApiSubject;
    let file: WrittenInstance;
    let bytes: Buffer;
    let transfer = '';
    let upload = '';
    let delivery: DeliveryAnswer;

    beforeAll(async () => {
      folder = await openTempFolder();
      subject = await open();
      const [written] = await writeStudy(folder.file('study'), { modality: 'CT', instances: 1, seed: 3 });
      if (written === undefined) throw new Error('the generator wrote nothing');
      file = written;
      bytes = await readFile(file.path);
    }, 60_000);
    afterAll(async () => {
      await subject?.close();
      await folder?.remove();
    }, 60_000);

    const ask = (
      method: string,
      path: string,
      headers: Record<string, string> = {},
      body?: Uint8Array | string,
    ) =>
      fetch(`${subject.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${subject.token}`, ...headers },
        body: body ?? null,
      });
    const answered = async <T>(schema: z.ZodType<T>, reply: Response | Promise<Response>): Promise<T> =>
      schema.parse(await (await reply).json());
    const refused = async (reply: Promise<Response>) => {
      const { status, headers } = await reply;
      const { code } = (await (await reply).json()) as { code: string };
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      return `${status.toString()} ${code}`;
    };
    const order = (key: string, remark: string) =>
      ask(
        'POST',
        '/v1/transfers',
        { 'content-type': 'application/json', 'idempotency-key': key },
        JSON.stringify({ from: 'south', to: ['north'], priority: 'routine', remark }),
      );

    /** One transfer of one upload, until the exchange has it ready. */
    const sent = async (manifest: object, filetype: string, content: Buffer) => {
      const { id } = await answered(created, order(randomUUID(), 'all of it'));
      const json = { 'content-type': 'application/json' };
      await ask('PUT', `/v1/transfers/${id}/manifest`, json, JSON.stringify(manifest));
      const made = await ask('POST', '/v1/uploads', {
        ...TUS,
        'upload-length': content.length.toString(),
        'upload-metadata': `transfer ${base64(id)},filetype ${base64(filetype)}`,
      });
      const path = new URL(made.headers.get('location') ?? '', subject.url).pathname;
      await ask('PATCH', path, { ...APPEND, 'upload-offset': '0' }, content);
      return expect.poll(async () => await answered(transferAnswer, ask('GET', `/v1/transfers/${id}`)), {
        timeout: 20_000,
      });
    };
    const listed = () => ({
      sopInstanceUid: file.sopInstanceUid,
      bytes: bytes.length,
      sha256: hex(bytes),
    });

    it('refuses a token that nobody has', async () => {
      expect(await refused(ask('GET', '/v1/transfers', { authorization: `Bearer ${'x'.repeat(40)}` }))).toBe(
        '401 SLUIS_ACCESS_UNAUTHORIZED',
      );
    });

    it('opens one transfer for one Idempotency-Key, and refuses the key for another order', async () => {
      const key = randomUUID();
      const first = await order(key, 'knee');
      const again = await order(key, 'knee');
      expect([first.status, again.status]).toEqual([201, 200]);
      const { id } = await answered(created, first);
      expect(await answered(created, again)).toEqual({ id });
      expect(await refused(order(key, 'hip'))).toBe('422 SLUIS_IDEMPOTENCY_KEY_REUSED');
      transfer = id;
    });

    it('says which transfers and uploads it does not know', async () => {
      const unknown = '01931000-0000-7000-8000-000000000000';
      expect(await refused(ask('GET', `/v1/transfers/${unknown}`))).toBe('404 SLUIS_TRANSFER_UNKNOWN');
      const append = ask('PATCH', `/v1/uploads/${unknown}`, { ...APPEND, 'upload-offset': '0' }, 'x');
      expect(await refused(append)).toBe('404 SLUIS_UPLOAD_NOT_FOUND');
      expect(await refused(ask('GET', `/v1/deliveries/${unknown}`))).toBe('404 SLUIS_DELIVERY_UNKNOWN');
    });

    it('makes an upload of a transfer and names it in the transfer', async () => {
      const metadata = `transfer ${base64(transfer)},filetype ${base64('application/dicom')}`;
      const reply = await ask('POST', '/v1/uploads', {
        ...TUS,
        'upload-length': bytes.length.toString(),
        'upload-metadata': metadata,
      });
      expect(reply.status).toBe(201);
      upload = new URL(reply.headers.get('location') ?? '', subject.url).pathname;
      const { uploads } = await answered(transferAnswer, ask('GET', `/v1/transfers/${transfer}`));
      expect(uploads).toMatchObject([{ location: upload, bytes: bytes.length, offset: 0 }]);
    });

    it('takes bytes at its own offset only, and tells that offset', async () => {
      const half = Math.floor(bytes.length / 2);
      const first = await ask('PATCH', upload, { ...APPEND, 'upload-offset': '0' }, bytes.subarray(0, half));
      expect([first.status, first.headers.get('upload-offset')]).toEqual([204, half.toString()]);
      expect(
        await refused(ask('PATCH', upload, { ...APPEND, 'upload-offset': '1' }, bytes.subarray(1))),
      ).toBe('409 SLUIS_UPLOAD_OFFSET_CONFLICT');
      const head = await ask('HEAD', upload, TUS);
      expect(head.status).toBe(200);
      expect(head.headers.get('upload-offset')).toBe(half.toString());
      expect(head.headers.get('upload-length')).toBe(bytes.length.toString());
      const { uploads } = await answered(transferAnswer, ask('GET', `/v1/transfers/${transfer}`));
      expect(uploads).toMatchObject([{ location: upload, offset: half }]);
    });

    it('says ready when the manifest is sealed and the last byte is there', async () => {
      const sealed = await ask(
        'PUT',
        `/v1/transfers/${transfer}/manifest`,
        { 'content-type': 'application/json' },
        JSON.stringify({ instances: [listed()] }),
      );
      expect(await answered(transferAnswer, sealed)).toMatchObject({ id: transfer, state: 'receiving' });
      const half = Math.floor(bytes.length / 2);
      const rest = await ask(
        'PATCH',
        upload,
        { ...APPEND, 'upload-offset': half.toString() },
        bytes.subarray(half),
      );
      expect([rest.status, rest.headers.get('upload-offset')]).toEqual([204, bytes.length.toString()]);
      await expect
        .poll(async () => await answered(transferAnswer, ask('GET', `/v1/transfers/${transfer}`)), {
          timeout: 20_000,
        })
        .toMatchObject({ state: 'ready', instances: 1, bytes: bytes.length, from: 'south', to: ['north'] });
      const { items, next } = await answered(transferList, ask('GET', '/v1/transfers'));
      const deliveries = [{ mailbox: 'north', attempts: expect.any(Number), receipt: null }];
      expect(items).toMatchObject([{ id: transfer, state: 'ready', deliveries }]);
      expect(next).toBeNull();
    });

    it('offers a complete delivery in the inbox, with the place and the digest of each instance', async () => {
      await subject.offer(file);
      const { items } = await answered(inbox, ask('GET', '/v1/mailboxes/north/inbox?wait=20'));
      expect(items).toMatchObject([{ from: 'south', priority: 'routine', instances: 1 }]);
      delivery = await answered(deliveryAnswer, ask('GET', `/v1/deliveries/${items[0]?.delivery ?? ''}`));
      expect(delivery).toMatchObject({ mailbox: 'north', state: 'queued' });
      expect(delivery.items).toMatchObject([{ sopInstanceUid: file.sopInstanceUid, bytes: bytes.length }]);
    });

    it('gives any range of the content while the ETag is the same, else the whole', async () => {
      const [item] = delivery.items;
      const [from, to] = [item?.offset ?? 0, (item?.offset ?? 0) + (item?.bytes ?? 0)];
      const range = `bytes=${from.toString()}-${(to - 1).toString()}`;
      const path = `/v1/deliveries/${delivery.id}/content`;
      const part = await ask('GET', path, { range, 'if-range': delivery.etag });
      expect(part.status).toBe(206);
      expect(part.headers.get('content-range')).toBe(
        `bytes ${from.toString()}-${(to - 1).toString()}/${delivery.bytes.toString()}`,
      );
      expect(Buffer.from(await part.arrayBuffer()).equals(bytes)).toBe(true);
      const whole = await ask('GET', path, { range, 'if-range': '"another"' });
      expect([whole.status, whole.headers.get('etag')]).toEqual([200, delivery.etag]);
      expect((await whole.arrayBuffer()).byteLength).toBe(delivery.bytes);
    });

    it('is done with a delivery once every instance is acknowledged', async () => {
      const { sha256 } = delivery.items[0] ?? {};
      const items = [{ sopInstanceUid: file.sopInstanceUid, sha256, status: 'stored' }];
      const reply = await ask(
        'POST',
        `/v1/deliveries/${delivery.id}/acknowledge`,
        { 'content-type': 'application/json' },
        JSON.stringify({ items }),
      );
      expect(reply.status).toBe(200);
      expect(await reply.json()).toMatchObject({ id: delivery.id, state: 'confirmed' });
      expect(await answered(inbox, ask('GET', '/v1/mailboxes/north/inbox'))).toMatchObject({ items: [] });
    });

    it('takes reports in a package, listed by what they hold', async () => {
      const report = Buffer.from('No fracture.\n');
      const part = (type: string, content: Buffer) => [
        Buffer.from(`--b\r\nContent-Type: ${type}\r\nContent-Length: ${content.length.toString()}\r\n\r\n`),
        content,
        Buffer.from('\r\n'),
      ];
      const content = [...part('application/dicom', bytes), ...part('text/plain', report)];
      const manifest = {
        instances: [listed()],
        reports: [{ sha256: hex(report), bytes: report.length, mediaType: 'text/plain' }],
      };
      const filetype = 'multipart/related; type="application/dicom"; boundary=b';
      const transfer = await sent(manifest, filetype, Buffer.concat([...content, Buffer.from('--b--\r\n')]));
      await transfer.toMatchObject({
        state: 'ready',
        instances: 1,
        reports: 1,
        bytes: bytes.length + report.length,
        setAside: { count: 0, items: [] },
      });
    });

    it('takes a ZIP, listed by what is in it, and names what of it goes to no receiver', async () => {
      const zip = writeZip([
        { name: 'IMAGES/IM1', data: bytes },
        { name: 'autorun.inf', data: Buffer.from('[autorun]') },
      ]);
      const transfer = await sent({ instances: [listed()], reports: [] }, 'application/zip', zip);
      await transfer.toMatchObject({
        state: 'ready',
        instances: 1,
        reports: 0,
        bytes: bytes.length,
        setAside: {
          count: 1,
          items: [
            { name: 'autorun.inf', why: 'viewer', en: expect.any(String), nl: expect.any(String), bytes: 9 },
          ],
        },
      });
    });
  });
}

const hex = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
