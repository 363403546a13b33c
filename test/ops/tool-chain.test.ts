import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Runs a program; its exit code and what it printed. */
function ran(file: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

/** Runs one of scripts/ with this Node. */
const script = (name: string, ...args: string[]) =>
  ran(process.execPath, [join(root, 'scripts', name), ...args]);

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluis-tools-'));
  folders.push(folder);
  return folder;
}

function resultsFolder(...results: object[]): string {
  const folder = newFolder();
  for (const [at, result] of results.entries()) {
    writeFileSync(join(folder, `${at.toString()}.json`), JSON.stringify(result));
  }
  return folder;
}

/** A project of these files, with our own files at `copied` beside them. */
function projectOf(files: Readonly<Record<string, string>>, copied: readonly string[]): string {
  const folder = newFolder();
  for (const path of copied) cpSync(join(root, path), join(folder, path), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

const lastLine = (output: string) => output.trimEnd().split('\n').at(-1);

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
    expect(lastLine(output)).toBe('7 passed, 0 failed');
  });

  it('counts a failed test, a file that did not load, and no test at all as failures', async () => {
    const failed = await script('count.mjs', resultsFolder(result(3, 1)));
    expect([failed.code, lastLine(failed.output)]).toEqual([1, '3 passed, 1 failed']);
    const broken = await script('count.mjs', resultsFolder(result(3, 0, false)));
    expect([broken.code, lastLine(broken.output)]).toEqual([1, '3 passed, 1 failed']);
    expect((await script('count.mjs', resultsFolder())).code).toBe(1);
  });

  it('ends CI with the count alone on the last line, and its exit code, when a stage fails', async () => {
    const failed = JSON.stringify(result(3, 1));
    const npm = `#!/bin/sh
case "$*" in
  start*) trap 'kill $!; exit 0' TERM; echo 'A demo study went across'; sleep 30 & echo 'Ctrl-C stops it.'; wait ;;
  *verify*) echo '${failed}' >"$TEST_RESULTS/unit.json"; exit 7 ;;
esac
`;
    const project = projectOf(
      { 'stubs/npm': npm, 'stubs/dpkg-query': '#!/bin/sh\necho installed\n', 'tmp/kept': '' },
      ['.ci', 'scripts'],
    );
    for (const stub of ['npm', 'dpkg-query']) chmodSync(join(project, 'stubs', stub), 0o755);
    const env = {
      ...process.env,
      PATH: [join(project, 'stubs'), dirname(process.execPath), process.env.PATH].join(delimiter),
      TMPDIR: join(project, 'tmp'),
      XDG_CACHE_HOME: join(project, 'cache'),
    };
    const { code, output } = await ran('bash', [join(project, '.ci', 'run')], { env });
    expect([code, lastLine(output)]).toEqual([7, '3 passed, 1 failed']);
    expect(readdirSync(join(project, 'tmp'))).toEqual(['kept']);
  });

  it('builds nothing the second time', async () => {
    const lock = '{}';
    const project = projectOf(
      {
        'package.json': '{"type":"module"}',
        'package-lock.json': lock,
        'node_modules/.sluis-installed': createHash('sha256').update(lock).digest('hex'),
        'src/program.ts': 'export const answer: number = 42;\n',
        'test/support/program.test.ts': 'export const question: number = 6;\n',
      },
      ['scripts/ready.mjs', 'scripts/command.mjs', 'tsconfig.json', 'tsconfig.build.json'],
    );
    for (const library of ['typescript', '@types']) {
      symlinkSync(join(root, 'node_modules', library), join(project, 'node_modules', library));
    }
    const build = () => ran(process.execPath, [join(project, 'scripts', 'ready.mjs')]);
    expect(await build()).toEqual({ code: 0, output: 'Building …\n' });
    expect(await build()).toEqual({ code: 0, output: '' });
  });

  it('waits until an image is ready, not only healthy', async () => {
    // Ends well only when it has said once that it is ready.
    const server = `
      let asked = 0;
      const answer = (request, response) => {
        if (request.url === '/readyz') asked += 1;
        response.writeHead(asked < 3 ? 503 : 200).end();
      };
      require('node:http').createServer(answer).listen(process.env.SLUIS_OPS_PORT, '127.0.0.1');
      process.on('SIGTERM', () => process.exit(asked < 3 ? 1 : 0));
    `;
    const probe =
      "fetch('http://127.0.0.1:' + process.env.SLUIS_OPS_PORT).then(() => process.exit(0), () => process.exit(1))";
    const dockerfile = [
      'FROM any',
      'WORKDIR /app',
      'COPY server.cjs server.cjs',
      `HEALTHCHECK CMD ${JSON.stringify(['node', '-e', probe])}`,
      'ENTRYPOINT ["node", "server.cjs"]',
    ];
    const project = projectOf(
      { Dockerfile: dockerfile.join('\n'), '.dockerignore': '', 'server.cjs': server },
      ['scripts'],
    );
    const { code, output } = await ran(process.execPath, [join(project, 'scripts', 'docker-steps.mjs')]);
    expect(code, output).toBe(0);
    expect(output).toContain('healthy and ready');
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
