import { expect, it } from 'vitest';
import { loadUws } from '../../src/http/listeners/uws-binary.ts';
import { exchangeContract } from './exchange.contract.ts';
import { kinds } from './kinds.ts';
import { wireContract } from './wire.contract.ts';

if (kinds.includes('uws')) {
  exchangeContract('uws');
  wireContract('uws');
} else {
  it('has no binary for this Node, and says so instead of failing', async () => {
    expect(await loadUws()).toHaveProperty('missing');
  });
}
