/** The part of a stream that a terminal needs; process.stdout and process.stderr have it. */
export interface Screen {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const RED = '\u001b[31m';
const PLAIN = '\u001b[39m';
const WIPE = '\r\u001b[2K';
const COLUMNS = 80;

/**
 * What a command says and hears: results on standard output, all else on standard error, so that a
 * pipe gets results only. Keeps at most one status line, below everything that was said.
 */
export class Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True when a status line can be rewritten. */
  readonly interactive: boolean;
  readonly #out: Screen;
  readonly #err: Screen;
  readonly #input: AsyncIterable<Uint8Array>;
  #status = '';

  constructor(
    out: Screen,
    err: Screen,
    input: AsyncIterable<Uint8Array>,
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.#out = out;
    this.#err = err;
    this.#input = input;
    this.env = env;
    this.interactive = err.isTTY === true && env.TERM !== 'dumb';
  }

  /** Standard input, for secrets given as '-'. */
  input(): AsyncIterable<Uint8Array> {
    return this.#input;
  }

  /** A line of the result. On a screen without what would move its cursor, into a pipe or file as it is. */
  print(line: string): void {
    this.#above(() => this.#out.write(`${this.#out.isTTY === true ? harmless(line) : line}\n`));
  }

  /** A line for the person who watches. */
  note(line: string): void {
    this.#say(harmless(line));
  }

  /** A line that says what went wrong; red where colours are wanted (no-color.org). */
  complain(line: string): void {
    const coloured = this.interactive && !this.env.NO_COLOR;
    this.#say(coloured ? `${RED}${harmless(line)}${PLAIN}` : harmless(line));
  }

  #say(line: string): void {
    this.#above(() => this.#err.write(`${line}\n`));
  }

  /** Replaces the status line, cut to the terminal's width; '' takes it away. Only when interactive. */
  status(text: string): void {
    if (!this.interactive || text === this.#status) return;
    this.#status = text.slice(0, (this.#err.columns ?? COLUMNS) - 1);
    this.#err.write(`${WIPE}${this.#status}`);
  }

  #above(say: () => void): void {
    if (this.#status !== '') this.#err.write(WIPE);
    say();
    if (this.#status !== '') this.#err.write(this.#status);
  }
}

/** Of a text that holds the name of a file: a disc from anywhere may have one that recolours, or rewrites, the screen. */
function harmless(text: string): string {
  return text.replace(/(?![\n\t]|\r$)[\p{Cc}\p{Cf}]/gu, '\ufffd');
}

export const processTerminal = new Terminal(process.stdout, process.stderr, process.stdin, process.env);
