import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../support/ports.ts';
import { type Program, projectRoot, startProgram } from '../support/processes.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

describe('the program on a fresh machine', () => {
  let folder: TempFolder;
  let ports: readonly [number, number];
  const running: Program[] = [];

  beforeEach(async () => {
    folder = await openTempFolder('sluis-smoke');
    const [port = 0, opsPort = 0] = await freePorts(2);
    ports = [port, opsPort];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((program) => program.stop()));
    await folder.remove();
  });

  const start = async (...flags: string[]): Promise<Program> => {
    const program = await startProgram([
      ...['serve', '--data', folder.file('the data'), '--port', ports[0].toString()],
      ...['--ops-port', ports[1].toString(), ...flags],
    ]);
    running.push(program);
    return program;
  };
  const opsUrl = (path: string): string => `http://127.0.0.1:${ports[1].toString()}${path}`;
  const url = (path: string): string => `http://127.0.0.1:${ports[0].toString()}${path}`;

  it('makes a demo network, sends a study across, says what to try next, and ends on SIGTERM', async () => {
    const program = await start('--demo');
    await program.waitFor(/Ctrl-C stops it/);
    const said = program.stdout.join('\n');
    expect(said).toContain(url(''));
    expect(said).toMatch(/A demo study went from Ziekenhuis Vecht to UMC De Linde/);
    const received = readdirSync(folder.file('the data', 'demo', 'received'), { recursive: true });
    expect(received.filter((name) => name.toString().endsWith('.dcm'))).toHaveLength(24);

    const credentials = folder.file('the data', 'demo', 'credentials.json');
    expect(statSync(credentials).mode & 0o077).toBe(0);
    const entries = JSON.parse(readFileSync(credentials, 'utf8')) as Record<string, string>[];
    expect(entries).toHaveLength(3);
    expect(Object.keys(entries[0] ?? {}).sort()).toEqual(['mailbox', 'name', 'organization', 'token', 'ura']);
    program.kill('SIGTERM');
    expect(await program.exited).toMatchObject({ code: 0 });
  });

  it('says three commands that work as they are printed, one after the other', async () => {
    const program = await start('--demo');
    await program.waitFor(/Ctrl-C stops it/);
    const commands = program.stdout.filter((line) => /^ {2}(curl|node) /.test(line));
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` };
    const said: string[] = [];
    for (const command of commands) {
      const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: projectRoot(), env });
      said.push(stdout);
    }
    expect(said).toHaveLength(3);
    expect(JSON.parse(said[0] ?? '')).toMatchObject({ items: [{ from: 'ziekenhuis-vecht', instances: 24 }] });
    expect(said[1]).toMatch(/complete and checked.*24 instances/);
    expect(said[2]).toMatch(/received transfer .*24 instances/);
    expect(said[2]).toContain(folder.file('the data', 'demo', 'received'));
  });

  it('does the demo at the next start when the first found its port taken', async () => {
    const other = await startProgram([
      ...['serve', '--data', folder.file('other'), '--port', ports[0].toString(), '--ops-port', '0'],
    ]);
    running.push(other);
    await other.waitFor(/Ctrl-C stops it/);
    expect(await (await start('--demo')).exited).toMatchObject({ code: 3 });
    await other.stop();
    const second = await start('--demo');
    await second.waitFor(/A demo study went from/);
  });

  it('ends at once when it is told to during the demo, and does the demo at the next start', async () => {
    const first = await start('--demo');
    await first.waitFor(/ serves /);
    first.kill('SIGTERM');
    expect(await first.exited).toMatchObject({ code: 0 });
    expect(first.stdout.join('\n')).not.toMatch(/demo study/);
    const second = await start('--demo');
    await second.waitFor(/A demo study went from/);
  });

  it('seeds nothing the second time', async () => {
    const first = await start('--demo');
    await first.waitFor(/Ctrl-C stops it/);
    const credentials = readFileSync(folder.file('the data', 'demo', 'credentials.json'), 'utf8');
    await first.stop();
    const second = await start('--demo');
    await second.waitFor(/Ctrl-C stops it/);
    expect(second.stdout.join('\n')).not.toMatch(/demo study/);
    expect(readFileSync(folder.file('the data', 'demo', 'credentials.json'), 'utf8')).toBe(credentials);
  });

  it('makes no demo network without being asked to', async () => {
    const program = await start();
    await program.waitFor(/Ctrl-C stops it/);
    expect(existsSync(folder.file('the data', 'demo'))).toBe(false);
  });

  it('names who has a port and the flag that chooses another', async () => {
    const first = await start();
    await first.waitFor(/Ctrl-C stops it/);
    const [freeOps = 0] = await freePorts(1);
    const flags = ['--data', folder.file('other'), '--port', ports[0].toString()];
    const second = await startProgram(['serve', ...flags, '--ops-port', freeOps.toString()]);
    expect(await second.exited).toMatchObject({ code: 3 });
    expect(second.stderr.join('\n')).toMatch(
      /port \d+ of 127\.0\.0\.1 is taken by \S+ \(process \d+\).*--port/,
    );
  });

  it('ends with 3 and the flag when a port cannot be had and nobody can be named', async () => {
    // TEST-NET-1 (RFC 5737): of no machine.
    const program = await startProgram(['serve', '--data', folder.file('other'), '--ops-port', '0'], {
      env: { SLUIS_HTTP_HOST: '192.0.2.1' },
    });
    expect(await program.exited).toMatchObject({ code: 3 });
    expect(program.stderr.join('\n')).toMatch(/cannot listen on 192\.0\.2\.1.*--port N/);
  });

  it('keeps a second exchange off its data folder', async () => {
    const first = await start();
    await first.waitFor(/Ctrl-C stops it/);
    const second = await startProgram([
      'serve',
      '--data',
      folder.file('the data'),
      '--port',
      '0',
      '--ops-port',
      '0',
    ]);
    expect(await second.exited).toMatchObject({ code: 5 });
    expect(second.stderr.join('\n')).toMatch(/another exchange runs on the data folder/);
  });

  it('answers health, metrics, a page in the reader’s language, and the API’s description', async () => {
    const program = await start();
    await program.waitFor(/Ctrl-C stops it/);
    expect((await fetch(opsUrl('/healthz'))).status).toBe(200);
    expect(await (await fetch(opsUrl('/readyz'))).json()).toMatchObject({ ready: true });
    expect(await (await fetch(opsUrl('/metrics'))).text()).toMatch(/^sluis_build_info\{/m);
    const page = async (language: string): Promise<string> =>
      (await fetch(url('/'), { headers: { 'accept-language': language } })).text();
    expect(await page('nl')).toMatch(/^<!doctype html>\s*<html lang="nl"/i);
    expect(await page('en')).toMatch(/^<!doctype html>\s*<html lang="en"/i);
    const openapi = (await (await fetch(url('/openapi.json'))).json()) as { paths: Record<string, unknown> };
    expect(Object.keys(openapi.paths)).toContain('/v1/transfers/{id}/manifest');
    expect((await fetch(url('/v1/transfers'))).status).toBe(401);
  });
});
