import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BodyBeyondLength,
  OffsetConflict,
  UploadTakenOver,
  UploadTooLarge,
} from '../../src/upload/errors.ts';
import {
  advance,
  checkEpoch,
  createProgress,
  isLastStep,
  type Progress,
  startAppend,
} from '../../src/upload/machine.ts';
import { fuzz } from './engine.ts';

const max = 1000;

describe('the machine of resumable uploads', () => {
  it('receives an upload of no bytes at once', () => {
    expect(createProgress(0, max)).toEqual({ length: 0, offset: 0, epoch: 0, state: 'received' });
    expect(createProgress(1, max).state).toBe('receiving');
    expect(createProgress(null, max).state).toBe('receiving');
  });

  it('refuses an upload above the largest size and takes one of exactly that size', () => {
    expect(() => createProgress(max + 1, max)).toThrow(UploadTooLarge);
    expect(createProgress(max, max).length).toBe(max);
  });

  it('takes bytes only where the upload ends, and only as many as it lacks', () => {
    const upload: Progress = { length: 100, offset: 40, epoch: 3, state: 'receiving' };
    expect(startAppend(upload, 40, 60, max)).toEqual({ from: 40, end: 100 });
    expect(startAppend(upload, 40, undefined, max)).toEqual({ from: 40, end: 100 });
    expect(() => startAppend(upload, 39, 1, max)).toThrow(OffsetConflict);
    expect(() => startAppend(upload, 41, 1, max)).toThrow(OffsetConflict);
    expect(() => startAppend(upload, 40, 61, max)).toThrow(BodyBeyondLength);
    expect(startAppend({ ...upload, length: null }, 40, 960, max).end).toBe(max);
  });

  it('agrees with a model whatever writers do, and fires the last step exactly once', () => {
    const step = fc.record({
      kind: fc.constantFrom('take', 'advance', 'late', 'again', 'claim'),
      bytes: fc.nat(60),
      claimed: fc.nat(120),
    });
    fc.assert(
      fc.property(fc.nat(100), fc.array(step, { maxLength: 40 }), (length, steps) => {
        let upload = createProgress(length, max);
        let lastSteps = upload.state === 'received' ? 1 : 0;
        let holder = 0;
        let stored = 0;
        for (const { kind, bytes, claimed } of steps) {
          const before = upload;
          if (kind === 'take') {
            holder++;
          } else if (kind === 'claim') {
            const allowed = claimed === stored && claimed + bytes <= length;
            const start = (): unknown => startAppend(upload, claimed, bytes, max);
            if (allowed) {
              expect(start()).toEqual({ from: stored, end: length });
            } else {
              expect(start).toThrow();
            }
          } else if (kind === 'late') {
            // A writer that was replaced, after the newer one has recorded something.
            if (upload.epoch > 0) {
              expect(() => advance(upload, upload.epoch - 1, stored + bytes)).toThrow(UploadTakenOver);
              expect(() => checkEpoch(upload, upload.epoch - 1)).toThrow(UploadTakenOver);
            }
          } else {
            const offset = kind === 'again' ? stored : stored + bytes;
            if (offset > length) {
              expect(() => advance(upload, holder, offset)).toThrow(RangeError);
            } else {
              upload = advance(upload, holder, offset);
              stored = offset;
            }
          }
          lastSteps += isLastStep(before, upload) ? 1 : 0;
          expect(upload.offset).toBe(stored);
          expect(upload.offset).toBeGreaterThanOrEqual(before.offset);
          expect(upload.state).toBe(stored === length ? 'received' : 'receiving');
          if (stored > 0) {
            expect(() => advance(upload, holder, stored - 1)).toThrow();
          }
        }
        expect(lastSteps).toBe(stored === length ? 1 : 0);
      }),
      fuzz,
    );
  });
});
