import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, Deviation, NotOffered } from './check.ts';
import { checks } from './checks/index.ts';
import { NoAnswer } from './client.ts';
import { type Offer, Subject, type SubjectOptions } from './subject.ts';

/** `warn` is a SHOULD or a MAY, `note` an EXTRA, that the server does otherwise. */
export type Outcome = 'pass' | 'fail' | 'warn' | 'note' | 'not-offered';

export interface Result extends Pick<Check, 'id' | 'section' | 'level' | 'says'> {
  readonly outcome: Outcome;
  /** What was seen, when it did not pass. */
  readonly seen?: string;
  readonly ms: number;
}

export interface Report {
  readonly url: string;
  readonly versions: readonly string[];
  readonly extensions: readonly string[];
  readonly algorithms: readonly string[];
  readonly maxSize: string | null;
  readonly results: readonly Result[];
}

export interface SuiteOptions extends SubjectOptions {
  readonly isWanted?: (id: string) => boolean;
  readonly onResult?: (result: Result, done: number, all: number) => void;
}

/** The server cannot be tested at all: not there, not tus, or it lets nobody create an upload. */
export class Unusable extends Error {
  override readonly name = 'Unusable';
}

/** One check takes this many answers' time at most; one that hangs all the same is a fault of this runner or of the server. */
const ANSWERS_MAX = 8;
/** For a server that died to be there again. */
const RESTART_MS = 5000;

const deviating = { MUST: 'fail', SHOULD: 'warn', MAY: 'warn', EXTRA: 'note' } as const;

/** Looks at all that a tus server should do. */
export async function conformance(options: SuiteOptions): Promise<Report> {
  const { isWanted = () => true, onResult = () => undefined } = options;
  const server = new Subject(options);
  const offer = await begin(server);
  const wanted = checks.filter(({ id }) => isWanted(id));
  const results: Result[] = [];
  let goneSince: string | undefined;
  for (const check of wanted) {
    const result = await resultOf(check, server, goneSince);
    if (goneSince === undefined) await server.clean();
    if (goneSince === undefined && !(await isThere(server))) goneSince = check.id;
    results.push(result);
    onResult(result, results.length, wanted.length);
  }
  return {
    url: options.url.href,
    versions: offer.versions,
    extensions: [...offer.extensions],
    algorithms: offer.algorithms,
    maxSize: offer.maxSize?.toString() ?? null,
    results,
  };
}

async function begin(server: Subject): Promise<Offer> {
  const { url } = server;
  try {
    const offer = await server.discover();
    if (!offer.extensions.has('creation')) return offer;
    const created = await server.post({ 'Upload-Length': '1' });
    if (created.status === 201) return offer;
    const hint =
      created.status === 401 || created.status === 403
        ? ': --token-file or --header says who asks'
        : created.status === 400 || created.status === 422
          ? ': perhaps it needs --metadata'
          : created.status === 404 || created.status === 405
            ? ': --url is the URL at which uploads are created'
            : '';
    throw new Unusable(
      `${url.href} lets nobody create an upload, POST answered ${String(created.status)}${hint}\n${created.body
        .toString('utf8', 0, 300)
        .trim()}`,
    );
  } catch (error) {
    if (error instanceof NoAnswer) throw new Unusable(`${url.href}: ${error.message}`);
    throw error;
  }
}

/** Whether it still takes connections, or does so again in a while: some servers die of a check, and are started again. */
async function isThere(server: Subject): Promise<boolean> {
  const deadline = performance.now() + RESTART_MS;
  for (;;) {
    try {
      await server.options();
      return true;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (performance.now() > deadline) return false;
      await sleep(100);
    }
  }
}

async function resultOf(check: Check, server: Subject, goneSince: string | undefined): Promise<Result> {
  const { id, section, level, says } = check;
  const startedAt = performance.now();
  const [outcome, seen] =
    goneSince === undefined
      ? await outcomeOf(check, server)
      : ([deviating[level], `the server is gone since ${goneSince}`] as const);
  const ms = Math.round(performance.now() - startedAt);
  return { id, section, level, says, outcome, ...(seen === undefined ? {} : { seen }), ms };
}

async function outcomeOf(check: Check, server: Subject): Promise<[Outcome, string?]> {
  const missing = check.needs.find((extension) => !server.offers(extension));
  if (missing !== undefined) return ['not-offered', `no ${missing}`];
  const limitMs = server.client.waitMs * ANSWERS_MAX;
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Deviation(`not over within ${String(limitMs / 1000)} s`)), limitMs);
  });
  try {
    await Promise.race([check.run(server), hung]);
    return ['pass'];
  } catch (error) {
    if (error instanceof NotOffered) return ['not-offered', error.message];
    if (!(error instanceof Deviation || error instanceof NoAnswer)) throw error;
    return [deviating[check.level], error.message];
  } finally {
    clearTimeout(timer);
  }
}
