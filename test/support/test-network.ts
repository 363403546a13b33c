import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram } from './processes.ts';

/** A mailbox of the network under test; it belongs to an organization of the same name. */
export interface TestMailbox {
  readonly id: string;
  readonly receiving: { readonly by: 'pull' } | { readonly by: 'stow'; readonly url: string };
  readonly dialect: 'nl-2010' | 'legacy-1000' | 'patientid-bsn' | 'none';
  readonly srAsPdf?: boolean;
  readonly excludeModalities?: readonly string[];
}

/** How full the disk of who runs the tests is does not matter, nor how small. */
const anyDisk = {
  storage: { watermarks: { bulk: 1, routine: 1, urgent: 1, acute: 1 } },
  upload: { inFlightShare: 1 },
};

type Settings = Readonly<Record<string, unknown>> & { readonly storage?: object; readonly upload?: object };

/** What an exchange under test runs on, below one folder: its configuration, its data, a key for each organization. */
export class TestNetwork {
  readonly dataFolder: string;
  readonly #folder: string;
  readonly #mailboxes: readonly TestMailbox[];

  /** Writes the configuration: `settings`, and the mailboxes as its address book. */
  constructor(folder: string, mailboxes: readonly TestMailbox[], settings: Settings) {
    this.dataFolder = join(folder, 'data');
    this.#folder = folder;
    this.#mailboxes = mailboxes;
    const organizations = mailboxes.map((mailbox) => ({
      id: mailbox.id,
      name: `Ziekenhuis ${mailbox.id}`,
      place: 'Teststad',
      mailboxes: [{ ...mailbox, name: `Radiologie ${mailbox.id}` }],
    }));
    const storage = { ...anyDisk.storage, ...settings.storage };
    const upload = { ...anyDisk.upload, ...settings.upload };
    writeFileSync(
      this.#configFile,
      JSON.stringify({ version: 1, ...settings, storage, upload, addressBook: { organizations } }),
    );
  }

  /** The arguments of a command that runs on the exchange's own machine. */
  get args(): string[] {
    return ['--data', this.dataFolder, '--config', this.#configFile];
  }

  /** Makes a key for each organization, as an operator does; the exchange has run once, or runs. */
  async makeKeys(): Promise<void> {
    for (const { id } of this.#mailboxes) {
      const key = await startProgram([
        'keys',
        'create',
        '--organization',
        id,
        '--name',
        'test',
        ...this.args,
      ]);
      await key.exited;
      writeFileSync(this.tokenFile(id), key.stdout.join('\n'), { mode: 0o600 });
    }
  }

  tokenFile(organization: string): string {
    return join(this.#folder, `${organization}.token`);
  }

  token(organization: string): string {
    return readFileSync(this.tokenFile(organization), 'utf8').trim();
  }

  get #configFile(): string {
    return join(this.#folder, 'config.json');
  }
}
