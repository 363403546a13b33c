import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from './child.ts';
import { goPeer } from './go-peers.ts';
import { freePorts } from './ports.ts';
import { openTempFolder } from './temp-folder.ts';

const READY_MS = 20_000;
const POLL_MS = 50;

/** Where a bucket is, as storage/s3.ts wants it. */
export interface S3Place {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** An S3 server of somebody else's making, with an empty bucket. Its folder is gone after `stop`. */
export interface S3Server extends S3Place {
  /** Where the objects of the bucket lie as files, by their keys. */
  readonly objects: string;
  /** Ends it at once, as a power cut would; `start` begins it again on the same port with the same objects. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** versitygw on a folder of its own, on a free port of this machine. */
export async function startS3Server(): Promise<S3Server> {
  const path = goPeer('versitygw');
  const folder = await openTempFolder('s3');
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no free port');
  const bucket = 'studies';
  // Beside the objects, because not every file system of a test machine has extended attributes.
  await mkdir(folder.file('objects', bucket), { recursive: true });
  await mkdir(folder.file('about'));
  const address = `127.0.0.1:${port.toString()}`;
  const key = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-of-this-run' };
  const args = ['--port', address, '--health', '/health', '--quiet', 'posix'];
  const env = { ...process.env, ROOT_ACCESS_KEY: key.accessKeyId, ROOT_SECRET_KEY: key.secretAccessKey };
  const endpoint = `http://${address}`;
  let child: Child | undefined;
  const start = async (): Promise<void> => {
    const options = { cwd: folder.path, env };
    child = await startChild(
      path,
      [...args, '--sidecar', folder.file('about'), folder.file('objects')],
      options,
    );
    await ready(child, `${endpoint}/health`);
  };
  const kill = async (): Promise<void> => {
    child?.kill('SIGKILL');
    await child?.exited;
  };
  const stop = async (): Promise<void> => {
    await child?.stop();
    await folder.remove();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoint,
    region: 'us-east-1',
    bucket,
    ...key,
    objects: folder.file('objects', bucket),
    kill,
    start,
    stop,
  };
}

async function ready(child: Child, url: string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (child.running && performance.now() < deadline) {
    try {
      if ((await fetch(url)).ok) return;
    } catch {
      // Not yet.
    }
    await sleep(POLL_MS);
  }
  throw new Error(`versitygw did not become ready\n${child.stderr.slice(-20).join('\n')}`);
}
