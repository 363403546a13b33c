import { SluisError } from '../ops/error.ts';
import type { TransferState } from '../state/records.ts';

/** 404: unknown, or not one of the asker's own: which of the two is not told. */
export class TransferUnknown extends SluisError {
  override readonly name = 'TransferUnknown';
  readonly code = 'SLUIS_TRANSFER_UNKNOWN';
  readonly remedy = 'fix-request';

  constructor() {
    super('no transfer of yours has that id: list them with GET /v1/transfers');
  }
}

/** 403: a mailbox can only be sent from by its own organization. */
export class NotYourMailbox extends SluisError {
  override readonly name = 'NotYourMailbox';
  readonly code = 'SLUIS_TRANSFER_FROM_FORBIDDEN';
  readonly remedy = 'fix-request';
  override readonly facts;

  constructor(mailbox: string) {
    super(`mailbox ${mailbox} belongs to another organization: send from one of your own`);
    this.facts = { mailbox };
  }
}

/** 400: the transfer's own words are wrong. */
export class TransferInvalid extends SluisError {
  override readonly name = 'TransferInvalid';
  readonly code = 'SLUIS_TRANSFER_INVALID';
  readonly remedy = 'fix-request';
}

/** 409: it takes no more uploads, or no other manifest. */
export class TransferClosed extends SluisError {
  override readonly name = 'TransferClosed';
  readonly code = 'SLUIS_TRANSFER_CLOSED';
  readonly remedy = 'give-up';
  override readonly facts;

  constructor(state: TransferState) {
    const why = state === 'receiving' ? 'was made by one plain upload' : `is ${state}`;
    super(`the transfer ${why} and takes nothing more: what comes later is a transfer of its own`);
    this.facts = { state };
  }
}

/** 409: a person has to find out which of two BSNs is right; neither is told. */
export class BsnDiffers extends SluisError {
  override readonly name = 'BsnDiffers';
  readonly code = 'SLUIS_TRANSFER_BSN_DIFFERS';
  readonly remedy = 'give-up';

  constructor() {
    super('the transfer has another BSN already: find out which is right, and send anew if it is this one');
  }
}

/** 409: sealed never changes. */
export class ManifestSealed extends SluisError {
  override readonly name = 'ManifestSealed';
  readonly code = 'SLUIS_TRANSFER_MANIFEST_SEALED';
  readonly remedy = 'give-up';

  constructor() {
    super(
      'the manifest was sealed with other content and never changes: what comes later is a transfer of its own',
    );
  }
}

/** 422: one Idempotency-Key, two different requests. */
export class IdempotencyKeyReused extends SluisError {
  override readonly name = 'IdempotencyKeyReused';
  readonly code = 'SLUIS_IDEMPOTENCY_KEY_REUSED';
  readonly remedy = 'fix-request';

  constructor() {
    super('this Idempotency-Key was used with another request: take a new key for a new transfer');
  }
}
