import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../support/ports.ts';
import { type Program, projectRoot, startProgram } from '../support/processes.ts';
import { generateStudy } from '../support/study/study.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { writeZip } from '../support/zip.ts';

const root = projectRoot();
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

/** README's npm scripts run in CI: start and test in its fresh clone, verify as itself. */
const npmCommands = ['npm start', 'npm test'];

describe('README', () => {
  let folder: TempFolder;
  let exchange: Program | undefined;
  let server = '';
  /** What the last command said beside its result. */
  let noted = '';

  beforeAll(async () => {
    folder = await openTempFolder('sluis-readme');
    copyFileSync(join(root, 'config.example.json'), folder.file('config.example.json'));
    await writeStudy(folder.file('study'), {
      modality: 'CT',
      instances: 3,
      bytesPerInstance: 32_768,
      seed: 3,
    });
    writeFileSync(folder.file('letter.pdf'), '%PDF-1.4\n%%EOF\n');
    const images = [...generateStudy({ modality: 'CT', instances: 2, bytesPerInstance: 32_768, seed: 4 })];
    writeFileSync(
      folder.file('disc.zip'),
      writeZip([
        ...images.map(({ fileName, bytes }) => ({ name: `DICOM/${fileName}`, data: bytes })),
        { name: 'autorun.inf', data: Buffer.from('[autorun]') },
      ]),
    );
  });
  afterAll(async () => {
    await exchange?.stop();
    await folder.remove();
  });

  /** As a person would type it, but in a folder of its own and on a free port. */
  const type = async (command: string): Promise<string> => {
    const typed = command
      .replaceAll('http://127.0.0.1:8080', server)
      .replace('bin/sluis.cjs', join(root, 'bin/sluis.cjs'));
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', typed], { cwd: folder.path });
    noted = stderr;
    return stdout.trim();
  };
  const next = (() => {
    const rest = commands.filter(
      (command) => !npmCommands.includes(command) && !command.startsWith('npm run conformance'),
    );
    return (beginning: string): string => {
      const command = rest.shift() ?? '';
      expect(command).toContain(`node bin/sluis.cjs ${beginning}`);
      return command;
    };
  })();

  it('begins with the two commands', () => {
    expect(commands.slice(0, 2)).toEqual(npmCommands);
  });

  it('has commands for running it for real that work in the order they stand there', async () => {
    expect(await type(next('config check'))).toMatch(/can be used/);

    const [port = 0, opsPort = 0] = await freePorts(2);
    server = `http://127.0.0.1:${port.toString()}`;
    const [, , ...flags] = next('serve').split(' ');
    exchange = await startProgram([...flags, '--port', port.toString(), '--ops-port', opsPort.toString()], {
      cwd: folder.path,
    });
    await exchange.waitFor(/Ctrl-C stops it/);

    const create = next('keys create');
    writeFileSync(folder.file('sender.token'), await type(create));
    writeFileSync(folder.file('receiver.token'), await type(create.replace('zh-oost', 'zh-west')));
    expect(await type(next('send'))).toMatch(/3 instances, 1 report/);
    expect(await type(next('send'))).toMatch(/2 instances/);
    expect(noted).toContain('autorun.inf: part of a program to look at images');
    expect(await type(next('transfers list'))).toMatch(/zh-west/);
    expect(await type(next('receive'))).toMatch(/3 instances/);
  });

  it('has a command that finds no fault in how the exchange speaks tus', async () => {
    const [command = '', ...args] = (commands.find((one) => one.startsWith('npm run conformance')) ?? '')
      .replaceAll('http://127.0.0.1:8080', server)
      .split(' -- ')
      .flatMap((part) => part.split(' '));
    expect([command, ...args.slice(0, 2)]).toEqual(['npm', 'run', 'conformance']);
    const run = [join(root, 'scripts', 'conformance.mjs'), ...args.slice(2)];
    // Exit code 0, or it rejects.
    const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: folder.path });
    expect(stdout).toMatch(/concatenation/);
  });

  it('has commands that need no exchange, each with what it prints', async () => {
    const examples = [...readme.matchAll(/```(?:text|json)\n([\s\S]*?)```/g)].map(([, text = '']) =>
      text.trim(),
    );
    const linesOf = (text: string) =>
      text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    writeFileSync(folder.file('bsn'), '999990019\n');
    expect(await type(next('bsn-report'))).toBe(examples.shift());
    for (const beginning of ['inspect', 'tag']) {
      const [shown] = linesOf(examples.shift() ?? '');
      const lines = linesOf(await type(next(beginning)));
      expect(lines).toHaveLength(3);
      expect(Object.keys(shown ?? {})).toEqual(Object.keys(lines[0] ?? {}));
      expect(lines[0]).toMatchObject({ file: shown?.file, verdict: shown?.verdict, reasons: shown?.reasons });
    }
  });

  it('has no command that is not run', () => {
    expect(() => next('')).toThrow();
  });
});
