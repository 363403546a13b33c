import { counter } from '../ops/metric.ts';

export const transfersSettled = counter({
  name: 'sluis_transfers_settled_total',
  help: 'transfers of which all is known, by what became of them',
  labels: { state: ['ready', 'held', 'rejected'] },
});

export const transfersExpired = counter({
  name: 'sluis_transfers_expired_total',
  help: 'transfers that their senders did not finish in time',
});

export const instancesInspected = counter({
  name: 'sluis_transfer_instances_inspected_total',
  help: 'instances inspected and hashed, by verdict',
  labels: { verdict: ['accepted', 'held', 'rejected'] },
});

export const inspectedBytes = counter({
  name: 'sluis_transfer_inspected_bytes_total',
  help: 'bytes inspected and hashed',
});

export const transferMetrics = [transfersSettled, transfersExpired, instancesInspected, inspectedBytes];
