import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey } from '../access/api-keys.ts';
import { AddressBook } from '../addressbook/address-book.ts';
import { loadConfig } from '../ops/config-file.ts';
import { State } from '../state/state.ts';
import { InputRefused, UsageError } from './errors.ts';
import { parseOptions, required, wholeNumber } from './options.ts';

export const usage = `sluis keys create --organization ID --name TEXT [--days N] [--config FILE] [--data DIR]

Makes an API key for an organization and prints its token, this once. Run it on the exchange's machine;
it may be done while the exchange runs.
  --organization ID   id of the organization in the address book
  --name TEXT         what it is for, such as "gateway radiology"
  --days N            how long it is valid (90)
  --config FILE       configuration of the exchange
  --data DIR          its data folder (data)`;

const options = {
  organization: { type: 'string' },
  name: { type: 'string' },
  days: { type: 'string' },
  config: { type: 'string' },
  data: { type: 'string' },
} as const;

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseOptions(options, args);
  if (positionals.length !== 1 || positionals[0] !== 'create') {
    throw new UsageError('say what to do: create');
  }
  const id = required(values.organization, '--organization');
  const name = required(values.name, '--name');
  const { config } = loadConfig({
    file: values.config,
    env: process.env,
    flags: { 'data.folder': values.data },
  });
  const days =
    values.days === undefined ? config.keys.apiKeyDays : wholeNumber(values.days, '--days', 1, 3650);
  const folder = join(config.data.folder, 'state');
  if (!existsSync(folder)) {
    throw new InputRefused(
      `${config.data.folder} is no data folder of an exchange: start it once, or give --data`,
    );
  }
  const state = await State.open(folder);
  try {
    const known = new AddressBook(state).organization(id);
    if (known === undefined) {
      throw new InputRefused(`no organization has the id ${id}: it has to be in the address book first`);
    }
    const token = await state.commit((tx) => createApiKey(tx, { organization: id, name, days }));
    process.stdout.write(`${token}\n`);
    return 0;
  } finally {
    await state.close();
  }
}
