/** `npm run contracts`: every endpoint of the contracts, with the test that shows it or the reason why it is not there. */
import { ALL_ENDPOINTS, missingClauses } from "#tests/contracts/report.ts";

const missing = missingClauses();
for (const endpoint of ALL_ENDPOINTS) {
  const form = endpoint.form === undefined ? "" : ` (${endpoint.form})`;
  console.log(`${endpoint.method.padEnd(6)} ${endpoint.path}${form}   ${endpoint.contract}`);
  console.log(
    "absent" in endpoint
      ? `       deliberately absent: ${endpoint.absent}`
      : `       tested: ${endpoint.test.file}: ${endpoint.test.title}`,
  );
}
for (const clause of missing)
  console.log(`${clause.method.padEnd(6)} ${clause.path}   ${clause.file}:${clause.line}\n       MISSING`);
const absent = ALL_ENDPOINTS.filter((endpoint) => "absent" in endpoint).length;
console.log(`\n${ALL_ENDPOINTS.length - absent} tested, ${absent} deliberately absent, ${missing.length} missing`);
process.exitCode = missing.length === 0 ? 0 : 1;
