import { counter } from '../ops/metric.ts';

export const instancesHeld = counter({
  name: 'sluis_delivery_instances_held_total',
  help: 'instances that receivers say they hold',
});

export const instancesRefused = counter({
  name: 'sluis_delivery_instances_refused_total',
  help: 'instances that receivers refused for good',
});

export const deliveredBytes = counter({
  name: 'sluis_delivery_held_bytes_total',
  help: 'bytes of the instances that receivers say they hold',
});

export const attemptsFailed = counter({
  name: 'sluis_delivery_attempts_failed_total',
  help: 'attempts that ended without a clear answer',
});

export const deliveriesEnded = counter({
  name: 'sluis_deliveries_ended_total',
  help: 'deliveries that ended, by their state',
  labels: { state: ['delivered', 'confirmed', 'partial', 'failed', 'recalled'] },
});

export const deliveryMetrics = [
  instancesHeld,
  instancesRefused,
  deliveredBytes,
  attemptsFailed,
  deliveriesEnded,
];
