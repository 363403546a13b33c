import { Terminal } from '../../src/cli/terminal.ts';

export interface WatchedTerminal {
  readonly terminal: Terminal;
  readonly out: () => string;
  readonly err: () => string;
}

/** A terminal whose two streams can be read afterwards. */
export function watchedTerminal(
  options: { env?: Record<string, string>; input?: string; isTTY?: boolean; outIsTTY?: boolean } = {},
): WatchedTerminal {
  const [out, err]: [string[], string[]] = [[], []];
  const screen = (lines: string[], isTTY: boolean) => ({
    isTTY,
    columns: 80,
    write(text: string) {
      lines.push(text);
      return true;
    },
  });
  async function* input() {
    yield Buffer.from(options.input ?? '');
  }
  return {
    terminal: new Terminal(
      screen(out, options.outIsTTY ?? false),
      screen(err, options.isTTY ?? false),
      input(),
      options.env ?? {},
    ),
    out: () => out.join(''),
    err: () => err.join(''),
  };
}
