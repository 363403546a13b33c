import { SluisError } from '../ops/error.ts';

/** 404: unknown, or of another organization's mailbox. */
export class DeliveryUnknown extends SluisError {
  override readonly name = 'DeliveryUnknown';
  readonly code = 'SLUIS_DELIVERY_UNKNOWN';
  readonly remedy = 'fix-request';

  constructor() {
    super('no delivery to a mailbox of yours has that id');
  }
}

/** 409: not offered for pulling: it is pushed, not ready yet, or was recalled. */
export class NotOffered extends SluisError {
  override readonly name = 'NotOffered';
  readonly code = 'SLUIS_DELIVERY_NOT_OFFERED';
  readonly remedy = 'give-up';

  constructor() {
    super('this delivery is not offered for pulling: the inbox lists those that are');
  }
}

/** 422: what the receiver says it holds is not what was offered. */
export class AcknowledgementInvalid extends SluisError {
  override readonly name = 'AcknowledgementInvalid';
  readonly code = 'SLUIS_DELIVERY_ACKNOWLEDGEMENT_INVALID';
  readonly remedy = 'fix-request';
}

/**
 * A request failed, for the cause, before anything of its body was asked for: nothing of any instance went out.
 * Only a mark for the lane, which goes on with the cause.
 */
export class NothingSent extends Error {
  override readonly name = 'NothingSent';

  constructor(cause: unknown) {
    super('nothing was sent', { cause });
  }
}

/** No connection came about. The code of the network, never the address. */
export class ReceiverUnreachable extends SluisError {
  override readonly name = 'ReceiverUnreachable';
  readonly code = 'SLUIS_DELIVERY_RECEIVER_UNREACHABLE';
  readonly remedy = 'retry';

  constructor(networkCode: string, cause: unknown) {
    super(`the receiver cannot be reached: ${networkCode}`, { cause });
  }
}

/** A receiver could not be asked or did not answer in a way that says what it holds. */
export class ReceiverUnclear extends SluisError {
  override readonly name = 'ReceiverUnclear';
  readonly code = 'SLUIS_DELIVERY_RECEIVER_UNCLEAR';
  readonly remedy = 'retry';
}
