// polypool beside its peers and beside workers without a pool, on each runtime.
//
//   npm run bench -- [runtime ...] [workload ...] [--quick] [--rounds=n]
//                    [--limit=seconds] [--against=name,name]
//
// Runtimes: node (the machine's own), newest-node, deno, bun. Workloads: the
// names in workloads/all.ts. All by default, and all contestants: --against
// leaves out all that none of the names begins, but for controls and polypool;
// a peer that takes milliseconds for each call takes the bench hours. Charts
// and figures go to bench/results, with --quick to bench/dist/results.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { runtimes } from "../tests/support/runtimes.ts";
import { barChart, lineChart, type ResultsByRuntime } from "./core/chart.ts";
import { holdContest } from "./core/contest.ts";
import { buildPrograms, installPeers } from "./core/prepare.ts";
import { printTable } from "./core/report.ts";
import { describeSystem, peerVersions } from "./core/system.ts";
import { workloads } from "./workloads/all.ts";

const USAGE =
  "npm run bench -- [runtime ...] [workload ...] [--quick] [--rounds=n] " +
  "[--limit=seconds] [--against=name,name]";

const { positionals, values: flags } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    limit: { type: "string" },
    against: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const names = [...Object.keys(runtimes), ...Object.keys(workloads)].join(", ");
if (flags.help) {
  console.log(`${USAGE}\n\nRuntimes and workloads: ${names}`);
  process.exit();
}
for (const name of positionals) {
  if (!(name in runtimes) && !(name in workloads)) {
    throw new Error(`Cannot bench '${name}': it is none of ${names}`);
  }
}
/** Those that were asked for; all if none was. */
function chosen(names: string[]): string[] {
  const some = names.filter((name) => positionals.includes(name));
  return some.length > 0 ? some : names;
}

const { quick } = flags;
const options = {
  quick,
  rounds: Number(flags.rounds),
  limit: Number(flags.limit ?? (quick ? 20 : 120)) * 1000,
  against: flags.against?.split(","),
};
const system = describeSystem();
const date = new Date().toISOString().slice(0, 10);
console.log(JSON.stringify(system));
installPeers();
await buildPrograms();

const folder = new URL(quick ? "dist/results/" : "results/", import.meta.url);
const file = new URL(`${date}.json`, folder);
mkdirSync(folder, { recursive: true });
// What is measured again takes the place of what was measured that day.
const results: Record<string, ResultsByRuntime> = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8")).results
  : {};

/** Writes what is known by now: a bench that is stopped has not run in vain. */
function save(): void {
  const about = { date, quick, rounds: options.rounds, system };
  const record = { ...about, peers: peerVersions(), results };
  writeFileSync(file, JSON.stringify(record, null, 1) + "\n");
  for (const [name, byRuntime] of Object.entries(results)) {
    const workload = workloads[name]!;
    writeFileSync(
      new URL(`${name}.svg`, folder),
      barChart(workload, byRuntime),
    );
    if (Object.values(byRuntime).flat().some(({ series }) => series)) {
      const title = `${workload.title}: memory from first to last`;
      writeFileSync(
        new URL(`${name}-memory.svg`, folder),
        lineChart(title, byRuntime),
      );
    }
  }
}

for (const name of chosen(Object.keys(workloads))) {
  const workload = workloads[name]!;
  for (const runtimeName of chosen(Object.keys(runtimes))) {
    const runtime = runtimes[runtimeName]!();
    const found = await holdContest(runtime, [name, workload], options);
    (results[name] ??= {})[runtime.identity] = found;
    printTable(runtime.identity, workload, found);
    save();
  }
}
