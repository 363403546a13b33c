import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObjectId } from '../../src/storage/storage.ts';
import * as errors from '../../src/upload/errors.ts';
import {
  advance,
  checkEpoch,
  createProgress,
  isLastStep,
  type Progress,
  startAppend,
  verified,
} from '../../src/upload/machine.ts';
import { fuzz } from './engine.ts';

const max = 1000;
const content = { of: 'object', object: 'u-1' as ObjectId } as const;

function created(
  length: number | null,
  more: Partial<Progress> = {},
): Progress & { content: typeof content } {
  const ends = more.ends ?? 'at-length';
  return { ...createProgress({ length, ends, digest: more.digest ?? null }, max), content, ...more };
}

describe('the machine of resumable uploads', () => {
  it('receives an upload of no bytes at once', () => {
    expect(created(0)).toMatchObject({ length: 0, offset: 0, epoch: 0, state: 'received' });
    expect(created(1).state).toBe('receiving');
    expect(created(null).state).toBe('receiving');
    expect(created(0, { ends: 'when-told' }).state).toBe('receiving');
  });

  it('refuses an upload above the largest size and takes one of exactly that size', () => {
    expect(() => created(max + 1)).toThrow(errors.UploadTooLarge);
    expect(created(max).length).toBe(max);
  });

  it('takes bytes only where the upload ends, and only as many as it lacks', () => {
    const upload = created(100, { offset: 40, epoch: 3 });
    const start = (offset: number, bytes: number | undefined, of = upload) =>
      startAppend(of, { offset }, bytes, max);
    expect(start(40, 60)).toEqual({ from: 40, end: 100, length: 100 });
    expect(start(40, undefined)).toEqual({ from: 40, end: 100, length: 100 });
    expect(() => start(39, 1)).toThrow(errors.OffsetConflict);
    expect(() => start(41, 1)).toThrow(errors.OffsetConflict);
    expect(() => start(40, 61)).toThrow(errors.BodyBeyondLength);
    expect(start(40, 960, { ...upload, length: null })).toEqual({ from: 40, end: max, length: null });
  });

  it('takes a length that was deferred once, and no other after that', () => {
    const upload = created(null, { offset: 40 });
    const start = (length: number, of = upload) => startAppend(of, { offset: 40, length }, 0, max);
    expect(start(100)).toEqual({ from: 40, end: 100, length: 100 });
    expect(start(100, { ...upload, length: 100 }).length).toBe(100);
    expect(() => start(101, { ...upload, length: 100 })).toThrow(errors.LengthInconsistent);
    expect(() => start(39)).toThrow(errors.LengthInconsistent);
    expect(() => start(max + 1)).toThrow(errors.UploadTooLarge);
    expect(() => startAppend(upload, { offset: 40, length: 50 }, 11, max)).toThrow(errors.BodyBeyondLength);
    const declared = advance(upload, { epoch: 1, offset: 40, length: 40, isLast: false });
    expect(declared.state).toBe('received');
  });

  it('ends an upload that ends when told only with the body that says so', () => {
    const upload = created(10, { ends: 'when-told', offset: 4 });
    const step = { epoch: 1, length: 10 };
    expect(advance(upload, { ...step, offset: 10, isLast: false }).state).toBe('receiving');
    expect(advance(upload, { ...step, offset: 10, isLast: true }).state).toBe('received');
    expect(advance(upload, { ...step, offset: 9, isLast: true }).state).toBe('receiving');
    const open = { ...upload, length: null };
    expect(advance(open, { epoch: 1, length: null, offset: 7, isLast: true })).toMatchObject({
      ...{ state: 'received', length: 7 },
    });
    const start = (bytes: number) => startAppend(upload, { offset: 4, isLast: true }, bytes, max);
    expect(start(6).length).toBe(10);
    expect(() => start(5)).toThrow(errors.LengthInconsistent);
    expect(startAppend(open, { offset: 4, isLast: true }, 5, max).length).toBe(9);
  });

  it('verifies an upload that has a digest before it is received', () => {
    const digest = { algorithm: 'sha-256', value: new Uint8Array(32) } as const;
    const whole = advance(created(5, { digest }), { epoch: 1, offset: 5, length: 5, isLast: false });
    expect(whole.state).toBe('verifying');
    expect(verified(whole).state).toBe('received');
    expect(isLastStep(whole, verified(whole))).toBe(true);
    const again = { ...created(5), ...whole };
    expect(startAppend(again, { offset: 5 }, 0, max).from).toBe(5);
    expect(() => startAppend(again, { offset: 5 }, 1, max)).toThrow(errors.BodyBeyondLength);
    const told = { ...again, ends: 'when-told' } as const;
    expect(() => startAppend(told, { offset: 5 }, 1, max)).toThrow(errors.UploadComplete);
  });

  it('takes no bytes for a final upload', () => {
    const final = { ...created(10), content: { of: 'parts', parts: [], header: null } } as const;
    expect(() => startAppend(final, { offset: 0 }, 1, max)).toThrow(errors.FinalUploadImmutable);
  });

  it('agrees with a model whatever writers do, and fires the last step exactly once', () => {
    const step = fc.record({
      kind: fc.constantFrom('take', 'advance', 'late', 'again', 'claim'),
      bytes: fc.nat(60),
      claimed: fc.nat(120),
    });
    fc.assert(
      fc.property(fc.nat(100), fc.array(step, { maxLength: 40 }), (length, steps) => {
        let upload = created(length);
        let lastSteps = upload.state === 'received' ? 1 : 0;
        let holder = 0;
        let stored = 0;
        const moved = (epoch: number, offset: number): typeof upload =>
          advance(upload, { epoch, offset, length, isLast: false });
        for (const { kind, bytes, claimed } of steps) {
          const before = upload;
          if (kind === 'take') {
            holder++;
          } else if (kind === 'claim') {
            const allowed = claimed === stored && claimed + bytes <= length;
            const start = (): unknown => startAppend(upload, { offset: claimed }, bytes, max);
            if (allowed) {
              expect(start()).toEqual({ from: stored, end: length, length });
            } else {
              expect(start).toThrow();
            }
          } else if (kind === 'late') {
            // A writer that was replaced, after the newer one has recorded something.
            if (upload.epoch > 0) {
              expect(() => moved(upload.epoch - 1, stored + bytes)).toThrow(errors.UploadTakenOver);
              expect(() => checkEpoch(upload, upload.epoch - 1)).toThrow(errors.UploadTakenOver);
            }
          } else {
            const offset = kind === 'again' ? stored : stored + bytes;
            if (offset > length) {
              expect(() => moved(holder, offset)).toThrow(RangeError);
            } else {
              upload = moved(holder, offset);
              stored = offset;
            }
          }
          lastSteps += isLastStep(before, upload) ? 1 : 0;
          expect(upload.offset).toBe(stored);
          expect(upload.offset).toBeGreaterThanOrEqual(before.offset);
          expect(upload.state).toBe(stored === length ? 'received' : 'receiving');
          if (stored > 0) {
            expect(() => moved(holder, stored - 1)).toThrow();
          }
        }
        expect(lastSteps).toBe(stored === length ? 1 : 0);
      }),
      fuzz,
    );
  });
});
