import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Runs one of scripts/ with this Node; its exit code and what it printed. */
function script(name: string, ...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, 'scripts', name), ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

function resultsFolder(...results: object[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluis-count-'));
  folders.push(folder);
  for (const [at, result] of results.entries()) {
    writeFileSync(join(folder, `${at.toString()}.json`), JSON.stringify(result));
  }
  return folder;
}

const result = (passed: number, failed: number, success = failed === 0) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: 0,
  numFailedTestSuites: success ? 0 : 1,
  success,
});

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      version: z.string().optional(),
      resolved: z.string().optional(),
      optionalDependencies: z.record(z.string(), z.string()).default({}),
    }),
  ),
});

describe('the tool chain', () => {
  it('counts the results of all stages on one last line', async () => {
    const { code, output } = await script('count.mjs', resultsFolder(result(3, 0), result(4, 0)));
    expect(code).toBe(0);
    expect(output.trimEnd().split('\n').at(-1)).toBe('7 passed, 0 failed');
  });

  it('counts a failed test, a file that did not load, and no test at all as failures', async () => {
    const failed = await script('count.mjs', resultsFolder(result(3, 1)));
    expect([failed.code, failed.output.trimEnd().split('\n').at(-1)]).toEqual([1, '3 passed, 1 failed']);
    const broken = await script('count.mjs', resultsFolder(result(3, 0, false)));
    expect([broken.code, broken.output.trimEnd().split('\n').at(-1)]).toEqual([1, '3 passed, 1 failed']);
    expect((await script('count.mjs', resultsFolder())).code).toBe(1);
  });

  it('has a lock file without download addresses, complete for every platform', () => {
    const { packages } = lockSchema.parse(JSON.parse(text('package-lock.json')));
    const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
    for (const [path, entry] of Object.entries(packages)) {
      expect(entry.resolved, path).toBeUndefined();
      expect(entry.version, path).toBeDefined();
      for (const name of Object.keys(entry.optionalDependencies)) {
        expect(names, `run: node scripts/lock.mjs, for ${name}`).toContain(name);
      }
    }
  });

  it('names exact versions only', () => {
    const manifest = z
      .object({
        dependencies: z.record(z.string(), z.string()),
        devDependencies: z.record(z.string(), z.string()),
      })
      .parse(JSON.parse(text('package.json')));
    for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(version).toMatch(/^(npm:[\w.-]+@)?\d+\.\d+\.\d+$/);
    }
  });

  it('holds only libraries with a licence of the list, and the listener binaries that were reviewed', async () => {
    expect(await script('licences.mjs', '--quiet')).toMatchObject({ code: 0 });
    expect(await script('check-uws.mjs')).toMatchObject({ code: 0 });
  });

  it('runs the image as another user than root, on a folder of its own, with a health check', () => {
    const [, last = ''] = /\nFROM node:22-bookworm-slim\n([\s\S]*)$/.exec(text('Dockerfile')) ?? [];
    for (const step of [
      'USER node',
      'VOLUME /data',
      'EXPOSE 8080 9090',
      'HEALTHCHECK ',
      'ENTRYPOINT ["node"',
    ]) {
      expect(last).toContain(`\n${step}`);
    }
  });

  it('starts with exec, so that a signal to npm reaches the server', () => {
    expect(text('package.json')).toContain('"start": "exec node scripts/start.mjs"');
  });
});
