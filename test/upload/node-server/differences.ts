/** What one header of a step's answer (or its `status`) is, by our dialect, by @tus/server on our store, and by @tus/server with files. */
export type Row = readonly [
  step: string,
  header: string,
  own: string | null,
  node: string | null,
  reference: string | null,
];

export interface Difference {
  /** Why it is meant to be so. */
  readonly why: string;
  readonly are: readonly Row[];
}

/** Every intended difference there is. The test that reads it fails on any other, and on any that is no more. */
export const differences: readonly Difference[] = [
  {
    why: 'Ours tells where the upload stands, and until when, with every answer; @tus/server the offset after bytes and the date after what succeeded, HEAD apart.',
    are: [
      ['POST', 'upload-offset', '0', null, null],
      ['POST of nothing', 'upload-offset', '0', null, null],
      ['POST, length deferred', 'upload-offset', '0', null, null],
      ['POST, trailing slash', 'upload-offset', '0', null, null],
      ['HEAD after POST with metadata', 'upload-expires', 'a date', null, null],
      ['HEAD', 'upload-expires', 'a date', null, null],
      ['HEAD, length deferred', 'upload-expires', 'a date', null, null],
      ['PATCH of more at the end', 'upload-offset', '1000', null, null],
      ['PATCH too early', 'upload-expires', 'a date', null, null],
      ['PATCH too early', 'upload-offset', '1000', null, null],
      ['PATCH too late', 'upload-expires', 'a date', null, null],
      ['PATCH too late', 'upload-offset', '1000', null, null],
      ['PATCH too long', 'upload-expires', 'a date', null, null],
      ['PATCH too long', 'upload-offset', '0', null, null],
      ['HEAD after PATCH too long', 'upload-expires', 'a date', null, null],
      ['PATCH too long, with chunks', 'upload-expires', 'a date', null, null],
      ['PATCH too long, with chunks', 'upload-offset', '0', null, null],
      ['HEAD after PATCH too long, with chunks', 'upload-expires', 'a date', null, null],
      ['PATCH, Upload-Offset: 0x', 'upload-expires', 'a date', null, null],
      ['PATCH, Upload-Offset: 0x', 'upload-offset', '0', null, null],
      ['PATCH, Upload-Offset: -0', 'upload-expires', 'a date', null, null],
      ['PATCH, Upload-Offset: -0', 'upload-offset', '0', null, null],
      ['PATCH with a length that is passed already', 'upload-expires', 'a date', null, null],
      ['PATCH with a length that is passed already', 'upload-offset', '1000', null, null],
      ['PATCH with a length above what may be', 'upload-expires', 'a date', null, null],
      ['PATCH with a length above what may be', 'upload-offset', '0', null, null],
      ['PATCH with another length', 'upload-expires', 'a date', null, null],
      ['PATCH with another length', 'upload-offset', '0', null, null],
      ['HEAD after PATCH with the length', 'upload-expires', 'a date', null, null],
    ],
  },
  {
    why: '@tus/server asks its store for concatenation under a misspelt name and tells it of no parts. Checksums our store verifies; with files they are ignored.',
    are: [
      [
        'OPTIONS',
        'tus-checksum-algorithm',
        'md5,sha1,sha256,sha512,crc32,crc32c',
        'md5,sha1,sha256,sha512,crc32,crc32c',
        null,
      ],
      [
        'OPTIONS',
        'tus-extension',
        'creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation,concatenation-unfinished',
        'creation,creation-with-upload,creation-defer-length,checksum,expiration,termination',
        'creation,creation-with-upload,creation-defer-length,termination,expiration',
      ],
      ['POST of a partial upload', 'location', '/v1/uploads/ID', null, null],
      ['POST of a partial upload', 'status', '201', '501', '501'],
      ['POST of a partial upload', 'upload-expires', 'a date', null, null],
      ['POST of a partial upload', 'upload-offset', '0', null, null],
      ['POST of a final upload', 'status', '400', '501', '501'],
    ],
  },
  {
    why: 'tus 1.0.0, Core: 412 and Tus-Version to another version. @tus/server says 412 only where the header is missing, and never which version it speaks.',
    are: [
      ['POST without Tus-Resumable', 'tus-version', '1.0.0', null, null],
      ['POST of another version', 'status', '412', '400', '400'],
      ['POST of another version', 'tus-version', '1.0.0', null, null],
      ['HEAD without Tus-Resumable', 'tus-version', '1.0.0', null, null],
      ['PATCH without Tus-Resumable', 'tus-version', '1.0.0', null, null],
      ['PATCH of another version', 'status', '412', '400', '400'],
      ['PATCH of another version', 'tus-version', '1.0.0', null, null],
    ],
  },
  {
    why: 'tus 1.0.0, Core: a non-negative integer, and 007 is one. @tus/server takes what JavaScript would write.',
    are: [
      ['POST, Upload-Length: 007', 'location', '/v1/uploads/ID', null, null],
      ['POST, Upload-Length: 007', 'status', '201', '400', '400'],
      ['POST, Upload-Length: 007', 'upload-expires', 'a date', null, null],
      ['POST, Upload-Length: 007', 'upload-offset', '0', null, null],
    ],
  },
  {
    why: 'Methods that an address does not have: 405 with us; @tus/server creates with POST anywhere, and says 404 to the rest.',
    are: [
      ['POST to an upload', 'location', null, '/v1/uploads/ID', '/v1/uploads/ID'],
      ['POST to an upload', 'status', '405', '201', '201'],
      ['POST to an upload', 'upload-expires', null, 'a date', 'a date'],
      ['PATCH of the collection', 'status', '405', '404', '404'],
      ['PUT', 'status', '405', '404', '404'],
    ],
  },
  {
    why: '@tus/server keeps values as text, not as they came: bytes that are no UTF-8 come back as others. Our store keeps the header, but @tus/server writes the answer.',
    are: [
      ['HEAD after POST with a value that is no UTF-8', 'upload-expires', 'a date', null, null],
      [
        'HEAD after POST with a value that is no UTF-8',
        'upload-metadata',
        'name /////w==',
        'name 77+977+977+977+9',
        'name 77+977+977+977+9',
      ],
    ],
  },
  {
    why: 'Clients send an empty Upload-Metadata, and a space after a comma: ours is content with both.',
    are: [
      ['POST, metadata empty', 'location', '/v1/uploads/ID', null, null],
      ['POST, metadata empty', 'status', '201', '400', '400'],
      ['POST, metadata empty', 'upload-expires', 'a date', null, null],
      ['POST, metadata empty', 'upload-offset', '0', null, null],
      ['POST, metadata with a space after a comma', 'location', '/v1/uploads/ID', null, null],
      ['POST, metadata with a space after a comma', 'status', '201', '400', '400'],
      ['POST, metadata with a space after a comma', 'upload-expires', 'a date', null, null],
      ['POST, metadata with a space after a comma', 'upload-offset', '0', null, null],
    ],
  },
  {
    why: 'What our program reads in the metadata has to be right, whoever reads the request.',
    are: [
      ['POST, priority that is none', 'location', null, null, '/v1/uploads/ID'],
      ['POST, priority that is none', 'status', '400', '400', '201'],
      ['POST, priority that is none', 'upload-expires', null, null, 'a date'],
    ],
  },
  {
    why: 'A body that is not application/offset+octet-stream is none that can be stored: 415, where @tus/server creates the upload and drops the bytes.',
    are: [
      ['POST with bytes of another type', 'location', null, '/v1/uploads/ID', '/v1/uploads/ID'],
      ['POST with bytes of another type', 'status', '415', '201', '201'],
      ['POST with bytes of another type', 'upload-expires', null, 'a date', 'a date'],
      ['POST with bytes of no type', 'location', null, '/v1/uploads/ID', '/v1/uploads/ID'],
      ['POST with bytes of no type', 'status', '415', '201', '201'],
      ['POST with bytes of no type', 'upload-expires', null, 'a date', 'a date'],
    ],
  },
  {
    why: '@tus/server knows no Upload-Checksum; our store looks for it itself. Ours tells with a refused creation where the upload is all the same.',
    are: [
      ['POST with wrong bytes', 'location', '/v1/uploads/ID', null, '/v1/uploads/ID'],
      ['POST with wrong bytes', 'status', '460', '460', '201'],
      ['POST with wrong bytes', 'upload-expires', 'a date', null, null],
      ['POST with wrong bytes', 'upload-offset', '0', null, '1000'],
      ['PATCH with another checksum', 'status', '460', '460', '204'],
      ['PATCH with another checksum', 'upload-expires', 'a date', null, null],
      ['PATCH with another checksum', 'upload-offset', '0', null, '1000'],
      ['HEAD after PATCH with another checksum', 'upload-expires', 'a date', null, null],
      ['HEAD after PATCH with another checksum', 'upload-offset', '0', '0', '1000'],
      ['PATCH with a checksum of no known kind', 'status', '400', '400', '204'],
      ['PATCH with a checksum of no known kind', 'upload-expires', 'a date', null, null],
      ['PATCH with a checksum of no known kind', 'upload-offset', '0', null, '1000'],
    ],
  },
  {
    why: 'We tell @tus/server where the id is, as it takes a query for a part of it, and nothing of proxies, as it refuses what they say.',
    are: [
      ['HEAD with a query', 'status', '200', '200', '404'],
      ['HEAD with a query', 'upload-expires', 'a date', null, null],
      ['HEAD with a query', 'upload-length', '10', '10', null],
      ['HEAD with a query', 'upload-offset', '0', '0', null],
      ['HEAD through two proxies', 'status', '200', '200', '400'],
      ['HEAD through two proxies', 'upload-expires', 'a date', null, null],
      ['HEAD through two proxies', 'upload-length', '10', '10', null],
      ['HEAD through two proxies', 'upload-offset', '0', '0', null],
    ],
  },
  {
    why: 'A header that is missing or wrong is a bad request, and a media type that is wrong is 415 (tus 1.0.0, Core, PATCH); @tus/server has 403 for what is missing.',
    are: [
      ['PATCH without an offset', 'status', '400', '403', '403'],
      ['PATCH without an offset', 'upload-expires', 'a date', null, null],
      ['PATCH without an offset', 'upload-offset', '0', null, null],
      ['PATCH of no type', 'status', '415', '403', '403'],
      ['PATCH of no type', 'upload-expires', 'a date', null, null],
      ['PATCH of no type', 'upload-offset', '0', null, null],
      ['PATCH of another type', 'status', '415', '400', '400'],
      ['PATCH of another type', 'upload-expires', 'a date', null, null],
      ['PATCH of another type', 'upload-offset', '0', null, null],
    ],
  },
  {
    why: 'RFC 9110, 8.3.1: a media type may have parameters.',
    are: [
      ['PATCH of the type with a parameter', 'status', '204', '400', '400'],
      ['PATCH of the type with a parameter', 'upload-offset', '1000', null, null],
    ],
  },
  {
    why: 'tus 1.0.0, Creation, Defer Length: it may not change; ours takes one that is told again and does not.',
    are: [
      ['PATCH with the length that is known', 'status', '204', '400', '400'],
      ['PATCH with the length that is known', 'upload-offset', '1000', null, null],
    ],
  },
  {
    why: 'GET is not part of tus. Ours gives what is there of an unfinished upload, and Tus-Resumable with every answer.',
    are: [
      ['GET of an unfinished upload', 'bytes', 'true', null, null],
      ['GET of an unfinished upload', 'status', '200', '404', '404'],
      ['GET of an unfinished upload', 'tus-resumable', '1.0.0', '1.0.0', null],
      ['GET', 'tus-resumable', '1.0.0', '1.0.0', null],
      ['GET without Tus-Resumable', 'tus-resumable', '1.0.0', '1.0.0', null],
      ['GET of none', 'tus-resumable', '1.0.0', '1.0.0', null],
    ],
  },
  {
    why: 'tus 1.0.0, Core, X-HTTP-Method-Override: @tus/server never reads it.',
    are: [
      ['POST as PATCH', 'status', '204', '400', '400'],
      ['POST as PATCH', 'upload-offset', '1000', null, null],
    ],
  },
  {
    why: 'Who is replaced gets 409 with the true offset; @tus/server ends its body and says 204 to what came. The next two requests then find the same offset.',
    are: [['a PATCH that stalls, after another came', 'status', '409', '204', '204']],
  },
  {
    why: 'HEAD waits for nobody and stops nobody with us, nor on our store; else @tus/server takes the lock for it, which ends the body that is coming.',
    are: [
      ['a PATCH that goes on, after a HEAD', 'upload-expires', null, null, 'a date'],
      ['a PATCH that goes on, after a HEAD', 'upload-offset', '1000', '1000', '600'],
    ],
  },
];
