/** Does a server keep to tus 1.0.0? One named check for each MUST and SHOULD; nothing of the exchange is needed. */
import { writeFileSync } from 'node:fs';
import { type Arguments, argumentsOf, type Target, UsageError, usage } from './arguments.ts';
import { checks, untestable } from './checks/index.ts';
import { idsOf, linesOf, markdownOf, summaryOf } from './report.ts';
import { conformance, type Report, Unusable } from './suite.ts';

/** On a terminal the line of the check that runs is written over; elsewhere a line every so many checks. */
const PROGRESS_EVERY = 25;

function progress(id: string, done: number, all: number): void {
  const line = `${String(done)} of ${String(all)}  ${id}`;
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${done === all ? '' : line}`);
  else if (done % PROGRESS_EVERY === 0 || done === all) console.error(line);
}

function list(): void {
  for (const { id, level, says, needs } of checks) {
    const when = needs.length === 0 ? '' : ` [${needs.join(', ')}]`;
    console.log(`${level.padEnd(6)}  ${id}${when}\n        ${says}`);
  }
  console.log('\nNot testable from outside:');
  for (const [says, why] of untestable) console.log(`        ${says}: ${why}`);
}

async function look({ url, name, headers }: Target, given: Arguments): Promise<Report> {
  const { metadata, bytes, waitMs, insecure, only } = given;
  console.error(`${name}: ${url.href}`);
  const report = await conformance({
    ...{ url, headers, metadata, bytes, waitMs, insecure },
    isWanted: (id) => only?.test(id) ?? true,
    onResult: ({ id }, done, all) => progress(id, done, all),
  });
  const { versions, extensions, algorithms } = report;
  console.log(
    `\n${name}: tus ${versions.join()}; ${extensions.join()}; ${algorithms.join() || 'no checksums'}`,
  );
  console.log(`${linesOf(report)}\n\n${name}: ${summaryOf(report)}\n`);
  return report;
}

async function main(): Promise<number> {
  const given = argumentsOf(process.argv.slice(2));
  if (given.list) {
    list();
    return 0;
  }
  if (given.only !== undefined && !checks.some(({ id }) => given.only?.test(id)))
    throw new UsageError(`--only ${given.only.source}: no check is called so; --list names them`);
  const reports: [string, Report][] = [];
  for (const target of given.targets) reports.push([target.name, await look(target, given)]);
  if (given.json !== undefined) {
    const servers = Object.fromEntries(reports);
    writeFileSync(given.json, `${JSON.stringify({ name: 'conformance', servers }, null, 2)}\n`);
  }
  if (given.markdown !== undefined) writeFileSync(given.markdown, markdownOf(reports));
  return reports.some(([, report]) => idsOf(report, 'fail').length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`);
  else if (error instanceof Unusable) console.error(error.message);
  else console.error(error);
  process.exitCode = 2;
}
