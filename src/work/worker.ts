import { StorageFull, storageError } from '../storage/errors.ts';
import { Checksummer, Digester } from './digester.ts';
import { inflate } from './inflate.ts';
import { Inspector } from './inspector.ts';
import {
  type Failure,
  HEADS_TOO_LARGE,
  type Outcome,
  type PassKind,
  type Result,
  type Task,
} from './jobs.ts';
import { headBytesMax } from './limits.ts';
import { PieceReader, RangeMissing } from './piece-reader.ts';
import type { RenderJob, RenderResult } from './render-job.ts';
import { warmUp } from './warm-up.ts';

type Subject = Inspector | Digester | Checksummer;

/** The thread's own state: chains that are open here. It dies with the thread, as their hashes do. */
const chains = new Map<number, Subject>();
const reader = new PieceReader();

/**
 * The entry of a worker thread: does one task and answers, always. What only reads is synchronous: the
 * thread has nothing else to do, and a read from the page cache costs less than a promise.
 */
export default function work(task: Task): Outcome | Promise<Outcome> {
  if (task.do === 'inflate') return inflate(task.job).then((result) => done([result]), failed);
  if (task.do === 'render') return renderLater(task.job).then((result) => done([result]), failed);
  try {
    return perform(task);
  } catch (thrown) {
    return failed(thrown);
  } finally {
    reader.close();
  }
}

/** Fonts and pages cost a thread 100 ms to load, and most threads never need them. */
async function renderLater(job: RenderJob): Promise<RenderResult> {
  const { render } = await import('./render.ts');
  return render(job);
}

function perform(task: Exclude<Task, { do: 'inflate' | 'render' }>): Outcome {
  switch (task.do) {
    case 'warm':
      warmUp();
      return done([]);
    case 'batch':
      return done(
        task.batch.map(({ bytes, pieces }) => {
          const subject = begin(task.kind, bytes);
          reader.read(pieces, (chunk) => subject.feed(chunk));
          return subject.finish();
        }),
      );
    case 'open':
      chains.set(task.chain, begin(task.kind, task.bytes));
      return done([]);
    case 'feed': {
      const subject = chains.get(task.chain);
      if (subject === undefined) return { ok: false, failure: { of: 'chain' } };
      // Half a task fed twice would be a wrong hash: after a failure the chain is over.
      chains.delete(task.chain);
      reader.read(task.pieces, (chunk) => subject.feed(chunk));
      if (subject.headBytes > 0 && subject.headBytes + keptHeadBytes() > headBytesMax) {
        return { ok: false, failure: { of: 'job', cause: HEADS_TOO_LARGE } };
      }
      chains.set(task.chain, subject);
      return done([]);
    }
    case 'finish': {
      const subject = chains.get(task.chain);
      if (subject === undefined) return { ok: false, failure: { of: 'chain' } };
      chains.delete(task.chain);
      return done([subject.finish()]);
    }
    case 'drop':
      chains.delete(task.chain);
      return done([]);
  }
}

function begin(kind: PassKind, bytes: number): Subject {
  switch (kind) {
    case 'inspect':
      return new Inspector(bytes);
    case 'digest':
      return new Digester();
    case 'checksum':
      return new Checksummer();
  }
}

function keptHeadBytes(): number {
  let bytes = 0;
  for (const { headBytes } of chains.values()) bytes += headBytes;
  return bytes;
}

function done(results: readonly Result[]): Outcome {
  return { ok: true, results };
}

function failed(thrown: unknown): Outcome {
  return { ok: false, failure: failureOf(thrown) };
}

function failureOf(thrown: unknown): Failure {
  if (thrown instanceof RangeMissing) return { of: 'storage', path: thrown.path, asked: thrown.asked };
  if (!(thrown instanceof Error)) return { of: 'job', cause: typeof thrown };
  const cause = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : thrown.name;
  return { of: storageError(thrown) instanceof StorageFull ? 'disk-full' : 'job', cause };
}
