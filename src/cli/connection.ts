import { ExchangeClient } from './client.ts';
import { UsageError } from './errors.ts';
import { GIVE_UP_SECONDS, GIVE_UP_SECONDS_MAX } from './limits.ts';
import { required, wholeNumber } from './options.ts';
import { readSecret } from './secret.ts';
import type { Terminal } from './terminal.ts';

/** The flags of every command that talks to an exchange. */
export const connectionOptions = {
  server: { type: 'string' },
  'token-file': { type: 'string' },
  'give-up-after': { type: 'string' },
} as const;

export const connectionUsage = `  --server URL             the exchange; else SLUIS_SERVER
  --token-file F           a file that holds the token, - for standard input; else SLUIS_TOKEN_FILE
  --give-up-after SECONDS  without progress for this long it ends (${GIVE_UP_SECONDS.toString()})`;

interface ConnectionFlags {
  readonly server?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly 'give-up-after'?: string | undefined;
}

/**
 * Makes the client that the flags describe; nothing is sent yet. Throws UsageError and InputRefused.
 */
export async function connect(terminal: Terminal, flags: ConnectionFlags): Promise<ExchangeClient> {
  const server = serverUrl(required(flags.server ?? terminal.env.SLUIS_SERVER, '--server'));
  const tokenFile = required(flags['token-file'] ?? terminal.env.SLUIS_TOKEN_FILE, '--token-file');
  const seconds = wholeNumber(
    flags['give-up-after'] ?? GIVE_UP_SECONDS.toString(),
    '--give-up-after',
    1,
    GIVE_UP_SECONDS_MAX,
  );
  const token = await readSecret(terminal, tokenFile, 'the token');
  if (server.protocol === 'http:' && !isLoopback(server.hostname)) {
    terminal.note(`warning: ${server.origin} is not encrypted; studies and the token can be read on the way`);
  }
  return new ExchangeClient(server, token, {
    giveUpMs: seconds * 1000,
    onPause: (sentence) => terminal.note(sentence),
  });
}

function serverUrl(text: string): URL {
  if (!URL.canParse(text)) throw new UsageError('--server takes an address such as https://exchange.example');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new UsageError('--server takes an address that begins with https:// or http://');
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      '--server takes an address without a name or password; the token comes from --token-file',
    );
  }
  return url;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/u.test(hostname);
}
