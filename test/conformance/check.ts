import type { Answer } from './answer.ts';
import type { Subject } from './subject.ts';

/** As RFC 2119 has it; EXTRA is about robustness, where tus 1.0.0 has no sentence. */
export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'EXTRA';

/** The sections of the protocol's document, in its order. */
export const sections = [
  'core',
  'options',
  'creation',
  'creation-defer-length',
  'creation-with-upload',
  'expiration',
  'checksum',
  'termination',
  'concatenation',
] as const;
export type Section = (typeof sections)[number];

export interface Check {
  /** `core/patch-offset-behind-409`. */
  readonly id: string;
  readonly section: Section;
  readonly level: Level;
  /** The sentence of tus 1.0.0 that is looked at; of an EXTRA, what is expected. */
  readonly says: string;
  /** Extensions without which there is nothing to look at. */
  readonly needs: readonly string[];
  /** Throws a Deviation, or NotOffered. */
  run(server: Subject): Promise<void>;
}

type Written = Omit<Check, 'id' | 'section' | 'needs'> & { readonly needs?: readonly string[] };

/** The checks of a section, by name; `needs` is for those that name none themselves. */
export function checksOf(
  section: Section,
  needs: readonly string[],
  checks: Readonly<Record<string, Written>>,
): readonly Check[] {
  return Object.entries(checks).map(([name, check]) => ({
    needs,
    ...check,
    section,
    id: `${section}/${name}`,
  }));
}

interface Unnamed extends Pick<Check, 'says'>, Pick<Written, 'needs'> {
  /** What is asked, in the words of the report. */
  readonly asked: string;
  /** Who does not name the extension, and yet answers that, has it. */
  readonly status: number;
  readonly ask: (server: Subject) => Promise<Answer>;
}

/** The check that a server names an extension which it has. */
export function advertised(extension: string, { asked, status, ask, ...written }: Unnamed): Written {
  return {
    ...written,
    level: 'MUST',
    run: async (server) => {
      if (server.offers(extension)) return;
      const answer = await ask(server);
      const seen = `${asked} answered ${String(answer.status)}`;
      if (answer.status === status) deviates(`${seen}, though OPTIONS does not name ${extension}`);
      throw new NotOffered(seen);
    },
  };
}

/** The server did something else than the sentence says. */
export class Deviation extends Error {
  override readonly name = 'Deviation';
}

/** The server does not have what the sentence is about, and says so. */
export class NotOffered extends Error {
  override readonly name = 'NotOffered';
}

export function deviates(what: string): never {
  throw new Deviation(what);
}

/** A byte count in a header field. */
export const aNumber = /^\d+$/;

/** Elements of a comma-separated list. */
export const listOf = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
