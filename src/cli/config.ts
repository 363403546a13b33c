import { ConfigInvalid } from '../ops/config-error.ts';
import { loadConfig } from '../ops/config-file.ts';
import { configExample, configTable } from '../ops/config-table.ts';
import { UsageError } from './errors.ts';
import { oneOf, parseOptions } from './options.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis config check|show|table|example [--config FILE]

Looks at the configuration that \`sluis serve\` would run with: SLUIS_* variables over the file over the defaults.

  check     says that it can be used, or prints every problem with its path and what was expected; exit 2
  show      prints the effective configuration as JSON (it never holds a secret, only paths of their files)
  table     prints every value with its variable, default and meaning, as a Markdown table
  example   prints a whole file to begin from

  --config FILE   the JSON file; without it only variables and defaults count
`;

const ACTIONS = ['check', 'show', 'table', 'example'] as const;

/** Exit codes: 0 usable, 2 not. */
export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values, positionals } = parseOptions({ config: { type: 'string' } }, args);
  const [action, ...rest] = positionals;
  if (action === undefined) throw new UsageError(`say which: ${ACTIONS.join(', ')}`);
  if (rest.length > 0) throw new UsageError(`config ${action} takes nothing after it but --config FILE`);
  switch (oneOf(action, 'config', ACTIONS)) {
    case 'table':
      terminal.print(configTable());
      return 0;
    case 'example':
      terminal.print(configExample().trimEnd());
      return 0;
    case 'show':
      return withConfig(values.config, terminal, (json) => json);
    case 'check':
      return withConfig(values.config, terminal, () => `${values.config ?? 'the configuration'} can be used`);
  }
}

function withConfig(file: string | undefined, terminal: Terminal, say: (json: string) => string): number {
  try {
    const { config } = loadConfig({ file, env: terminal.env });
    terminal.print(say(JSON.stringify(config, null, 2)));
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof ConfigInvalid)) throw thrown;
    terminal.complain(thrown.message);
    return 2;
  }
}
