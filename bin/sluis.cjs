#!/usr/bin/env node
'use strict';
// CommonJS and before everything else: both variables are read once, when the thread pool and the
// listener's library are loaded, so the program itself would set them too late.
const { existsSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

process.env.UV_THREADPOOL_SIZE ??= '16';
process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '16384';

// A core dump would hold patient data. Node cannot lower RLIMIT_CORE, but on Linux a process may say
// that none of its memory goes into a dump. Elsewhere the service's own limit has to do it.
try {
  writeFileSync('/proc/self/coredump_filter', '0');
} catch {
  // Not Linux, or a container that forbids it.
}

const main = path.join(__dirname, '..', 'dist', 'src', 'cli', 'main.js');
if (existsSync(main)) {
  import(pathToFileURL(main).href).catch((error) => {
    process.stderr.write(`sluis: the program could not be loaded: ${error.message}\n`);
    process.exitCode = 1;
  });
} else {
  process.stderr.write(`sluis: ${main} is missing, the program has not been built. Run: npm run build\n`);
  process.exitCode = 1;
}
