import { counter } from '../ops/metric.ts';

export const uploadsCreated = counter({
  name: 'sluis_uploads_created_total',
  help: 'uploads created',
});

export const uploadsReceived = counter({
  name: 'sluis_uploads_received_total',
  help: 'uploads whose last byte is durable',
});

export const uploadsExpired = counter({
  name: 'sluis_uploads_expired_total',
  help: 'uploads removed because their time was over',
});

export const uploadedBytes = counter({
  name: 'sluis_upload_received_bytes_total',
  help: 'bytes of uploads that became durable',
});

export const uploadTakeovers = counter({
  name: 'sluis_upload_takeovers_total',
  help: 'requests that took an upload over from another one',
});

export const checksumMismatches = counter({
  name: 'sluis_upload_checksum_mismatches_total',
  help: 'bodies and uploads that were not what their checksum or digest says',
});

export const uploadMetrics = [
  uploadsCreated,
  uploadsReceived,
  uploadsExpired,
  uploadedBytes,
  uploadTakeovers,
  checksumMismatches,
];
