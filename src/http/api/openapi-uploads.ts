import type { HeaderParameter } from './app.ts';
import { answers, headerParameters, idParameter } from './openapi-parts.ts';

// tus 1.0.0 and RUFH on the same addresses (upload/protocol.ts): what one of them asks for, the other does without.

const optional = (name: string, description: string): HeaderParameter => ({
  name,
  required: false,
  description,
});

const tusVersion = optional('Tus-Resumable', 'tus: 1.0.0, in every request but OPTIONS');
const uploadComplete = optional(
  'Upload-Complete',
  'RUFH: ?1 when this body is the last of the upload, else ?0',
);
const uploadLength = optional('Upload-Length', 'bytes of the whole upload');
const checksums = [
  optional(
    'Upload-Checksum',
    'tus, of this body: md5, sha1, sha256, sha512, crc32 or crc32c, a space, and Base64',
  ),
  optional('Content-Digest', 'RUFH, of this body (RFC 9530): sha-256 or sha-512'),
];
const newUpload = [
  tusVersion,
  uploadComplete,
  uploadLength,
  optional('Upload-Defer-Length', 'tus: 1 when the length is told later'),
  optional('Upload-Metadata', 'tus pairs of key and base64: from, to, priority, filetype, transfer'),
  optional('Upload-Concat', 'tus: partial, or final; and the addresses of parts with one space between'),
  ...checksums,
  optional('Repr-Digest', 'RUFH, of the whole (RFC 9530): sha-256 or sha-512'),
];
const append = [
  tusVersion,
  { name: 'Upload-Offset', required: true, description: 'where the bytes belong: the offset that HEAD told' },
  uploadComplete,
  uploadLength,
  ...checksums,
];
const methodOverride = {
  name: 'X-HTTP-Method-Override',
  required: true,
  description: 'tus: PATCH, DELETE or HEAD; the other headers are those of that method',
};

/** Of an upload, as answers tell it; which of them, its dialect says. */
const progress = {
  'Upload-Offset': 'bytes that are kept, whatever happens',
  'Upload-Complete': 'RUFH: ?1 once the upload is complete',
  'Upload-Expires': 'tus: when an unfinished upload is removed',
  'Upload-Limit': 'RUFH: max-size, and max-age while the upload expires by itself',
};
const state = {
  ...progress,
  'Upload-Length': 'bytes of the whole, once they are known',
  'Upload-Defer-Length': 'tus: 1 until they are',
  'Upload-Concat': 'tus: as it came with the creation',
  'Upload-Metadata': 'tus: as it came, to who sent it',
  'Repr-Digest': 'RUFH: once it was verified',
};
const location = { Location: 'the path of the upload' };

const bytes = {
  content: {
    'application/offset+octet-stream': { schema: {} },
    'application/partial-upload': { schema: {} },
  },
};

export const uploadPaths = {
  '/v1/uploads': {
    options: {
      summary: 'tus 1.0.0 and Resumable Uploads for HTTP (RUFH): versions, extensions and limits',
      responses: answers(204, {
        'Tus-Version': '1.0.0',
        'Tus-Extension': 'with a comma between',
        'Tus-Max-Size': 'bytes of the largest upload',
        'Tus-Checksum-Algorithm': 'with a comma between',
        'Accept-Patch': 'media types of a PATCH',
        'Upload-Limit': 'RUFH: max-size and max-age',
      }),
      security: [],
    },
    post: {
      summary:
        'Makes an upload, also with the first bytes, or all. tus: Upload-Length; RUFH: Upload-Complete',
      parameters: headerParameters(newUpload),
      requestBody: {
        required: false,
        content: { 'application/offset+octet-stream': { schema: {} }, '*/*': { schema: {} } },
      },
      responses: answers(201, { ...location, ...progress }),
    },
  },
  '/v1/uploads/{id}': {
    head: {
      summary: 'Where to go on: Upload-Offset. RUFH: 204',
      parameters: [idParameter, ...headerParameters([tusVersion])],
      responses: answers(200, state),
    },
    patch: {
      summary: 'Appends at Upload-Offset. RUFH: 201 with Location when the upload is complete with it',
      parameters: [idParameter, ...headerParameters(append)],
      requestBody: { required: true, ...bytes },
      responses: answers(204, progress),
    },
    delete: {
      summary: 'Removes an upload that no transfer has claimed',
      parameters: [idParameter, ...headerParameters([tusVersion])],
      responses: answers(204),
    },
    post: {
      summary: 'tus 1.0.0: another method, for clients that can send no other than POST',
      parameters: [idParameter, ...headerParameters([methodOverride, tusVersion])],
      requestBody: { required: false, ...bytes },
      responses: answers(200, state),
    },
    get: {
      summary: 'The bytes so far of an own upload that no transfer has claimed',
      parameters: [idParameter],
      responses: answers(200, progress),
    },
  },
};
