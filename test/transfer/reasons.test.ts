import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { priorities } from '../../src/state/records.ts';
import { effectOf, type ReasonCode, reasons } from '../../src/transfer/reasons.ts';

const codes = Object.keys(reasons) as ReasonCode[];

describe('reasons', () => {
  it.each(codes)('%s says in both languages what is wrong and what to do next', (code) => {
    const { en, nl, next, owner } = reasons[code];
    for (const text of [en, nl, next.en, next.nl]) {
      expect(text).toMatch(/^[A-ZÉ].{8,}\.$/);
    }
    expect(nl).not.toBe(en);
    expect(next.nl).not.toBe(next.en);
    expect(['sender', 'receiver', 'operator']).toContain(owner);
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  it('stop an acute transfer only for what could harm another patient, or when rejected', () => {
    const stops = codes.filter((code) => effectOf(code, 'acute') === 'hold');
    expect(stops.toSorted()).toEqual(['BSN_CONFLICT', 'INSPECTION_FAILED', 'PATIENT_MIXED']);
  });

  it.each(['hold', 'reject', 'flag'] as const)('that %s are all in the README, and no others', (effect) => {
    const readme = readFileSync(new URL('../../src/transfer/README.md', import.meta.url), 'utf8');
    const row = readme.split('\n').find((line) => line.startsWith(`| ${effect}`)) ?? '';
    const listed = [...row.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code);
    const those = codes.filter((code) => reasons[code].effect === effect);
    expect(new Set(listed)).toEqual(new Set(those));
  });

  it.each(priorities)('let no rejected object go, not even of a %s transfer', (priority) => {
    for (const code of codes.filter((one) => reasons[one].effect === 'reject')) {
      expect(effectOf(code, priority)).toBe('reject');
    }
  });

  it('hold for a code that this program does not know', () => {
    expect(effectOf('FROM_A_LATER_RELEASE', 'routine')).toBe('hold');
    expect(effectOf('toString', 'routine')).toBe('hold');
  });
});
