import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { watchedTerminal } from './watched-terminal.ts';

async function sluis(...args: string[]) {
  const watched = watchedTerminal();
  const code = await dispatch(args, watched.terminal);
  return { code, out: watched.out(), err: watched.err() };
}

describe('the sluis command line', () => {
  it('lists every command with --help', async () => {
    const { code, out } = await sluis('--help');
    expect(code).toBe(0);
    for (const { name, summary } of commands) expect(out).toMatch(new RegExp(`${name} +${summary}`, 'u'));
  });

  it.each(commands.map(({ name }) => name))('explains %s with --help, on standard output', async (name) => {
    const { code, out, err } = await sluis(name, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`sluis ${name}`);
    expect(err).toBe('');
  });

  it('names its version', async () => {
    expect((await sluis('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/u);
  });

  it('proposes the command that was meant', async () => {
    const { code, err, out } = await sluis('recieve');
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('sluis receive');
  });

  it.each([
    [['send', '--bogus'], "'--bogus'"],
    [['send', 'x', '--from'], '--from'],
    [['send', 'x'], '--from is missing'],
    [['send', '--from', 'a b', '--to', 'n', 'x'], '--from takes an id'],
    [['send', '--from', 'a', '--to', 'n', '--priority', 'soon', 'x'], '--priority is one of acute'],
    [['send', '--from', 'a', '--to', 'n', 'x'], '--server is missing'],
    [['send', '--server', 'nowhere', '--token-file', '-', '--from', 'a', '--to', 'n', 'x'], '--server takes'],
    [['send', '--server', 'ftp://a', '--token-file', '-', '--from', 'a', '--to', 'n', 'x'], 'https://'],
    [['receive', '--mailbox', '../x', '--out', 'y'], '--mailbox takes an id'],
    [['transfers', 'delete'], 'the action is one of list, show'],
    [['transfers', 'show'], 'the id of a transfer is missing'],
    [['tag', '--dialect', 'nl-1999', '--out', 'o', '--bsn-file', '-', 'x'], '--dialect is one of nl-2010'],
    [['inspect'], 'at least one file'],
    [['serve', '8081'], 'npm start -- --port 8081'],
  ])('ends with 2, a sentence and the usage for %j', async (args, sentence) => {
    const { code, out, err } = await sluis(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(sentence);
    expect(err).toContain(`sluis ${args[0] ?? ''}`);
  });

  it.each([
    [['serve', '--port', 'abc'], 'http.port (command line): expected number'],
    [['serve', '--config', 'no-such-file'], 'cannot be read'],
    [['keys', 'create', '--organization', 'a', '--name', 'b', '--config', 'no-such-file'], 'cannot be read'],
  ])('ends with 2 and every problem of the configuration for %j', async (args, sentence) => {
    const { code, out, err } = await sluis(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(sentence);
  });

  it('says that a data folder is a file, and ends with 1', async () => {
    const { code, err } = await sluis('serve', '--data', import.meta.filename);
    expect(code).toBe(1);
    expect(err).toContain('dispatch.test.ts cannot be used: it is no folder');
    expect(err).not.toContain('fault of the program');
  });

  it('says which file cannot be read, and ends with 1', async () => {
    const { code, err } = await sluis('inspect', 'no-such-folder');
    expect(code).toBe(1);
    expect(err).toContain('no-such-folder cannot be read');
  });
});
