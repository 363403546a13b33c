import { setImmediate as nextTurn } from 'node:timers/promises';
import { Forbidden } from '../../access/errors.ts';
import type { KeyRing } from '../../access/key-ring.ts';
import type { Principal } from '../../access/principal.ts';
import type { AddressBook } from '../../addressbook/address-book.ts';
import type { Bell } from '../../delivery/bell.ts';
import type { Deliveries } from '../../delivery/deliveries.ts';
import type { Offers } from '../../delivery/offers.ts';
import { selectionOf } from '../../delivery/selection.ts';
import { keys } from '../../state/keys.ts';
import type { DeliveryRecord, InstanceRecord, TransferRecord } from '../../state/records.ts';
import type { State } from '../../state/state.ts';
import type { Transfers } from '../../transfer/transfers.ts';
import { transferSummary, transferView, type Viewer } from '../../transfer/views.ts';
import { type Route, route, WithStatus } from './app.ts';
import { RequestInvalid } from './errors.ts';
import { instancesPerTurn, jsonValuesMax, jsonValuesPerInstance, preparingSecondsMax } from './limits.ts';
import {
  acknowledgement,
  inboxQuery,
  latePatient,
  mailboxQuery,
  manifest,
  newTransfer,
  transferQuery,
} from './schemas.ts';

export interface ApiLimits {
  readonly remarkCharactersMax: number;
  readonly mailboxesMax: number;
  readonly instancesMax: number;
  readonly instanceBytesMax: number;
}

interface RouteParts {
  readonly state: State;
  readonly keyRing: KeyRing;
  readonly addressBook: AddressBook;
  readonly transfers: Transfers;
  readonly deliveries: Deliveries;
  readonly offers: Offers;
  readonly bell: Bell;
  readonly limits: ApiLimits;
  /** A manifest was sealed just now: perhaps its transfer is complete now. */
  readonly onSealed: (transfer: string) => void;
  /** A BSN was attached just now: these mailboxes have something to send or to prepare anew. */
  readonly onRetagged: (mailboxes: readonly string[]) => void;
}

/** Every route of the JSON API in this milestone. */
export function apiRoutes(parts: RouteParts): Route[] {
  return [...transferRoutes(parts), ...mailboxRoutes(parts), ...deliveryRoutes(parts)];
}

function transferRoutes({
  state,
  keyRing,
  addressBook,
  transfers,
  deliveries,
  limits,
  onSealed,
  onRetagged,
}: RouteParts): Route[] {
  /** For who only receives a transfer; its sender sees all of it. */
  const viewerOf = ({ organization }: Principal, transfer: TransferRecord): Viewer =>
    transfer.organization === organization
      ? 'sender'
      : (mailbox) => addressBook.mailbox(mailbox).organization === organization;
  return [
    route({
      method: 'POST',
      path: '/v1/transfers',
      summary:
        'Opens a transfer; with an Idempotency-Key the same request again answers 200 with the one it made',
      status: 201,
      headers: [
        {
          name: 'Idempotency-Key',
          required: false,
          description: '1 to 255 characters; the same request again answers 200 with the transfer it made',
        },
      ],
      body: newTransfer(limits),
      async handle({ principal, body, header }) {
        const key = header('idempotency-key');
        if (key !== undefined && (key.length === 0 || key.length > 255)) {
          throw new RequestInvalid('body', ['Idempotency-Key has 1 to 255 characters']);
        }
        const request = {
          from: body.from,
          to: body.to,
          priority: body.priority,
          remark: body.remark ?? null,
          intendedFor: body.intendedFor ?? null,
          patient: body.patient ?? null,
        };
        const { transfer, created } = await transfers.create(principal, request, key);
        return new WithStatus(created ? 201 : 200, transferView({ state, keyRing }, transfer, 'sender'));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/transfers',
      summary: 'Own transfers, sent and received, newest first',
      status: 200,
      query: transferQuery,
      handle({ principal, query }) {
        const { found, next } = transfers.list(principal, query);
        const items = found.map((transfer) =>
          transferSummary(state, transfer, viewerOf(principal, transfer)),
        );
        return { items, next };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/transfers/:id',
      summary: 'One transfer with its uploads and deliveries; its receivers see their own deliveries only',
      status: 200,
      handle({ principal, param }) {
        const transfer = transfers.get(principal, param('id'));
        return transferView({ state, keyRing }, transfer, viewerOf(principal, transfer));
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/transfers/:id/manifest',
      summary: 'Seals the manifest, before or after the uploads; sealed never changes',
      status: 200,
      body: manifest(limits),
      bodyValuesMax: valuesOfList(limits),
      async handle({ principal, body, param }) {
        const instances = body.instances.map(({ sopInstanceUid, bytes, sha256 }) => ({
          sopInstanceUid,
          bytes,
          sha256: Buffer.from(sha256, 'hex'),
        }));
        const { transfer, sealed } = await transfers.seal(principal, param('id'), instances, body.reports);
        if (sealed) {
          onSealed(transfer.id);
        }
        return transferView({ state, keyRing }, transfer, 'sender');
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/transfers/:id/patient',
      summary:
        'Attaches the BSN that became known after sending; what is delivered from then on is tagged with it',
      status: 200,
      body: latePatient,
      async handle({ principal, body, param }) {
        const mailboxes: string[] = [];
        const transfer = await transfers.attachBsn(principal, param('id'), body, (tx, changed) => {
          mailboxes.push(...deliveries.retag(tx, changed));
        });
        onRetagged(mailboxes);
        return transferView({ state, keyRing }, transfer, 'sender');
      },
    }),
  ];
}

function mailboxRoutes({ state, addressBook, offers, bell }: RouteParts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/mailboxes',
      summary: 'Searches the address book by name, place, specialty or URA',
      status: 200,
      query: mailboxQuery,
      handle: ({ query }) => ({ items: addressBook.search(query.q), next: null }),
    }),
    route({
      method: 'GET',
      path: '/v1/mailboxes/:id/inbox',
      summary: 'What is offered to a pulled mailbox, most urgent first; wait= long-polls',
      status: 200,
      query: inboxQuery,
      async handle({ principal, query, param, signal }) {
        const mailbox = addressBook.mailbox(param('id'));
        if (mailbox.organization !== principal.organization) {
          throw new Forbidden('this mailbox belongs to another organization');
        }
        const look = (): DeliveryRecord[] => offers.inbox(mailbox.id, query.cursor, query.limit);
        let found = look();
        // Who asks right after a sender was told "ready" gets it, not an empty list.
        const preparing = query.cursor === undefined && offers.isPreparing(mailbox.id);
        const seconds = Math.max(query.wait, preparing ? preparingSecondsMax : 0);
        if (found.length === 0 && seconds > 0) {
          await bell.wait(mailbox.id, seconds * 1000, signal);
          found = look();
        }
        const next = found.length === query.limit ? (found.at(-1)?.id ?? null) : null;
        return { items: found.map((delivery) => inboxItem(state, delivery)), next };
      },
    }),
  ];
}

function deliveryRoutes({ state, deliveries, offers, limits }: RouteParts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/deliveries/:id',
      summary:
        'What a delivery holds: each instance and report with its place in the multipart content and its digests; and what was left out',
      status: 200,
      async handle({ principal, param }) {
        const { delivery, digests } = offers.digests(principal, param('id'));
        const composition = offers.content(delivery, digests);
        const selection = selectionOf(state, delivery);
        const items = [];
        for (let position = 0; position < delivery.of; position++) {
          const item = state.get(keys.instances, [delivery.transfer, selection.numberAt(position)]);
          items.push({
            ...itemView(item),
            offset: composition.offsetOf(position),
            ...digests.get(position),
          });
          if (position % instancesPerTurn === instancesPerTurn - 1) {
            await nextTurn();
          }
        }
        const { id, transfer, mailbox, leftOut, untagged } = delivery;
        const etag = offers.etag(delivery);
        const bytes = composition.total;
        return { id, transfer, mailbox, state: delivery.state, etag, bytes, leftOut, untagged, items };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/deliveries/:id/acknowledge',
      summary: 'The receiver says, per instance or report and with its SHA-256, that it holds it',
      status: 200,
      body: acknowledgement(limits),
      bodyValuesMax: valuesOfList(limits),
      async handle({ principal, body, param }) {
        const { id, delivered, of, ...delivery } = await offers.acknowledge(
          principal,
          param('id'),
          body.items,
        );
        return {
          id,
          state: delivery.state,
          delivered,
          of,
          transferState: stateOf(state, deliveries.get(principal, id)),
        };
      },
    }),
  ];
}

/** A list is as long as the limit for instances: what the schema refuses then is one too many, not millions. */
function valuesOfList({ instancesMax }: ApiLimits): number {
  return jsonValuesMax + jsonValuesPerInstance * instancesMax;
}

/** What an item is; `derived` for what was made here from another one. */
function itemView(item: InstanceRecord | undefined) {
  if (item !== undefined && item.report !== null) {
    return { report: { mediaType: item.report.mediaType } };
  }
  const { sopInstanceUid, studyInstanceUid, seriesInstanceUid } = item?.scan ?? {};
  const derived = (item?.derivedFrom ?? null) === null ? {} : { derived: true };
  return { sopInstanceUid, studyInstanceUid, seriesInstanceUid, ...derived };
}

function inboxItem(
  state: State,
  { id, transfer, priority, of, bytes, state: deliveryState, queuedAt }: DeliveryRecord,
) {
  const sent = state.get(keys.transfers, transfer);
  return {
    delivery: id,
    transfer,
    from: sent?.from,
    priority,
    state: deliveryState,
    instances: of,
    bytes,
    queuedAt: new Date(queuedAt).toISOString(),
  };
}

function stateOf(state: State, { transfer }: DeliveryRecord): string | undefined {
  return state.get(keys.transfers, transfer)?.state;
}
