import { counted, gauge, type Metric } from '../ops/metric.ts';
import { processBodies } from './body-budget.ts';
import { bodyLimits, bridgeLimits } from './limits.ts';
import { processSlabs } from './slabs.ts';

/** Plain numbers, moved by this folder and read by ops. All but `live` only grow. */
export const httpCounts = {
  /** Exchanges that began, and those not yet answered whole. */
  requests: 0,
  live: 0,
  /** Body bytes that arrived, */
  bodyBytes: 0,
  /** those of them that were written synchronously because a queue or the budget was full, */
  overrunBytes: 0,
  /** or because that is cheaper while the sink is quick, */
  directBytes: 0,
  /** and how often a peer was paused. */
  pauses: 0,
  /** Turns of the loop that brought so much that all other fast bodies had to wait. */
  turnsClosed: 0,
  /** Connections cut because too much came before their handler had asked. */
  heldCuts: 0,
  /** The most that ever waited of one body: never above 8 MiB and one read. */
  bodyQueueBytesPeak: 0,
  /** Peers that vanished before their answer was out, those we cut for being idle, and for trickling. */
  peersGone: 0,
  idleCuts: 0,
  rateCuts: 0,
  /** Heads refused by the guard. */
  headsRefused: 0,
};

const { small, large } = bridgeLimits.bodiesBytes;

/** What Prometheus sees of them. */
export const httpMetrics: readonly Metric[] = [
  counted({ name: 'sluis_http_requests_total', help: 'requests begun', read: () => httpCounts.requests }),
  gauge({
    name: 'sluis_http_requests_live',
    help: 'requests not answered whole yet',
    read: () => httpCounts.live,
  }),
  counted({
    name: 'sluis_http_body_bytes_total',
    help: 'bytes of request bodies that arrived',
    read: () => httpCounts.bodyBytes,
  }),
  counted({
    name: 'sluis_http_overrun_bytes_total',
    help: 'bytes written synchronously because a queue or the budget was full: see tcp_rmem',
    read: () => httpCounts.overrunBytes,
  }),
  counted({
    name: 'sluis_http_direct_bytes_total',
    help: 'bytes written straight from the socket because their sink was quick',
    read: () => httpCounts.directBytes,
  }),
  counted({
    name: 'sluis_http_pauses_total',
    help: 'times a peer was paused',
    read: () => httpCounts.pauses,
  }),
  counted({
    name: 'sluis_http_turns_closed_total',
    help: 'turns of the event loop that read so much that other fast bodies had to wait: see tcp_rmem',
    read: () => httpCounts.turnsClosed,
  }),
  counted({
    name: 'sluis_http_held_cuts_total',
    help: 'peers cut because too much of their body came before anybody asked for it',
    read: () => httpCounts.heldCuts,
  }),
  counted({
    name: 'sluis_http_peers_gone_total',
    help: 'peers that vanished before their answer was out',
    read: () => httpCounts.peersGone,
  }),
  counted({
    name: 'sluis_http_idle_cuts_total',
    help: 'peers cut because nothing moved for too long',
    read: () => httpCounts.idleCuts,
  }),
  counted({
    name: 'sluis_http_rate_cuts_total',
    help: 'peers cut because their body came too slowly for too long',
    read: () => httpCounts.rateCuts,
  }),
  counted({
    name: 'sluis_http_heads_refused_total',
    help: 'request heads that could not be served safely',
    read: () => httpCounts.headsRefused,
  }),
  gauge({
    name: 'sluis_http_body_queue_peak_bytes',
    help: `the most that waited of one body since the start; the limit is ${bodyLimits.queueBytesHard.toString()} and one read`,
    read: () => httpCounts.bodyQueueBytesPeak,
  }),
  gauge({
    name: 'sluis_http_slab_bytes',
    help: `bytes of request bodies that wait in memory; the limit is ${(bodyLimits.slabBytesTotal + bodyLimits.heldBytesTotal).toString()}`,
    read: () => processSlabs.bytesInUse,
  }),
  gauge({
    name: 'sluis_http_whole_body_bytes',
    help: `bytes that JSON bodies held whole may come to; the limit is ${(small + large).toString()}`,
    read: () => processBodies.bytesInUse,
  }),
];
