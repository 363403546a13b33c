import { SluisError } from '../ops/error.ts';

/** 404: no mailbox has this id. */
export class MailboxUnknown extends SluisError {
  override readonly name = 'MailboxUnknown';
  readonly code = 'SLUIS_MAILBOX_UNKNOWN';
  readonly remedy = 'fix-request';

  constructor(id: string) {
    const shown = /^[A-Za-z0-9._-]{1,64}$/.test(id) ? `no mailbox is called ${id}` : 'no mailbox has that id';
    super(`${shown}: search the address book with GET /v1/mailboxes?q=`);
  }
}
