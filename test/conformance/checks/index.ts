import type { Check } from '../check.ts';
import { checksum } from './checksum.ts';
import { concatenation } from './concatenation.ts';
import { coreHead } from './core-head.ts';
import { coreHeaders } from './core-headers.ts';
import { coreNetwork } from './core-network.ts';
import { corePatch } from './core-patch.ts';
import { creation } from './creation.ts';
import { creationDeferLength } from './creation-defer-length.ts';
import { creationWithUpload } from './creation-with-upload.ts';
import { expiration } from './expiration.ts';
import { options } from './options.ts';
import { termination } from './termination.ts';

/** All checks, in the order of the protocol's document. */
export const checks: readonly Check[] = [
  ...coreHeaders,
  ...coreHead,
  ...corePatch,
  ...coreNetwork,
  ...options,
  ...creation,
  ...creationDeferLength,
  ...creationWithUpload,
  ...expiration,
  ...checksum,
  ...termination,
  ...concatenation,
];

/** Sentences with a keyword that no request can show, and why. */
export const untestable: readonly (readonly [says: string, why: string])[] = [
  ['[Tus-Version] MUST be sorted by Server’s preference', 'a preference does not show'],
  [
    '[Tus-Max-Size] The Server SHOULD set this header if there is a known hard limit',
    'what is known does not show',
  ],
  [
    'A timeout SHOULD be handled by closing the underlying connection',
    'how long a server waits is its own affair',
  ],
  ['[Expiration] its value MAY change over time', 'either is right'],
  ['[Termination] the Server SHOULD free associated resources', 'not seen from outside'],
  [
    'The Server SHOULD NOT process these partial uploads until they are concatenated',
    'not seen from outside',
  ],
  ['The Server MAY delete partial uploads after concatenation', 'either is right'],
  ['SHOULD, MUST and MAY of the Client', 'this is a client'],
];
