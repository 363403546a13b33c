import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isOutOfResources,
  mayPass,
  readQidoAnswer,
  readStowAnswer,
} from '../../src/delivery/transports/stow-answer.ts';
import { fuzz } from '../study/support.ts';

const uid = (value: unknown) => ({ '00081155': { vr: 'UI', Value: value } });
const held = (...items: unknown[]) => ({ '00081199': { vr: 'SQ', Value: items } });
const failed = (...items: unknown[]) => ({ '00081198': { vr: 'SQ', Value: items } });
const reason = (value: unknown) => ({ '00081197': { vr: 'US', Value: value } });
const warning = { '00081196': { vr: 'US', Value: [45056] } };
const read = (answer: unknown) => {
  const found = readStowAnswer(JSON.stringify(answer));
  return { held: Object.fromEntries(found.held), refused: Object.fromEntries(found.refused) };
};

describe('a STOW answer', () => {
  it.each([
    ['one that is held', held(uid(['1.2'])), { '1.2': 'held' }, {}],
    ['two', held(uid(['1.2']), uid(['1.3'])), { '1.2': 'held', '1.3': 'held' }, {}],
    [
      'a warning, which is no failure',
      held({ ...uid(['1.2']), ...warning }),
      { '1.2': 'heldWithWarning' },
      {},
    ],
    ['one that failed', failed({ ...uid(['1.2']), ...reason([49152]) }), {}, { '1.2': '49152' }],
    ['a reason as text', failed({ ...uid(['1.2']), ...reason(['272']) }), {}, { '1.2': '272' }],
    ['a reason without array', failed({ ...uid(['1.2']), ...reason(272) }), {}, { '1.2': '272' }],
    ['no reason', failed(uid(['1.2'])), {}, { '1.2': 'unknown' }],
    [
      'both lists',
      { ...held(uid(['1.2'])), ...failed(uid(['1.3'])) },
      { '1.2': 'held' },
      { '1.3': 'unknown' },
    ],
    ['a UID without array', held(uid('1.2')), { '1.2': 'held' }, {}],
    [
      'an object instead of an array',
      { '00081199': { vr: 'SQ', Value: uid(['1.2']) } },
      { '1.2': 'held' },
      {},
    ],
    ['an array around it', [held(uid(['1.2']))], { '1.2': 'held' }, {}],
    ['a dataset a study', [held(uid(['1.2'])), held(uid(['1.3']))], { '1.2': 'held', '1.3': 'held' }, {}],
    [
      'one in both lists, which says nothing of it',
      { ...held(uid(['1.2'])), ...failed(uid(['1.2'])) },
      {},
      {},
    ],
    ['an empty list', held(), {}, {}],
    ['an item without UID', held({}, null, 7, uid([]), uid([null])), {}, {}],
    ['no list', {}, {}, {}],
    ['a list without Value', { '00081199': { vr: 'SQ' } }, {}, {}],
    ['another type', 'stored', {}, {}],
    ['null', null, {}, {}],
  ])('reads %s', (_, answer, expectedHeld, expectedRefused) => {
    expect(read(answer)).toEqual({ held: expectedHeld, refused: expectedRefused });
  });

  it.each([
    '',
    'OK',
    '<html><body>502 Bad Gateway</body></html>',
    '<NativeDicomModel/>',
    '{"00081199":',
    '[',
    '\0',
  ])('confirms nothing with %j', (body) => {
    expect(readStowAnswer(body)).toEqual({ held: new Map(), refused: new Map() });
    expect(readQidoAnswer(body)).toBeUndefined();
  });

  it('never throws, and names no instance both held and refused', () => {
    const tags = ['00081199', '00081198', '00081155', '00081196', '00081197', 'Value', '00080018'];
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom('1.2', '1.3', 272, null, ''),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...tags), tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          tree.map((value) => JSON.stringify(value)),
        ),
        (body) => {
          const answer = readStowAnswer(body);
          readQidoAnswer(body);
          for (const one of answer.held.keys()) expect(answer.refused.has(one)).toBe(false);
        },
      ),
      fuzz,
    );
  });

  it.each([
    ['42752', true, true],
    ['0xA700', true, true],
    ['A701', true, true],
    ['272', true, false],
    ['273', false, false],
    ['0x0111', false, false],
    ['unknown', true, false],
    ['49152', false, false],
    ['C000', false, false],
    ['A900', false, false],
    ['290', false, false],
    ['0', false, false],
  ])('with reason %s may pass: %s, and that only for want of room: %s', (code, passes, full) => {
    expect(mayPass(code)).toBe(passes);
    expect(isOutOfResources(code)).toBe(full);
  });
});

describe('a QIDO answer', () => {
  const found = (value: unknown) => ({ '00080018': { vr: 'UI', Value: value } });
  it.each([
    [
      [found(['1.2']), found(['1.3'])],
      ['1.2', '1.3'],
    ],
    [[found('1.2')], ['1.2']],
    [found(['1.2']), ['1.2']],
    [[], []],
    [[{}], []],
    [[null, 7], []],
  ])('%j names %j', (answer, uids) => {
    expect([...(readQidoAnswer(JSON.stringify(answer)) ?? ['nothing'])]).toEqual(uids);
  });
});
