import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/config.ts';
import { UsageError } from '../../src/cli/errors.ts';
import { Terminal } from '../../src/cli/terminal.ts';
import { configExample, configTable } from '../../src/ops/config-table.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluis-config-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `sluis config …` with these variables; what it printed and complained, and its exit code. */
async function config(args: string[], env: Record<string, string> = {}) {
  const said = { out: '', err: '' };
  const screen = (to: 'out' | 'err') => ({
    write: (text: string) => {
      said[to] += text;
      return true;
    },
  });
  const nothing = (async function* (): AsyncGenerator<Uint8Array> {})();
  const code = await run(args, new Terminal(screen('out'), screen('err'), nothing, env));
  return { code, ...said };
}

describe('sluis config', () => {
  it('checks: says that it can be used, or every problem on standard error and exit code 2', async () => {
    expect(await config(['check'])).toEqual({ code: 0, out: 'the configuration can be used\n', err: '' });
    const file = join(folder, 'bad.json');
    writeFileSync(file, '{"version":1,"http":{"port":-1},"log":{"level":7}}');
    const checked = await config(['check', '--config', file]);
    expect([checked.code, checked.out]).toEqual([2, '']);
    expect(checked.err).toContain('the configuration has 2 problems:');
    expect(checked.err).toContain(`  http.port (${file}): expected number to be >=0`);
    expect(checked.err).toContain(`  log.level (${file}): expected one of`);
  });

  it('shows the effective configuration as JSON', async () => {
    const { code, out } = await config(['show'], { SLUIS_HTTP_PORT: '81' });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ version: 1, http: { port: 81, host: '127.0.0.1' } });
  });

  it('prints an example that it can check, and the table', async () => {
    const file = join(folder, 'example.json');
    const { out } = await config(['example']);
    writeFileSync(file, out);
    expect((await config(['check', '--config', file])).code).toBe(0);
    expect(out).toBe(configExample());
    expect((await config(['table'])).out).toBe(`${configTable()}\n`);
  });

  it('refuses what it does not know', async () => {
    await expect(config([])).rejects.toThrow(UsageError);
    await expect(config(['chek'])).rejects.toThrow('config is one of check, show, table, example');
    await expect(config(['show', 'more'])).rejects.toThrow(UsageError);
    await expect(config(['show', '--file', 'x'])).rejects.toThrow(UsageError);
  });
});
