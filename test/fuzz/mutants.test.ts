import { describe, expect, it } from 'vitest';
import { Mutants } from '../soak/lib/mutants.ts';

describe('mutants', () => {
  const mutants = new Mutants(7);

  it('are the same again for the same seed and number, whatever was made before', () => {
    const numbers = Array.from({ length: 300 }, (_, index) => index * 37);
    const once = numbers.map((number) => mutants.mutant(number));
    const twin = new Mutants(7);
    const again = numbers.toReversed().map((number) => twin.mutant(number));
    expect(again.toReversed()).toEqual(once);
  });

  it('are others for another number, and nearly always for another seed', () => {
    const [one, other, third] = [mutants, mutants, new Mutants(8)].map((source, index) =>
      Array.from({ length: 200 }, (_, number) =>
        source.mutant(number + (index === 1 ? 1000 : 0)).bytes.toString('hex'),
      ),
    );
    expect(new Set(one).size).toBeGreaterThan(190);
    expect(one?.filter((bytes, index) => bytes === other?.[index] || bytes === third?.[index])).toEqual([]);
  });

  it('leave their sources as they were', () => {
    const before = mutants.mutant(1).bytes.toString('hex');
    for (let number = 0; number < 2000; number += 1) mutants.mutant(number);
    expect(mutants.mutant(1).bytes.toString('hex')).toBe(before);
  });

  it('come of every kind of damage, to samples and odd forms', () => {
    const said = Array.from({ length: 2000 }, (_, number) => mutants.mutant(number).what).join('\n');
    for (const damage of [
      'flippedBits',
      'lyingLength',
      'otherTag',
      'swappedTags',
      'otherVr',
      'truncated',
      'spliced',
    ]) {
      expect(said).toContain(damage);
    }
    expect(mutants.sources).toBeGreaterThan(250);
  });
});
