import type { UploadSettings } from '../../src/upload/limits.ts';
import { startChild } from '../../test/support/child.ts';
import { goPeer } from '../../test/support/go-peers.ts';
import { freePorts } from '../../test/support/ports.ts';
import { type Helper, startHelper } from '../lib/helper.ts';
import type { SluisOptions } from './servers/sluis.ts';
import type { Target } from './target.ts';

/** A server under test, in a process of its own. */
export interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly target: Target;
  /** What a server of ours or of Node is asked beside HTTP. */
  readonly helper: Helper | undefined;
  stop(): Promise<void>;
}

const programs = {
  sluis: new URL('./servers/sluis.js', import.meta.url),
  tusNode: new URL('./servers/tus-node.js', import.meta.url),
  discard: new URL('./servers/discard.js', import.meta.url),
};

/** As bin/sluis.cjs has it; what others start with is theirs. */
const OUR_ENV = { UV_THREADPOOL_SIZE: '16', UWS_HTTP_MAX_HEADERS_SIZE: '16384' };

interface SluisAs extends Partial<Omit<SluisOptions, 'folder' | 'settings'>> {
  readonly name?: string;
}

/** The exchange's uploads on a data folder. */
export function startSluis(
  folder: string,
  settings: Partial<UploadSettings> = {},
  { name = 'sluis', known = 0, s3 = null }: SluisAs = {},
): Promise<Subject> {
  const options: SluisOptions = { folder, settings, known, s3 };
  return startServer(programs.sluis, name, options, OUR_ENV);
}

export function startTusNode(folder: string): Promise<Subject> {
  return startServer(programs.tusNode, '@tus/server', { folder });
}

/** Takes bodies and throws them away: what this listener, this sender and this machine can do at most. */
export function startDiscard(): Promise<Subject> {
  return startServer(programs.discard, 'uWS discard', {});
}

/** Rejects, with what to run, when it is not installed. */
export async function startTusd(folder: string): Promise<Subject> {
  const [port = 0] = await freePorts(1);
  const args = [
    '-host',
    '127.0.0.1',
    '-port',
    port.toString(),
    '-upload-dir',
    folder,
    '-show-greeting=false',
  ];
  const child = await startChild(goPeer('tusd'), args, {});
  await child.waitFor(/You can now upload files to/);
  return {
    name: 'tusd',
    pid: child.pid,
    target: { port, base: '/files/', token: 'none' },
    helper: undefined,
    stop: async () => {
      await child.stop();
    },
  };
}

async function startServer(
  program: URL,
  name: string,
  how: unknown,
  env: Readonly<Record<string, string>> = {},
): Promise<Subject> {
  const helper = startHelper(program, env);
  const target = await helper.ask<Target>('start', how);
  return { name, pid: helper.pid, target, helper, stop: () => helper.stop() };
}
