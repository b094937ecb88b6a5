// Prints how many tests passed and failed, from the test runner's own report, alone on the last line. A file whose tests
// could not be run counts as one failed test; so does a report that isn't there.
import { existsSync, readFileSync } from 'node:fs';

const [file] = process.argv.slice(2);
let passed = 0;
let failed = 1;
if (existsSync(file)) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  passed = numPassedTests;
  failed = numFailedTests + broken.length;
}
console.log(`${passed} passed, ${failed} failed`);
