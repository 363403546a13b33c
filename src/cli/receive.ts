import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { asError } from '../ops/error.ts';
import { countText, sizeText } from './amount.ts';
import { type InboxItem, inbox } from './answers.ts';
import type { ExchangeClient } from './client.ts';
import { connect, connectionOptions, connectionUsage } from './connection.ts';
import { AnswerUnexpected, DeliveryBroken, DiskRefuses, UsageError } from './errors.ts';
import { INBOX_PAUSE_MS, INBOX_WAIT_SECONDS, PAGES_MAX } from './limits.ts';
import { identifier, parseOptions, required } from './options.ts';
import { ExchangeProblem } from './problem.ts';
import { Pull } from './pull.ts';
import { StudyFolder } from './study-folder.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis receive --server URL --token-file F --mailbox M --out DIR

Fetches what is complete in a mailbox, goes on after any interruption, and acknowledges each transfer
once all of it is on disk: DIR/<study>/<instance>.dcm, reports as report-<n>.pdf, .xml or .txt beside
them. Waits for more until it is ended.
  --mailbox M              your mailbox
  --out DIR                where it goes; made if it is not there. For one \`sluis receive\` at a time
  --once                   ends when the inbox is empty
  --json                   a JSON line for each transfer
${connectionUsage}
With --once it ends with 1 if a delivery could not be taken.`;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions(
    {
      ...connectionOptions,
      mailbox: { type: 'string' },
      out: { type: 'string' },
      once: { type: 'boolean' },
      json: { type: 'boolean' },
    },
    args,
  );
  if (positionals.length > 0) throw new UsageError(`receive takes no files; did you mean --out?`);
  const mailbox = identifier(required(values.mailbox, '--mailbox'), '--mailbox');
  const out = required(values.out, '--out');
  const client = await connect(terminal, values);
  try {
    await mkdir(out, { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
      throw new DiskRefuses(out, asError(thrown));
    });
    const receiving = new Receiving(client, terminal, mailbox, new StudyFolder(out), values.json ?? false);
    return await receiving.run(values.once ?? false);
  } finally {
    await client.close();
  }
}

/** Empties an inbox, and keeps it empty. */
class Receiving {
  readonly #client: ExchangeClient;
  readonly #terminal: Terminal;
  readonly #mailbox: string;
  readonly #folder: StudyFolder;
  readonly #json: boolean;
  readonly #pull: Pull;
  /** Taken or refused in this run. What is still listed after that is not tried again. */
  readonly #seen = new Set<string>();
  #broken = false;

  constructor(
    client: ExchangeClient,
    terminal: Terminal,
    mailbox: string,
    folder: StudyFolder,
    json: boolean,
  ) {
    this.#client = client;
    this.#terminal = terminal;
    this.#mailbox = mailbox;
    this.#folder = folder;
    this.#json = json;
    this.#pull = new Pull(client, terminal, folder);
  }

  async run(once: boolean): Promise<number> {
    for (;;) {
      const { found, empty } = await this.#next(once ? 0 : INBOX_WAIT_SECONDS);
      if (found !== undefined) await this.#take(found);
      else if (once) return this.#broken ? 1 : 0;
      else if (empty) this.#seen.clear();
      // The exchange answers at once as long as something lies there, so it is not asked in a circle.
      else await sleep(INBOX_PAUSE_MS);
    }
  }

  /** The first that was not seen, asked anew each time so that what is urgent comes first. */
  async #next(waitSeconds: number): Promise<{ found: InboxItem | undefined; empty: boolean }> {
    let query = `wait=${waitSeconds.toString()}`;
    let empty = true;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const { items, next } = await this.#client.json(inbox, {
        method: 'GET',
        path: `/v1/mailboxes/${this.#mailbox}/inbox?${query}`,
      });
      empty &&= items.length === 0;
      const found = items.find(({ delivery }) => !this.#seen.has(delivery));
      if (found !== undefined || next === null || next === undefined) return { found, empty };
      query = `cursor=${encodeURIComponent(next)}`;
    }
    return { found: undefined, empty };
  }

  async #take({ delivery: id, transfer, from }: InboxItem): Promise<void> {
    this.#seen.add(id);
    try {
      const { items } = await this.#pull.run(id);
      const reports = items.filter((item) => 'report' in item).length;
      const instances = items.length - reports;
      const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
      const folder = this.#folder.path;
      this.#terminal.print(
        this.#json
          ? JSON.stringify({ transfer, delivery: id, from, instances, reports, bytes, folder })
          : `received transfer ${transfer} from ${from}: ${contentText(instances, reports)}, ${sizeText(bytes)}, in ${folder}`,
      );
    } catch (thrown) {
      if (isWithdrawn(thrown)) {
        this.#terminal.note(`transfer ${transfer} was taken back: ${asError(thrown).message}`);
      } else if (thrown instanceof DeliveryBroken || thrown instanceof AnswerUnexpected) {
        // One delivery that cannot be right must not keep the others waiting.
        this.#broken = true;
        this.#terminal.complain(
          `transfer ${transfer} was not taken and not acknowledged: ${thrown.message}. Tell the operator of the exchange`,
        );
      } else {
        throw thrown;
      }
    }
  }
}

function contentText(instances: number, reports: number): string {
  const counted = [
    ...(instances > 0 ? [countText(instances, 'instance')] : []),
    ...(reports > 0 ? [countText(reports, 'report')] : []),
  ];
  return counted.join(' and ');
}

/** Recalled or expired between the inbox and here. */
function isWithdrawn(thrown: unknown): boolean {
  return thrown instanceof ExchangeProblem && [404, 409, 410].includes(thrown.status);
}
