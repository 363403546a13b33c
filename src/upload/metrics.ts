import { counter } from '../ops/metric.ts';

export const uploadsCreated = counter({
  name: 'sluis_uploads_created_total',
  help: 'uploads created',
});

export const uploadsReceived = counter({
  name: 'sluis_uploads_received_total',
  help: 'uploads whose last byte is durable',
});

export const uploadedBytes = counter({
  name: 'sluis_upload_received_bytes_total',
  help: 'bytes of uploads that became durable',
});

export const uploadMetrics = [uploadsCreated, uploadsReceived, uploadedBytes];
