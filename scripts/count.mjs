// Adds up the results that TEST_RESULTS kept:  node scripts/count.mjs DIR
// The last line is `N passed, N failed` and nothing else, for whoever reads CI's output.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('node scripts/count.mjs DIR');
  process.exit(2);
}

let passed = 0;
let failed = 0;
for (const name of readdirSync(folder)
  .filter((one) => one.endsWith('.json'))
  .sort()) {
  const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites, success } = JSON.parse(
    readFileSync(join(folder, name), 'utf8'),
  );
  // A file that could not even be loaded has no failed test in it, and must not count as fine.
  const broken = numFailedTests === 0 && !success ? Math.max(1, numFailedTestSuites) : 0;
  console.log(
    `${name}: ${numPassedTests} passed, ${numFailedTests + broken} failed, ${numPendingTests} skipped`,
  );
  passed += numPassedTests;
  failed += numFailedTests + broken;
}
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;
