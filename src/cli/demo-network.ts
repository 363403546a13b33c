import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey } from '../access/api-keys.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import { addressBook as addressBookSchema } from '../ops/config-address-book.ts';
import type { State } from '../state/state.ts';

const demoKeyDays = 90;

/** Invented organizations; URAs that nobody has. All else is as a configuration has it that says nothing. */
const { organizations: entries } = addressBookSchema.parse({
  organizations: [
    {
      id: 'ziekenhuis-vecht',
      name: 'Ziekenhuis Vecht',
      place: 'Maarssen',
      ura: '09999901',
      mailboxes: [{ id: 'ziekenhuis-vecht', name: 'Ziekenhuis Vecht, radiologie' }],
    },
    {
      id: 'umc-de-linde',
      name: 'UMC De Linde',
      place: 'Utrecht',
      ura: '09999902',
      mailboxes: [
        decentral('umc-de-linde.radiologie', 'UMC De Linde, radiologie', 'radiologie'),
        decentral('umc-de-linde.neurologie', 'UMC De Linde, neurologie', 'neurologie'),
      ],
    },
    {
      id: 'kliniek-duinzicht',
      name: 'Kliniek Duinzicht',
      place: 'Haarlem',
      kind: 'clinic',
      ura: '09999903',
      mailboxes: [{ id: 'kliniek-duinzicht', name: 'Kliniek Duinzicht' }],
    },
  ],
});

/** One line of DIR/demo/credentials.json. */
interface DemoCredential {
  readonly organization: string;
  readonly ura: string;
  readonly mailbox: string;
  readonly name: string;
  readonly token: string;
}

/** What a demo is configured with that nobody configured: it also runs on a laptop whose disk is nearly full. */
export const demoVariables = {
  SLUIS_STORAGE_WATERMARKS_BULK: '1',
  SLUIS_STORAGE_WATERMARKS_ROUTINE: '1',
  SLUIS_STORAGE_WATERMARKS_URGENT: '1',
  SLUIS_STORAGE_WATERMARKS_ACUTE: '1',
} as const;

/** Where the demo's sender and receiver are. */
export const demoRoute = { from: 'ziekenhuis-vecht', to: 'umc-de-linde.radiologie' } as const;

/**
 * Whether the demo has to be done: it is asked for and the data folder is empty, or it was begun there and did
 * not come to its end, because the start failed or was ended. A start that does not ask for it calls it off.
 */
export function demoIsDue(folder: string, isAsked: boolean): boolean {
  if (!isAsked) {
    demoIsDone(folder);
  } else if (readdirSync(folder).length === 0) {
    mkdirSync(join(folder, 'demo'), { mode: 0o700 });
    writeFileSync(unfinishedFile(folder), '');
  }
  return existsSync(unfinishedFile(folder));
}

export function demoIsDone(folder: string): void {
  rmSync(unfinishedFile(folder), { force: true });
}

function unfinishedFile(folder: string): string {
  return join(folder, 'demo', 'unfinished');
}

/** Makes the demo network of a data folder, with a key for each organization; a second time only the keys are new. */
export async function seedDemoNetwork(folder: string, state: State, addressBook: AddressBook): Promise<void> {
  mkdirSync(join(folder, 'demo'), { recursive: true, mode: 0o700 });
  await addressBook.seed(entries);
  const credentials: readonly DemoCredential[] = await state.commit((tx) =>
    entries.map(({ id, name, ura, mailboxes }) => ({
      organization: id,
      ura: ura ?? '',
      mailbox: mailboxes[0]?.id ?? '',
      name,
      token: createApiKey(tx, { organization: id, name: 'demo', days: demoKeyDays }),
    })),
  );
  writeSecret(join(folder, 'demo', 'credentials.json'), `${JSON.stringify(credentials, null, 2)}\n`);
  for (const { organization, token } of credentials) {
    writeSecret(demoTokenFile(folder, organization), `${token}\n`);
  }
}

export function demoTokenFile(folder: string, organization: string): string {
  return join(folder, 'demo', `${organization}.token`);
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

function decentral(id: string, name: string, specialty: string) {
  return { id, name, kind: 'decentral', specialty };
}
