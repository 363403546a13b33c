import { asError, SluisError } from '../ops/error.ts';
import { anything, type DeliveryAnswer, deliveryAnswer, type NamedItem } from './answers.ts';
import { type ExchangeClient, lineError, type Reply, retryAfterOf } from './client.ts';
import { ContentWriter, type Missing } from './content-writer.ts';
import { DeliveryBroken, DiskRefuses, Unreachable } from './errors.ts';
import { called, namedItems } from './item-names.ts';
import { ANEW_MAX, INSTANCE_BYTES_MAX, SKIP_BYTES_MAX, TRANSFER_BYTES_MAX } from './limits.ts';
import { ExchangeProblem } from './problem.ts';
import { Progress } from './progress.ts';
import type { StudyFolder } from './study-folder.ts';
import type { Terminal } from './terminal.ts';

/** What the exchange offers is not any more what it listed: begin with the list. */
class ContentChanged extends SluisError {
  override readonly name = 'ContentChanged';
  readonly code = 'SLUIS_CLI_CONTENT_CHANGED';
  readonly remedy = 'resume';

  constructor() {
    super('the content of the delivery changed while it was fetched');
  }
}

/**
 * Fetches one delivery into a folder and acknowledges it, once every item is on disk with the
 * SHA-256 that was announced. What an earlier run fetched is verified, not fetched again.
 */
export class Pull {
  readonly #client: ExchangeClient;
  readonly #terminal: Terminal;
  readonly #folder: StudyFolder;

  constructor(client: ExchangeClient, terminal: Terminal, folder: StudyFolder) {
    this.#client = client;
    this.#terminal = terminal;
    this.#folder = folder;
  }

  /** Rejects DeliveryBroken, DiskRefuses, GaveUp, ExchangeProblem; then nothing was acknowledged. */
  async run(id: string): Promise<DeliveryAnswer> {
    for (let again = 0; ; again += 1) {
      const delivery = checked(
        await this.#client.json(deliveryAnswer, { method: 'GET', path: `/v1/deliveries/${id}` }),
      );
      const named = await namedItems(this.#folder.path, delivery).catch((thrown: unknown) => {
        throw this.#named(thrown);
      });
      try {
        await this.#fetch(delivery, named);
        await this.#folder.sync(named);
      } catch (thrown) {
        if (!(thrown instanceof ContentChanged)) throw this.#named(thrown);
        if (again >= ANEW_MAX) {
          throw new DeliveryBroken(`the content of delivery ${id} changes each time it is fetched`, {
            cause: thrown,
          });
        }
        for (const item of named) await this.#folder.removePart(item);
        continue;
      }
      const items = delivery.items.map((item) => ({
        ...('report' in item ? { report: item.sha256 } : { sopInstanceUid: item.sopInstanceUid }),
        sha256: item.sha256,
        status: 'stored',
      }));
      const path = `/v1/deliveries/${id}/acknowledge`;
      await this.#client.json(anything, { method: 'POST', path, json: { items } });
      return delivery;
    }
  }

  async #fetch(delivery: DeliveryAnswer, named: readonly NamedItem[]): Promise<void> {
    const total = named.reduce((sum, { bytes }) => sum + bytes, 0);
    const wanted = new Set(await this.#notHere(named, total));
    const progress = new Progress(this.#terminal, 'receiving', total);
    try {
      await this.#fetchAll(delivery, wanted, progress, total);
    } finally {
      progress.end();
    }
  }

  /** Rounds of requests until nothing is wanted; after a cut the next one begins at the first byte missing. */
  async #fetchAll(
    delivery: DeliveryAnswer,
    wanted: Set<NamedItem>,
    progress: Progress,
    total: number,
  ): Promise<void> {
    const patience = this.#client.patience();
    const different = new Map<NamedItem, number>();
    const settle = (finished: readonly NamedItem[], others: readonly NamedItem[]): void => {
      for (const item of finished) wanted.delete(item);
      for (const item of others) {
        const times = (different.get(item) ?? 0) + 1;
        different.set(item, times);
        if (times <= ANEW_MAX) continue;
        throw new DeliveryBroken(`${called(item)} came ${times.toString()} times with another SHA-256`);
      }
    };
    while (wanted.size > 0) {
      const missing: Missing[] = [];
      for (const item of wanted) {
        const have = await this.#folder.partBytes(item);
        if (have < item.bytes) missing.push({ item, have });
        else settle(...(await this.#finishPart(item)));
      }
      progress.jump(total - missing.reduce((sum, { item, have }) => sum + item.bytes - have, 0));
      for (const run of runsOf(missing)) {
        let bytes = 0;
        const writer = new ContentWriter(this.#folder, run, (more) => {
          bytes += more;
          progress.add(more);
        });
        const failure = await this.#fetchRun(delivery, run, writer);
        settle(writer.finished, writer.different);
        if (bytes > 0) patience.progress();
        if (failure === undefined && bytes > 0) continue;
        const cause = failure ?? new Unreachable(this.#client.server, 'it sends nothing', false, undefined);
        await patience.pause(cause, retryAfterOf(cause));
        break;
      }
    }
  }

  /** An earlier run was ended between the last byte and the new name. */
  async #finishPart(item: NamedItem): Promise<[NamedItem[], NamedItem[]]> {
    const file = await this.#folder.openFile(item);
    return (await file.finish()) ? [[item], []] : [[], [item]];
  }

  /** One request. Resolves with what broke the line; what the disk says, and changed content, rejects. */
  async #fetchRun(
    { id, etag, bytes }: DeliveryAnswer,
    run: readonly Missing[],
    writer: ContentWriter,
  ): Promise<Error | undefined> {
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const start = first.item.offset + first.have;
    const end = last.item.offset + last.item.bytes;
    let reply: Reply;
    try {
      reply = await this.#client.ask({
        method: 'GET',
        path: `/v1/deliveries/${id}/content`,
        headers: {
          accept: 'multipart/related; type="application/dicom"',
          range: `bytes=${start.toString()}-${(end - 1).toString()}`,
          'if-range': etag,
        },
      });
    } catch (thrown) {
      if (thrown instanceof ExchangeProblem && (thrown.status === 412 || thrown.status === 416)) {
        throw new ContentChanged();
      }
      return asError(thrown);
    }
    const position = positionOf(reply, etag, start, bytes);
    if (position === undefined) {
      reply.body.destroy();
      throw new ContentChanged();
    }
    writer.begin(position);
    const failure = await this.#copy(reply, writer);
    await writer.end();
    return failure;
  }

  /** The line's errors are returned, the writer's thrown: they have other remedies. */
  async #copy(reply: Reply, writer: ContentWriter): Promise<Error | undefined> {
    const body = reply.body[Symbol.asyncIterator]();
    try {
      for (;;) {
        let next: IteratorResult<unknown>;
        try {
          next = await body.next();
        } catch (thrown) {
          return lineError(this.#client.server, thrown);
        }
        if (next.done === true) return undefined;
        if (next.value instanceof Uint8Array) await writer.write(next.value);
      }
    } catch (thrown) {
      await writer.end().catch(() => undefined);
      throw thrown;
    } finally {
      reply.body.destroy();
    }
  }

  async #notHere(items: readonly NamedItem[], total: number): Promise<NamedItem[]> {
    const wanted: NamedItem[] = [];
    const progress = new Progress(this.#terminal, 'verifying what is here', total);
    const onAside = (path: string): void =>
      this.#terminal.note(`a file was here before with other content; that is now ${path}`);
    let looked = 0;
    try {
      for (const item of items) {
        if (!(await this.#folder.holds(item, onAside, (bytes) => progress.add(bytes)))) wanted.push(item);
        looked += item.bytes;
        progress.jump(looked);
      }
    } finally {
      progress.end();
    }
    return wanted;
  }

  /** What the disk said, with the folder and what to do. */
  #named(thrown: unknown): Error {
    const error: NodeJS.ErrnoException = asError(thrown);
    if (error instanceof SluisError || error.syscall === undefined) return error;
    return new DiskRefuses(this.#folder.path, error);
  }
}

/** Refuses what must not be written; the names and sizes of each field were held against the schema before. */
function checked(delivery: DeliveryAnswer): DeliveryAnswer {
  const items = delivery.items.toSorted((a, b) => a.offset - b.offset);
  let behind = 0;
  for (const item of items) {
    if (
      item.offset < behind ||
      item.offset + item.bytes > delivery.bytes ||
      item.bytes > INSTANCE_BYTES_MAX
    ) {
      throw new DeliveryBroken(`${called(item)} lies where it cannot be in the content`);
    }
    behind = item.offset + item.bytes;
  }
  // The framing of a package of the largest transfer is 1 % of it at most.
  if (delivery.bytes > TRANSFER_BYTES_MAX * 1.01)
    throw new DeliveryBroken('the delivery is larger than any can be');
  return { ...delivery, items };
}

/** Neighbours in one request, as long as little between them would be thrown away. */
function runsOf(missing: readonly Missing[]): Missing[][] {
  const runs: Missing[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const one of missing) {
    const run = runs.at(-1);
    if (run === undefined || one.item.offset + one.have - end > SKIP_BYTES_MAX) runs.push([one]);
    else run.push(one);
    end = one.item.offset + one.item.bytes;
  }
  return runs;
}

/** Where in the content an answer begins; undefined when it is not the content that was listed. */
function positionOf(reply: Reply, etag: string, start: number, bytes: number): number | undefined {
  const found = reply.header('etag');
  if (found !== undefined && found !== etag) return undefined;
  // RFC 9110, 14.2: a server may ignore Range; then everything comes, from the first byte.
  if (reply.status === 200) return 0;
  const [, first, total] =
    /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/u.exec(reply.header('content-range') ?? '') ?? [];
  if (reply.status !== 206 || Number(first) !== start) return undefined;
  return total === '*' || Number(total) === bytes ? start : undefined;
}
