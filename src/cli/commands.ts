import { existsSync } from 'node:fs';
import type { Command } from './options.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loaded when it is asked for: `sluis inspect` needs no listener and no database. */
  readonly load: () => Promise<Command>;
}

/** A production image is without what makes studies and breaks lines. */
const hasDemoCut = existsSync(new URL('../../test/support/', import.meta.url));

/** Every command. A new one is a file and a line here. */
export const commands: readonly CommandEntry[] = [
  { name: 'serve', summary: 'runs the exchange', load: () => import('./serve.ts') },
  {
    name: 'send',
    summary: 'sends studies to a mailbox; goes on where it stopped',
    load: () => import('./send.ts'),
  },
  { name: 'receive', summary: 'fetches what is in a mailbox', load: () => import('./receive.ts') },
  { name: 'transfers', summary: 'shows where transfers are', load: () => import('./transfers.ts') },
  {
    name: 'inspect',
    summary: 'says what files are, without sending them',
    load: () => import('./inspect.ts'),
  },
  { name: 'tag', summary: 'writes copies that hold the BSN', load: () => import('./tag.ts') },
  {
    name: 'bsn-report',
    summary: 'says where the BSN stands in an archive, and where not',
    load: () => import('./bsn-report.ts'),
  },
  { name: 'keys', summary: 'makes API keys of an exchange', load: () => import('./keys.ts') },
  {
    name: 'config',
    summary: 'checks and shows the configuration of an exchange',
    load: () => import('./config.ts'),
  },
  ...(hasDemoCut
    ? [
        {
          name: 'demo-cut',
          summary: 'sends 1 GB across a demo network while everything breaks',
          load: () => import('./demo-cut.ts'),
        },
      ]
    : []),
];
