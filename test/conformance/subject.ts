import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, HeaderList } from './answer.ts';
import { aNumber, Deviation, deviates, listOf, NotOffered } from './check.ts';
import { Client, type OpenRequest } from './client.ts';
import { expectStatus } from './expectations.ts';

export interface SubjectOptions {
  /** Where uploads are created. */
  readonly url: URL;
  /** Of each request to the host of `url`: Authorization. */
  readonly headers?: HeaderList | undefined;
  /** An Upload-Metadata that each creation needs; more is put behind it. */
  readonly metadata?: string | undefined;
  /** Of an ordinary upload. */
  readonly bytes: number;
  readonly waitMs: number;
  readonly insecure?: boolean | undefined;
}

/** Header fields by name; null takes away one that would be sent otherwise, a list sends it more than once. */
export type Fields = Readonly<Record<string, string | readonly string[] | null>>;

export interface More {
  readonly headers?: Fields;
  readonly body?: Uint8Array;
  readonly framing?: 'length' | 'chunked' | 'none';
  readonly trailers?: HeaderList;
}

/** What OPTIONS told. */
export interface Offer {
  readonly answer: Answer;
  readonly versions: readonly string[];
  readonly extensions: ReadonlySet<string>;
  readonly maxSize: bigint | undefined;
  readonly algorithms: readonly string[];
}

export const PATCH_TYPE = 'application/offset+octet-stream';
/** A version that no server knows. */
export const NO_VERSION = '0.0.1';
const VERSION = '1.0.0';
/** How long an offset may take to show what has arrived before a connection was cut. */
const SETTLE_MS = 8000;
const POLL_MS = 50;
/** Of uploads to terminate after a check; none makes so many. */
const REMEMBERED_MAX = 100;

/** A tus server under test, and the few requests of which all checks are made. */
export class Subject {
  readonly url: URL;
  readonly bytes: number;
  readonly client: Client;
  readonly #headers: HeaderList;
  readonly #metadata: string | undefined;
  readonly #created: URL[] = [];
  #offer: Offer | undefined;

  constructor(options: SubjectOptions) {
    this.url = options.url;
    this.bytes = options.bytes;
    this.client = new Client({ waitMs: options.waitMs, insecure: options.insecure });
    this.#headers = options.headers ?? [];
    this.#metadata = options.metadata;
  }

  get offer(): Offer {
    if (this.#offer === undefined) throw new Error('OPTIONS was not asked yet');
    return this.#offer;
  }

  offers(extension: string): boolean {
    return this.offer.extensions.has(extension);
  }

  /** Asks OPTIONS and remembers what it told. */
  async discover(): Promise<Offer> {
    const answer = await this.options();
    const maxSize = answer.header('tus-max-size');
    this.#offer = {
      answer,
      versions: listOf(answer.header('tus-version')),
      extensions: new Set(listOf(answer.header('tus-extension'))),
      maxSize: maxSize !== undefined && aNumber.test(maxSize) ? BigInt(maxSize) : undefined,
      algorithms: listOf(answer.header('tus-checksum-algorithm')),
    };
    return this.#offer;
  }

  options(headers: Fields = {}): Promise<Answer> {
    return this.ask('OPTIONS', this.url, { headers: { 'Tus-Resumable': null, ...headers } });
  }

  ask(method: string, url: URL, more: More = {}): Promise<Answer> {
    return this.client.send({ ...more, method, url, headers: this.#fields(url, more) });
  }

  /** Sends the head, and as much of the body as is given; what Content-Length says is up to `headers`. */
  async open(method: string, url: URL, more: More = {}): Promise<OpenRequest> {
    const request = await this.client.open({
      method,
      url,
      headers: this.#fields(url, more),
      framing: 'none',
    });
    request.write(more.body ?? new Uint8Array());
    return request;
  }

  /** POST, without asking what came of it. */
  async post(headers: Fields, more: Omit<More, 'headers'> = {}): Promise<Answer> {
    const metadata = [this.#metadata, headers['Upload-Metadata']].filter((part) => part != null).join();
    const all = this.#metadata === undefined ? headers : { ...headers, 'Upload-Metadata': metadata };
    const answer = await this.ask('POST', this.url, { ...more, headers: all });
    const location = answer.header('location');
    if (answer.status === 201 && location !== undefined && URL.canParse(location, this.url.href))
      this.#remember(new URL(location, this.url));
    return answer;
  }

  /** What a HEAD has to show of the metadata of an upload that was created with `metadata`. */
  metadataOf(metadata: string): string {
    return [this.#metadata, metadata].filter((part) => part !== undefined).join();
  }

  /** A new upload. */
  async create(length: number = this.bytes, headers: Fields = {}): Promise<URL> {
    return this.locationOf(await this.post({ 'Upload-Length': String(length), ...headers }));
  }

  createDeferred(headers: Fields = {}): Promise<URL> {
    return this.post({ 'Upload-Defer-Length': '1', ...headers }).then((answer) => this.locationOf(answer));
  }

  locationOf(answer: Answer): URL {
    expectStatus(answer, 201);
    const location = answer.header('location');
    if (location === undefined || !URL.canParse(location, this.url.href))
      deviates(`${answer.asked} answered 201 with Location ${String(location)}`);
    return new URL(location, this.url);
  }

  head(url: URL, headers: Fields = {}): Promise<Answer> {
    return this.ask('HEAD', url, { headers });
  }

  patch(url: URL, offset: number | string, body: Uint8Array, headers: Fields = {}, more: More = {}) {
    const fields = { 'Content-Type': PATCH_TYPE, 'Upload-Offset': String(offset), ...headers };
    return this.ask('PATCH', url, { body, ...more, headers: fields });
  }

  /** A PATCH from the first byte on, of whose body as much is sent as is given. */
  openPatch(url: URL, headers: Fields, body: Uint8Array = new Uint8Array()): Promise<OpenRequest> {
    const fields = { 'Content-Type': PATCH_TYPE, 'Upload-Offset': '0', ...headers };
    return this.open('PATCH', url, { headers: fields, body });
  }

  /** A whole upload of these bytes. */
  async upload(body: Uint8Array, headers: Fields = {}): Promise<URL> {
    const url = await this.create(body.length, headers);
    expectStatus(await this.patch(url, 0, body), 204);
    return url;
  }

  remove(url: URL, headers: Fields = {}): Promise<Answer> {
    return this.ask('DELETE', url, { headers });
  }

  async offsetOf(url: URL): Promise<number> {
    const answer = await this.head(url);
    expectStatus(answer, 200, 204);
    const offset = answer.header('upload-offset');
    if (offset === undefined || !aNumber.test(offset))
      deviates(`HEAD answered Upload-Offset ${String(offset)}`);
    return Number(offset);
  }

  async expectOffset(url: URL, offset: number, after = ''): Promise<void> {
    const seen = await this.offsetOf(url);
    if (seen !== offset) deviates(`${after}HEAD tells offset ${String(seen)}, not ${String(offset)}`);
  }

  /** The offset, once it is `wanted`; the last seen when it does not come to that in time. */
  async settled(url: URL, wanted: number): Promise<number> {
    const deadline = performance.now() + Math.min(SETTLE_MS, this.client.waitMs);
    for (;;) {
      const offset = await this.offsetOf(url);
      if (offset === wanted || performance.now() > deadline) return offset;
      await sleep(POLL_MS);
    }
  }

  /** The offset of a final upload, once HEAD tells one; undefined when it does not in time. */
  async finalOffset(url: URL): Promise<string | undefined> {
    const deadline = performance.now() + Math.min(SETTLE_MS, this.client.waitMs);
    for (;;) {
      const offset = (await this.head(url)).header('upload-offset');
      if (offset !== undefined || performance.now() > deadline) return offset;
      await sleep(POLL_MS);
    }
  }

  /** What GET of an upload serves. tus has no GET: many servers have, and only so it shows what they stored. */
  async content(url: URL): Promise<Buffer> {
    const answer = await this.ask('GET', url);
    if (answer.status === 200) return answer.body;
    if (answer.status >= 500) throw new Deviation(`GET answered ${String(answer.status)}`);
    throw new NotOffered(`GET of an upload answered ${String(answer.status)}`);
  }

  async expectContent(url: URL, body: Uint8Array): Promise<void> {
    const served = await this.content(url);
    if (!served.equals(body)) {
      const at = served.findIndex((byte, index) => byte !== body[index]);
      deviates(
        `GET serves ${String(served.length)} bytes, which differ from those sent at byte ${String(at)}`,
      );
    }
  }

  /** Where GET serves uploads at all. */
  async expectContentIfServed(url: URL, body: Uint8Array): Promise<void> {
    await this.expectContent(url, body).catch((error: unknown) => {
      if (!(error instanceof NotOffered)) throw error;
    });
  }

  /** An upload's URL that names nothing: that of a real one with other letters. */
  async unknown(): Promise<URL> {
    const url = await this.create(1);
    const other = new URL(url);
    const isInPath = url.pathname.length > this.url.pathname.length;
    if (isInPath) other.pathname = otherLetters(url.pathname);
    else other.search = otherLetters(url.search);
    return other;
  }

  /** Terminates what was created since the last time, as far as the server lets it: some count open uploads. */
  async clean(): Promise<void> {
    const created = this.#created.splice(0);
    if (this.#offer === undefined || !this.offers('termination')) return;
    for (const url of created) {
      const answer = await this.remove(url).catch(() => undefined);
      if (answer === undefined) return;
    }
  }

  #remember(url: URL): void {
    if (this.#created.length < REMEMBERED_MAX) this.#created.push(url);
  }

  #fields(url: URL, { headers = {} }: More): HeaderList {
    const own = url.hostname === this.url.hostname ? this.#headers : [];
    const fields = new Map<string, [string, Fields[string]]>();
    for (const [name, value] of [['Tus-Resumable', VERSION], ...own, ...Object.entries(headers)] as const)
      fields.set(name.toLowerCase(), [name, value]);
    return [...fields.values()].flatMap(([name, value]) =>
      [value ?? []].flat().map((one): [string, string] => [name, one]),
    );
  }
}

/** The last four letters and digits, each replaced by another of its kind, so that an id keeps its form. */
function otherLetters(text: string): string {
  let left = 4;
  return text
    .split('')
    .reverse()
    .map((letter) => {
      const kind = ['0123456789', 'abcdef', 'ABCDEF', 'ghijklmnopqrstuvwxyz', 'GHIJKLMNOPQRSTUVWXYZ'].find(
        (all) => all.includes(letter),
      );
      if (left === 0 || kind === undefined) return letter;
      left -= 1;
      return kind[(kind.indexOf(letter) + 3) % kind.length] ?? letter;
    })
    .reverse()
    .join('');
}

/** Bytes that differ by position and by `seed`, so that a byte in the wrong place shows. */
export function bytesOf(bytes: number, seed = 1): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 8) * 17 + seed * 101) & 0xff),
  );
}
