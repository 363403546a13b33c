import { transferStates } from '../state/records.ts';
import { sizeText } from './amount.ts';
import { type TransferAnswer, transferList } from './answers.ts';
import type { ExchangeClient } from './client.ts';
import { connect, connectionOptions, connectionUsage } from './connection.ts';
import { UsageError } from './errors.ts';
import { PAGES_MAX } from './limits.ts';
import { identifier, oneOf, parseOptions, required } from './options.ts';
import { adviceFor, reasonLines, setAsideLines, stateText, summaryOf, transferOf } from './outcome.ts';
import { tableLines } from './table.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis transfers list|show ID --server URL --token-file F

Where transfers are: all of your own, or one with its reasons, its deliveries and why they wait.
  --state S                list only those in this state
  --json                   as JSON: a line for each transfer
${connectionUsage}`;

/** Problems with single instances that \`show\` names. */
const PROBLEMS_SHOWN = 20;

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions(
    { ...connectionOptions, state: { type: 'string' }, json: { type: 'boolean' } },
    args,
  );
  const [verb, id, ...rest] = positionals;
  const action = oneOf(required(verb, 'list or show'), 'the action', ['list', 'show']);
  if (rest.length > 0 || (action === 'list' && id !== undefined)) {
    throw new UsageError(action === 'list' ? 'list takes no id' : 'show takes one id');
  }
  const transfer = action === 'show' ? identifier(required(id, 'the id of a transfer'), 'show') : undefined;
  const state = values.state === undefined ? undefined : oneOf(values.state, '--state', transferStates);
  const client = await connect(terminal, values);
  try {
    if (transfer === undefined) await list(client, terminal, state, values.json ?? false);
    else show(terminal, await transferOf(client, transfer), values.json ?? false);
  } finally {
    await client.close();
  }
  return 0;
}

async function list(
  client: ExchangeClient,
  terminal: Terminal,
  state: string | undefined,
  json: boolean,
): Promise<void> {
  const filter = state === undefined ? '' : `state=${state}`;
  const rows: string[][] = [];
  let query = filter;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, next } = await client.json(transferList, {
      method: 'GET',
      path: `/v1/transfers?${query}`,
    });
    for (const item of items) {
      if (json) terminal.print(JSON.stringify(item));
      else rows.push(rowOf(item));
    }
    if (next === null || next === undefined) break;
    query = `${filter}${filter === '' ? '' : '&'}cursor=${encodeURIComponent(next)}`;
  }
  if (json) return;
  if (rows.length === 0) terminal.note('no transfers');
  else
    for (const line of tableLines(['id', 'from', 'to', 'instances', 'reports', 'size', 'state'], rows))
      terminal.print(line);
}

function rowOf(transfer: TransferAnswer): string[] {
  const { id, from = '', to = [], instances, reports, bytes } = transfer;
  const counts = [instances, reports].map((count) => count.toString());
  return [id, from, to.join(','), ...counts, sizeText(bytes), stateText(transfer)];
}

function show(terminal: Terminal, transfer: TransferAnswer, json: boolean): void {
  if (json) {
    terminal.print(JSON.stringify(transfer));
    return;
  }
  const { from = '', to = [], priority, deliveries, problems } = transfer;
  terminal.print(summaryOf(transfer));
  if (from !== '') {
    terminal.print(`from ${from} to ${to.join(', ')}${priority === undefined ? '' : `, ${priority}`}`);
  }
  for (const line of reasonLines(transfer)) terminal.print(line);
  for (const { sopInstanceUid, reasons, detail } of problems.slice(0, PROBLEMS_SHOWN)) {
    const name = sopInstanceUid === '' ? 'an instance or a report' : sopInstanceUid;
    terminal.print(
      `  ${name}: ${reasons.join(', ')}${detail === null || detail === undefined ? '' : ` (${detail})`}`,
    );
  }
  for (const line of setAsideLines(transfer)) terminal.print(line);
  if (deliveries.length > 0) {
    const rows = deliveries.map(({ mailbox, state, delivered, of, lastOutcome }) => [
      mailbox,
      state,
      `${delivered.toString()} of ${of.toString()}`,
      lastOutcome ?? '',
    ]);
    const head = ['mailbox', 'delivery', 'delivered', 'last outcome'];
    for (const line of tableLines(head, rows)) terminal.print(line);
  }
  const advice = adviceFor(transfer);
  if (advice !== '') terminal.print(advice);
}
