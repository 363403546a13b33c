import type { KeyRing } from '../access/key-ring.ts';
import { keys } from '../state/keys.ts';
import type { TransferRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { isPackageWalk } from '../study/package.ts';
import { setAsideText } from '../study/set-aside.ts';
import { problemsShownMax, setAsideShownMax, studiesShownMax } from './limits.ts';
import { type ReasonCode, reasons } from './reasons.ts';

/** Who looks: the sender, or a receiver by his own mailboxes; he is not told who else receives. */
export type Viewer = 'sender' | ((mailbox: string) => boolean);

/** A transfer in a list; no patient data. */
export function transferSummary(state: State, transfer: TransferRecord, viewer: Viewer) {
  const { id, from, priority, reasons: codes, reports, expected, bytes } = transfer;
  const seen = (mailbox: string): boolean => viewer === 'sender' || viewer(mailbox);
  return {
    id,
    from,
    to: transfer.to.filter(seen),
    priority,
    state: transfer.state,
    reasons: codes,
    instances: transfer.instances - reports - (transfer.derived ?? 0),
    reports,
    expected,
    bytes,
    deliveries: deliveriesOf(state, id).filter(({ mailbox }) => seen(mailbox)),
    createdAt: new Date(transfer.createdAt).toISOString(),
    updatedAt: new Date(transfer.updatedAt).toISOString(),
  };
}

/**
 * The same with why it is stopped, its studies and, for its sender, its uploads and the names of what was
 * set aside, which are his own. No patient data otherwise.
 */
export function transferView(
  { state, keyRing }: { state: State; keyRing: KeyRing },
  transfer: TransferRecord,
  viewer: Viewer,
) {
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
    studies: studiesOf(state, transfer.id),
    setAside: viewer === 'sender' ? setAsideOf(state, keyRing, transfer) : null,
    uploads: uploads.flatMap((upload) => uploadView(state, upload)),
  };
}

function studiesOf(state: State, transfer: string) {
  const range = { prefix: [transfer], limit: studiesShownMax };
  return [...state.list(keys.studies, range)].map(({ key, value }) => ({
    studyInstanceUid: key[1],
    instances: value.instances,
    bytes: value.bytes,
  }));
}

/** What archives held beside instances and reports: the sender has to see that it was not sent. */
function setAsideOf(state: State, keyRing: KeyRing, { id, setAside }: TransferRecord) {
  const range = { prefix: [id], limit: setAsideShownMax };
  const items = [...state.list(keys.setAside, range)].map(({ value }) => ({
    name: keyRing.unseal('entry-name', value.name).toString(),
    why: value.why,
    ...setAsideText[value.why],
    bytes: value.bytes,
  }));
  return { count: setAside, items };
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
    const { id, mailbox, delivered, of, leftOut, untagged, attempts, lastOutcome } = delivery;
    const counts = { delivered, of, leftOut, untagged };
    return [{ id, mailbox, state: delivery.state, ...counts, attempts, lastOutcome, receipt: null }];
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
