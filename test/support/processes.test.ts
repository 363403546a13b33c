import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Child, startChild } from './child.ts';
import { memoryBytes, watchMemory } from './memory.ts';
import { freePorts } from './ports.ts';
import { projectRoot, startProgram } from './processes.ts';
import { openTempFolder } from './temp-folder.ts';

const node = (script: string): Promise<Child> => startChild(process.execPath, ['-e', script], {});

describe('a child process', () => {
  it('gives its lines of both streams, those of before and those to come', async () => {
    const child = await node(`setInterval(() => {}, 1000);
      process.on('SIGTERM', () => { console.log('last 42'); process.exit(3); });
      console.log('first 41'); console.error('loud');`);
    expect((await child.waitFor(/first (\d+)/))[1]).toBe('41');
    expect((await child.waitFor(/loud/))[0]).toBe('loud');
    const last = child.waitFor(/last (\d+)/);
    expect(await child.stop()).toEqual({ code: 3, signal: null });
    expect((await last)[1]).toBe('42');
    expect((await child.waitFor(/first/))[0]).toBe('first');
    expect(child.stdout).toEqual(['first 41', 'last 42']);
  });

  it('rejects a wait, with what was printed, when the process ends or the time is over', async () => {
    const child = await node(`console.error('cannot listen')`);
    await expect(child.waitFor(/ready/)).rejects.toThrow(
      /the process ended before it printed .*\n.*cannot listen/,
    );
    await expect(child.waitFor(/ready/)).rejects.toThrow(/the process ended/);
    const silent = await node('setInterval(() => {}, 1000)');
    await expect(silent.waitFor(/ready/, 20)).rejects.toThrow(/20 ms went by/);
    await silent.stop();
  });

  it('is gone after kill, and killed by stop when it does not listen', async () => {
    const one = await node('setInterval(() => {}, 1000)');
    one.kill('SIGKILL');
    expect(await one.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(one.running).toBe(false);
    expect(await one.stop()).toEqual({ code: null, signal: 'SIGKILL' });
    const deaf = await node(
      `process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)`,
    );
    await deaf.waitFor(/deaf/);
    expect(await deaf.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('rejects when there is no such program', async () => {
    await expect(startChild('/no/such/program', [], {})).rejects.toThrow(/ENOENT/);
  });
});

describe('the memory of a process', () => {
  it('counts what it allocates, keeps the peak, and is 0 when it has ended', async () => {
    const child = await node(`setInterval(() => {}, 1000);
      process.on('SIGUSR2', () => { globalThis.kept = Buffer.alloc(100e6, 1); console.log('full'); });
      console.log('idle');`);
    await child.waitFor(/idle/);
    const watch = watchMemory(child.pid);
    const idle = watch.peakBytes;
    expect(idle).toBeGreaterThan(0);
    child.kill('SIGUSR2');
    await child.waitFor(/full/);
    expect(watch.peakBytes - idle).toBeGreaterThan(95e6);
    expect(watch.peakBytes - idle).toBeLessThan(130e6);
    await child.stop();
    expect(watch.peakBytes).toBeGreaterThan(95e6);
    watch.stop();
    watch.reset();
    expect(memoryBytes(child.pid)).toBe(0);
    expect(watch.peakBytes).toBe(0);
  });
});

describe('the small things', () => {
  it('finds ports on which nobody listens, all different', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) {
      const refused = await new Promise((resolve) =>
        connect(port, '127.0.0.1')
          .on('error', resolve)
          .on('connect', () => resolve('somebody listens')),
      );
      expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
    }
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports[0], '127.0.0.1', resolve));
    server.close();
  });

  it('makes a folder of its own and takes it away with all that is in it, twice if need be', async () => {
    const [one, other] = [await openTempFolder(), await openTempFolder()];
    expect(one.path).not.toBe(other.path);
    await writeFile(one.file('x'), 'x');
    await one.remove();
    await one.remove();
    expect(existsSync(one.path)).toBe(false);
    await other.remove();
  });

  it('finds the root of the repository', async () => {
    const manifest: unknown = JSON.parse(await readFile(join(projectRoot(), 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ name: 'sluis' });
  });

  it('starts the program with node, and has its output and exit', async () => {
    const program = await startProgram(['no-such-command'], { env: { SLUIS_LOG_LEVEL: 'silent' } });
    expect(program.peakMemoryBytes).toBeGreaterThan(0);
    expect((await program.exited).code).not.toBe(0);
    expect(program.running).toBe(false);
  });
});
