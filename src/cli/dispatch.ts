import { ConfigInvalid } from '../ops/config-error.ts';
import { asError, Fatal, SluisError } from '../ops/error.ts';
import { nearest } from '../ops/nearest.ts';
import { programVersion } from '../ops/version.ts';
import { type CommandEntry, commands } from './commands.ts';
import { UsageError } from './errors.ts';
import type { Command } from './options.ts';
import { tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Exit codes, as README lists them; a Fatal brings its own. */
const FAILED = 1;
const MISUSED = 2;

/** Finds the command, runs it, and says what went wrong in words. Resolves with the exit code; never rejects. */
export async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const lines = overview();
    if (name === undefined) terminal.note(lines.join('\n'));
    else terminal.print(lines.join('\n'));
    return name === undefined ? MISUSED : 0;
  }
  if (name === '--version' || name === '-v') {
    terminal.print(programVersion());
    return 0;
  }
  const entry = commands.find((one) => one.name === name);
  if (entry === undefined) {
    terminal.complain(`sluis: there is no command ${JSON.stringify(name)}`);
    const meant = nearest(
      name,
      commands.map((one) => one.name),
    );
    const near = commands.find((one) => one.name === meant);
    terminal.note(
      near === undefined ? overview().join('\n') : `Did you mean: sluis ${near.name}   ${near.summary}`,
    );
    return MISUSED;
  }
  let command: Command | undefined;
  try {
    command = await entry.load();
    if (asksForHelp(rest)) {
      terminal.print(command.usage.trimEnd());
      return 0;
    }
    return await command.run(rest, terminal);
  } catch (thrown) {
    return complain(terminal, entry, command, asError(thrown));
  }
}

/** Only flags count: a file may be called --help behind '--'. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const flags = end < 0 ? args : args.slice(0, end);
  return flags.includes('--help') || flags.includes('-h');
}

function complain(
  terminal: Terminal,
  entry: CommandEntry,
  command: Command | undefined,
  error: Error,
): number {
  terminal.complain(`sluis ${entry.name}: ${error.message}`);
  if (error instanceof UsageError) {
    if (command !== undefined) terminal.note(command.usage.trimEnd());
    return MISUSED;
  }
  if (error instanceof ConfigInvalid) return MISUSED;
  if (error instanceof Fatal) return error.exitCode;
  if (!(error instanceof SluisError)) {
    // Not made on purpose: whoever repairs it needs to know where it came from.
    const place = error.stack?.split('\n').slice(1, 4).join('\n') ?? '';
    terminal.note(`This is a fault of the program. Please report it with these lines:\n${place}`);
  } else if (error.remedy === 'retry') {
    terminal.note('Run it again in a while.');
  }
  return FAILED;
}

function overview(): string[] {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary]);
  const [, ...lines] = tableLines(['', ''], rows);
  return [
    'sluis moves radiology studies between hospitals.',
    '',
    ...lines,
    '',
    'sluis COMMAND --help tells more. SLUIS_SERVER and SLUIS_TOKEN_FILE stand in for --server and --token-file.',
  ];
}
