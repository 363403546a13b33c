import { describe, expect, it } from 'vitest';
import { durationText, sizeText } from '../../src/cli/amount.ts';
import { Progress } from '../../src/cli/progress.ts';
import { watchedTerminal } from './watched-terminal.ts';

/** A progress on a clock of its own, ticked by the test. */
function progressOn(isTTY: boolean, env: Record<string, string> = {}) {
  const watched = watchedTerminal({ isTTY, env });
  let now = 0;
  const progress = new Progress(watched.terminal, 'sending', 10_000_000, () => now);
  return {
    ...watched,
    progress,
    pass: (ms: number, bytes: number) => {
      now += ms;
      progress.add(bytes);
      progress.tick();
    },
  };
}

describe('progress', () => {
  it('shows nothing of what is over within two seconds', () => {
    const { pass, progress, err } = progressOn(true);
    pass(1_900, 9_000_000);
    progress.end();
    expect(err()).toBe('');
  });

  it('rewrites one line on a terminal and takes it away at the end', () => {
    const { pass, progress, err, out } = progressOn(true);
    pass(2_500, 2_500_000);
    pass(500, 500_000);
    expect(err()).toContain('sending: 30%, 3.0 MB of 10.0 MB, 1.0 MB/s, 7 s left');
    expect(err()).not.toContain('\n');
    progress.end();
    expect(err().endsWith('\r\u001b[2K')).toBe(true);
    expect(out()).toBe('');
  });

  it('writes a line each ten seconds where no terminal is', () => {
    const { pass, progress, err } = progressOn(false);
    for (let second = 0; second < 25; second += 1) pass(1_000, 100_000);
    progress.end();
    expect(err().trim().split('\n')).toHaveLength(2);
    expect(err()).not.toContain('\u001b');
  });

  it('never shows more than all of it', () => {
    const { pass, progress, err } = progressOn(true);
    pass(4_000, 11_000_000);
    expect(err()).toContain('100%, 10.0 MB of 10.0 MB');
    progress.end();
  });

  it('does not count what was there already as speed', () => {
    const { pass, progress, err } = progressOn(true);
    progress.jump(8_000_000);
    pass(4_000, 400_000);
    expect(err()).toContain('84%, 8.4 MB of 10.0 MB, 0.1 MB/s, 16 s left');
    progress.end();
  });

  it('keeps results whole that are printed while the line stands', () => {
    const { pass, progress, terminal, out } = progressOn(true);
    pass(3_000, 1);
    terminal.print('{"a":1}');
    progress.end();
    expect(out()).toBe('{"a":1}\n');
  });

  it.each([
    [{}, true],
    [{ NO_COLOR: '1' }, false],
    [{ TERM: 'dumb' }, false],
  ])('colours a complaint with %j: %s', (env, coloured) => {
    const { terminal, err } = watchedTerminal({ isTTY: true, env });
    terminal.complain('no');
    expect(err().includes('\u001b[31m')).toBe(coloured);
  });
});

describe('amounts', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_960, '1.0 MB'],
    [2_345_000_000, '2.3 GB'],
    [9e15, '9000.0 TB'],
  ])('writes %i bytes as %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));

  it.each([
    [400, '1 s'],
    [61_000, '1 min 1 s'],
    [7_500_000, '2 h 5 min'],
  ])('writes %i ms as %s', (ms, text) => expect(durationText(ms)).toBe(text));
});
