import { normalizeBsn } from '../dicom/bsn.ts';
import { priorities } from '../state/records.ts';
import { SourceChanged } from '../study/errors.ts';
import { sizeText } from './amount.ts';
import { anything, created, type TransferAnswer } from './answers.ts';
import { type Cargo, cargoOf } from './cargo.ts';
import type { ExchangeClient } from './client.ts';
import { connect, connectionOptions, connectionUsage } from './connection.ts';
import { InputRefused, UsageError } from './errors.ts';
import { gather } from './gathering.ts';
import {
  DELIVERY_WAIT_MS_MAX,
  REMARK_CHARACTERS_MAX,
  SENDINGS_MAX,
  TRANSFER_MAILBOXES_MAX,
} from './limits.ts';
import { identifier, oneOf, parseOptions, required } from './options.ts';
import { keyAfter, keyOf, type Order } from './order.ts';
import {
  adviceFor,
  hasExpiredUnsent,
  isEnded,
  isOpen,
  isStopped,
  reasonLines,
  setAsideLines,
  summaryOf,
  transferOf,
  waitFor,
} from './outcome.ts';
import { ExchangeProblem } from './problem.ts';
import { Progress } from './progress.ts';
import { readSecret } from './secret.ts';
import { processTerminal, type Terminal } from './terminal.ts';
import { PackageUpload, type Sent } from './upload.ts';

export const usage = `sluis send --server URL --token-file F --from M --to M[,M] PATH…

Sends files and folders of one patient as one transfer: DICOM instances and reports (PDF, CDA, text); or one
ZIP of them, as it is. After any interruption run the same command again: it goes on at the byte where it stopped.
  --from M                 your mailbox
  --to M[,M]               the receiving mailboxes, at most ${TRANSFER_MAILBOXES_MAX.toString()}
  --priority P             ${priorities.join(', ')} (routine)
  --remark T               for the receiver, at most ${REMARK_CHARACTERS_MAX.toString()} characters
  --bsn-file F             a file that holds the patient's BSN, - for standard input
  --wait                   until it is delivered, not only checked
  --again                  a new transfer, when the last one of the same files has ended
  --force                  truncated instances too, as they are
  --json                   prints the final record of the transfer as JSON
${connectionUsage}
Ends with 3 when the exchange has it but holds or rejects it, or could not deliver it.`;

const options = {
  ...connectionOptions,
  from: { type: 'string' },
  to: { type: 'string' },
  priority: { type: 'string' },
  remark: { type: 'string' },
  'bsn-file': { type: 'string' },
  wait: { type: 'boolean' },
  again: { type: 'boolean' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions(options, args);
  if (positionals.length === 0) throw new UsageError('name at least one file or folder to send');
  const order: Order = {
    from: identifier(required(values.from, '--from'), '--from'),
    to: recipients(required(values.to, '--to')),
    priority: oneOf(values.priority ?? 'routine', '--priority', priorities),
    remark: remarkOf(values.remark ?? ''),
  };
  const bsnFile = values['bsn-file'];
  if (bsnFile === '-' && (values['token-file'] ?? terminal.env.SLUIS_TOKEN_FILE) === '-') {
    throw new UsageError('only one of --token-file and --bsn-file can be standard input');
  }
  const client = await connect(terminal, values);
  try {
    const bsn = bsnFile === undefined ? undefined : await bsnOf(terminal, bsnFile);
    const sending = new Sending(
      client,
      terminal,
      order,
      bsn,
      cargoOf(await gather(terminal, positionals, values.force ?? false)),
    );
    return await sending.run({
      again: values.again ?? false,
      wait: values.wait ?? false,
      json: values.json ?? false,
    });
  } finally {
    await client.close();
  }
}

/** One run of a sending; all that it knows from earlier runs it asks the exchange. */
class Sending {
  readonly #client: ExchangeClient;
  readonly #terminal: Terminal;
  readonly #order: Order;
  readonly #bsn: string | undefined;
  readonly #cargo: Cargo;

  constructor(
    client: ExchangeClient,
    terminal: Terminal,
    order: Order,
    bsn: string | undefined,
    cargo: Cargo,
  ) {
    this.#client = client;
    this.#terminal = terminal;
    this.#order = order;
    this.#bsn = bsn;
    this.#cargo = cargo;
  }

  async run(flags: { again: boolean; wait: boolean; json: boolean }): Promise<number> {
    const found = await this.#open(flags.again);
    const before = !isOpen(found);
    let sent: Sent = { bytes: 0, twice: 0 };
    if (found.state === 'receiving') {
      await this.#seal(found.id);
      sent = await this.#upload(found.id);
    }
    const transfer = await this.#wait(found.id, flags.wait);
    if (flags.json) {
      this.#terminal.print(JSON.stringify({ ...transfer, sent }));
    } else {
      const line = before
        ? 'nothing was left to send'
        : `sent ${sizeText(sent.bytes)}, ${percent(sent)} of it twice`;
      this.#terminal.print(
        `${summaryOf(transfer)}; ${line}. To follow it: sluis transfers show ${transfer.id}`,
      );
    }
    for (const line of setAsideLines(transfer)) this.#terminal.note(line);
    if (!isStopped(transfer)) return 0;
    for (const reason of reasonLines(transfer)) this.#terminal.note(reason);
    this.#terminal.note(adviceFor(transfer));
    return 3;
  }

  /** The transfer that this sending is: found when it was begun before, made when not. */
  async #open(again: boolean): Promise<TransferAnswer> {
    let key = keyOf(this.#order, this.#cargo.manifest, this.#cargo.archive);
    for (let sending = 0; sending < SENDINGS_MAX; sending += 1) {
      const transfer = await this.#create(key).catch((thrown: unknown) => {
        // Sent before with another BSN, which the key does not cover (see keyOf).
        if (thrown instanceof ExchangeProblem && thrown.code === 'SLUIS_IDEMPOTENCY_KEY_REUSED')
          return undefined;
        throw thrown;
      });
      if (transfer === undefined && !again) {
        throw new InputRefused(
          'the same files were sent before with another BSN. Correct --bsn-file, or use --again for a new transfer',
        );
      }
      const isUnfinished = transfer !== undefined && hasExpiredUnsent(transfer);
      if (isUnfinished) {
        this.#terminal.note('What was sent of it before has expired: it is sent anew');
      }
      if (transfer !== undefined && !isUnfinished && !(again && isEnded(transfer))) return transfer;
      key = keyAfter(key, transfer?.id ?? '');
    }
    throw new InputRefused(
      `these files were sent ${SENDINGS_MAX.toString()} times already; is something wrong?`,
    );
  }

  async #create(key: string): Promise<TransferAnswer> {
    // Whether anybody held the number against the register, a command line cannot know.
    const patient = this.#bsn === undefined ? {} : { patient: { bsn: this.#bsn, bsnStatus: 'unverified' } };
    const { id } = await this.#client.json(created, {
      method: 'POST',
      path: '/v1/transfers',
      headers: { 'idempotency-key': key },
      json: { ...this.#order, ...patient },
    });
    return await transferOf(this.#client, id);
  }

  /** Sealing the same manifest twice is no error, so a run after a kill does it again. */
  async #seal(id: string): Promise<void> {
    await this.#client.json(anything, {
      method: 'PUT',
      path: `/v1/transfers/${id}/manifest`,
      json: this.#cargo.manifest,
    });
  }

  async #upload(id: string): Promise<Sent> {
    const { filetype, content } = this.#cargo;
    const progress = new Progress(this.#terminal, 'sending', content.bytes);
    try {
      return await new PackageUpload(this.#client, id, filetype, content, progress).send();
    } catch (thrown) {
      if (thrown instanceof SourceChanged) {
        throw new InputRefused(`${thrown.path}: ${thrown.message}. Run again when nobody writes to it`, {
          cause: thrown,
        });
      }
      throw thrown;
    } finally {
      progress.end();
    }
  }

  async #wait(id: string, delivery: boolean): Promise<TransferAnswer> {
    const label = delivery ? 'waiting until it is delivered' : 'waiting for the exchange to check it';
    const progress = new Progress(this.#terminal, label);
    try {
      const checked = await waitFor(this.#client, id, (one) => !isOpen(one), this.#client.giveUpMs);
      if (!delivery) return checked;
      return await waitFor(this.#client, id, (one) => isEnded(one) || isStopped(one), DELIVERY_WAIT_MS_MAX);
    } finally {
      progress.end();
    }
  }
}

function recipients(text: string): string[] {
  const mailboxes = [...new Set(text.split(',').map((one) => identifier(one.trim(), '--to')))];
  if (mailboxes.length > TRANSFER_MAILBOXES_MAX) {
    throw new UsageError(`--to takes at most ${TRANSFER_MAILBOXES_MAX.toString()} mailboxes`);
  }
  return mailboxes.sort();
}

function remarkOf(text: string): string {
  if (text.length > REMARK_CHARACTERS_MAX) {
    throw new UsageError(`--remark takes at most ${REMARK_CHARACTERS_MAX.toString()} characters`);
  }
  return text;
}

async function bsnOf(terminal: Terminal, file: string): Promise<string> {
  const bsn = normalizeBsn(await readSecret(terminal, file, 'the BSN'));
  if (bsn === undefined)
    throw new InputRefused('--bsn-file holds no BSN: nine digits that pass the 11-proof');
  return bsn;
}

function percent({ bytes, twice }: Sent): string {
  return `${(bytes === 0 ? 0 : (100 * twice) / bytes).toFixed(1)} %`;
}
