import { describe, expect, it } from 'vitest';
import { watchedTerminal } from './watched-terminal.ts';

/** As a disc from anywhere may name a file: recolours, goes up a line, rings, turns the writing direction. */
const HOSTILE = 'IM1\u001b[31m\u001b[1A\u009b2K\u0007\u202egpj.dcm';
const SHOWN = 'IM1\ufffd[31m\ufffd[1A\ufffd2K\ufffd\ufffdgpj.dcm';

describe('a terminal', () => {
  it('shows a name that would move its cursor without what does', () => {
    const { terminal, err } = watchedTerminal();
    terminal.note(`skipped ${HOSTILE}`);
    terminal.complain(HOSTILE);
    expect(err()).toBe(`skipped ${SHOWN}\n${SHOWN}\n`);
  });

  it('keeps its own colour, its lines and its tabs', () => {
    const { terminal, err } = watchedTerminal({ isTTY: true });
    terminal.complain(HOSTILE);
    terminal.note('one\n\ttwo');
    expect(err()).toBe(`\u001b[31m${SHOWN}\u001b[39m\none\n\ttwo\n`);
  });

  it('gives a result to a pipe as it is, and to a screen as it may be shown', () => {
    const [pipe, screen] = [watchedTerminal(), watchedTerminal({ outIsTTY: true })];
    for (const { terminal } of [pipe, screen]) terminal.print(`file,${HOSTILE}\r`);
    expect(pipe.out()).toBe(`file,${HOSTILE}\r\n`);
    expect(screen.out()).toBe(`file,${SHOWN}\r\n`);
  });
});
