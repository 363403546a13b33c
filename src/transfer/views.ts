import { keys } from '../state/keys.ts';
import type { TransferRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { isPackageWalk } from '../study/package.ts';
import { problemsShownMax } from './limits.ts';
import { type ReasonCode, reasons } from './reasons.ts';

/** Who looks: the sender, or a receiver by his own mailboxes; he is not told who else receives. */
export type Viewer = 'sender' | ((mailbox: string) => boolean);

/** A transfer in a list; no patient data. */
export function transferSummary(state: State, transfer: TransferRecord, viewer: Viewer) {
  const { id, from, priority, reasons: codes, instances, expected, bytes } = transfer;
  const seen = (mailbox: string): boolean => viewer === 'sender' || viewer(mailbox);
  return {
    id,
    from,
    to: transfer.to.filter(seen),
    priority,
    state: transfer.state,
    reasons: codes,
    instances,
    expected,
    bytes,
    deliveries: deliveriesOf(state, id).filter(({ mailbox }) => seen(mailbox)),
    createdAt: new Date(transfer.createdAt).toISOString(),
    updatedAt: new Date(transfer.updatedAt).toISOString(),
  };
}

/** The same with why it is stopped and, for its sender, its uploads; no patient data. */
export function transferView(state: State, transfer: TransferRecord, viewer: Viewer) {
  const uploads = viewer === 'sender' ? transfer.uploads : [];
  return {
    ...transferSummary(state, transfer, viewer),
    explanations: transfer.reasons.flatMap((code) => {
      const reason = Object.hasOwn(reasons, code) ? reasons[code as ReasonCode] : undefined;
      return reason === undefined
        ? []
        : [{ code, owner: reason.owner, en: reason.en, nl: reason.nl, next: reason.next }];
    }),
    problems: problemsOf(state, transfer),
    uploads: uploads.flatMap((upload) => uploadView(state, upload)),
  };
}

function uploadView(state: State, id: string) {
  const upload = state.get(keys.uploads, id);
  if (upload === undefined) {
    return [];
  }
  const { offset, length } = upload;
  return [{ id, location: `/v1/uploads/${id}`, bytes: length, offset, state: upload.state }];
}

function deliveriesOf(state: State, transfer: string) {
  return [...state.list(keys.deliveriesOf, { prefix: [transfer] })].flatMap(({ key }) => {
    const delivery = state.get(keys.deliveries, key[1]);
    if (delivery === undefined) {
      return [];
    }
    const { id, mailbox, delivered, of, attempts, lastOutcome } = delivery;
    return [{ id, mailbox, state: delivery.state, delivered, of, attempts, lastOutcome, receipt: null }];
  });
}

interface Problem {
  /** '' for what is no instance, or has none that can be read. */
  readonly sopInstanceUid: string;
  readonly reasons: readonly string[];
  readonly detail: string | null;
}

function problemsOf(state: State, transfer: TransferRecord): Problem[] {
  const instances = transfer.problems.flatMap((number) => {
    const instance = state.get(keys.instances, [transfer.id, number]);
    return instance === undefined ? [] : [instance];
  });
  const problems = instances.map(({ sopInstanceUid, reasons: codes, detail }) => ({
    sopInstanceUid,
    reasons: codes,
    detail,
  }));
  return [...brokenPackages(state, transfer), ...problems].slice(0, problemsShownMax);
}

/** Where and why an upload could not be read as a package: the one thing that helps who wrote it. */
function brokenPackages(state: State, transfer: TransferRecord): Problem[] {
  if (!transfer.reasons.includes('PACKAGE_BROKEN')) {
    return [];
  }
  const problems: Problem[] = [];
  for (const upload of transfer.uploads) {
    const walk = state.get(keys.follows, upload)?.walk;
    const fault = isPackageWalk(walk) ? walk.fault : null;
    if (fault !== null && problems.length < problemsShownMax) {
      const detail = `${fault.reason} (byte ${fault.offset} of the upload)`;
      problems.push({ sopInstanceUid: '', reasons: ['PACKAGE_BROKEN'], detail });
    }
  }
  return problems;
}
