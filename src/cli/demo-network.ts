import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey } from '../access/api-keys.ts';
import { AddressBook, type AddressBookEntry } from '../addressbook/address-book.ts';
import { State } from '../state/state.ts';

const demoKeyDays = 90;

/** Invented organizations; URAs that nobody has. */
const entries: readonly AddressBookEntry[] = [
  {
    id: 'ziekenhuis-vecht',
    name: 'Ziekenhuis Vecht',
    place: 'Maarssen',
    kind: 'hospital',
    ura: '09999901',
    mailboxes: [central('ziekenhuis-vecht', 'Ziekenhuis Vecht, radiologie')],
  },
  {
    id: 'umc-de-linde',
    name: 'UMC De Linde',
    place: 'Utrecht',
    kind: 'hospital',
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
    mailboxes: [central('kliniek-duinzicht', 'Kliniek Duinzicht')],
  },
];

/** One line of DIR/demo/credentials.json. */
export interface DemoCredential {
  readonly organization: string;
  readonly ura: string;
  readonly mailbox: string;
  readonly name: string;
  readonly token: string;
}

/** Where the demo's sender and receiver are. */
export const demoRoute = { from: 'ziekenhuis-vecht', to: 'umc-de-linde.radiologie' } as const;

/** Whether a data folder has nothing in it yet, or is not there. */
export function isEmptyFolder(folder: string): boolean {
  return !existsSync(folder) || readdirSync(folder).length === 0;
}

/** Writes the demo network into an empty data folder, with a key for each organization. */
export async function seedDemoNetwork(folder: string): Promise<DemoCredential[]> {
  mkdirSync(join(folder, 'demo'), { recursive: true, mode: 0o700 });
  const state = await State.open(join(folder, 'state'));
  try {
    await new AddressBook(state).seed(entries);
    const credentials = await state.commit((tx) =>
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
    return credentials;
  } finally {
    await state.close();
  }
}

export function demoTokenFile(folder: string, organization: string): string {
  return join(folder, 'demo', `${organization}.token`);
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}

function central(id: string, name: string): AddressBookEntry['mailboxes'][number] {
  return { id, name, kind: 'central', specialty: null, receiving: { by: 'pull' }, dialect: 'nl-2010' };
}

function decentral(id: string, name: string, specialty: string): AddressBookEntry['mailboxes'][number] {
  return { ...central(id, name), kind: 'decentral', specialty };
}
