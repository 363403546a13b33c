import { describe, expect, it } from 'vitest';
import { startProgram } from '../support/processes.ts';

describe('npm run demo:cut', () => {
  it('cuts the line three times, kills the exchange once, and ends with every instance equal', async () => {
    const demo = await startProgram(['demo-cut', '--instances', '300']);
    expect(await demo.exited, demo.stderr.join('\n')).toMatchObject({ code: 0 });
    const said = demo.stdout.join('\n');
    expect(said.match(/the line was cut at/g)).toHaveLength(3);
    expect(said.match(/the exchange was killed at/g)).toHaveLength(1);
    expect(demo.stdout.at(-1)).toMatch(/^all 300 instances equal, \d+\.\d % sent twice$/);
  });
});
