import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { argumentsOf, UsageError } from './arguments.ts';

describe('the arguments of the conformance runner', () => {
  let folder: TempFolder;
  let token: string;

  beforeEach(async () => {
    folder = await openTempFolder();
    token = folder.file('token');
    writeFileSync(token, 't\n');
  });
  afterEach(() => folder.remove());

  it('name one server after its host', () => {
    const { targets } = argumentsOf(['--url', 'http://127.0.0.1:8080/files/?a=b']);
    expect(targets.map(({ name, url }) => [name, url.href])).toEqual([
      ['127.0.0.1:8080', 'http://127.0.0.1:8080/files/?a=b'],
    ]);
  });

  it('give each server its own token and headers, and all of them the rest', () => {
    const { targets } = argumentsOf([
      ...['--url', 'one=http://a/', '--url', '@tus/server=https://b/files'],
      ...['--token-file', `one=${token}`, '--header', 'X-A: 1=2', '--header', '@tus/server=X-B: 3'],
    ]);
    expect(targets.map(({ name, headers }) => [name, headers])).toEqual([
      [
        'one',
        [
          ['Authorization', 'Bearer t'],
          ['X-A', '1=2'],
        ],
      ],
      [
        '@tus/server',
        [
          ['X-A', '1=2'],
          ['X-B', '3'],
        ],
      ],
    ]);
  });

  it('are refused with a sentence', () => {
    const url = ['--url', 'http://a/'];
    const cases: [args: string[], says: RegExp][] = [
      [[], /--url is missing/],
      [['--url', 'ftp://a/'], /http:\/\/… or https/],
      [['--url', 'a=b'], /http:\/\/… or https/],
      [['--url', 'a=http://a/', '--url', 'a=http://b/'], /two --url have one name/],
      [[...url, '--bytes', '10'], /--bytes takes/],
      [[...url, '--wait', '0'], /--wait takes/],
      [[...url, '--only', '('], /--only takes/],
      [[...url, '--header', 'no colon'], /--header takes/],
      [[...url, '--token-file', folder.file('none')], /--token-file: ENOENT/],
      [[...url, '--nonsense'], /nonsense/],
    ];
    for (const [args, says] of cases) {
      expect(() => argumentsOf(args), args.join(' ')).toThrow(UsageError);
      expect(() => argumentsOf(args), args.join(' ')).toThrow(says);
    }
  });
});
