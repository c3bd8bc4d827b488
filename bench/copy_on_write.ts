// What a large shared object costs in memory with each start method: the
// program and four workers together, by what Linux counts for each of them
// (Pss: pages that several processes have count in parts).
//
//   tsx bench/copy_on_write.ts [runtime ...]
//
// Runtimes: node (the machine's own), newest-node, deno, bun; all by default.
// With --here it measures in this process.
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type StartMethod, WorkerPool } from "../mod.ts";
import { runCommand } from "../tests/support/program.ts";
import { runtimes } from "../tests/support/runtimes.ts";

const MIB = 2 ** 20;
const SIZE = 256 * MIB;
const WORKERS = 4;
const METHODS: StartMethod[] = ["threading", "fork", "spawn", "forkserver"];

/** MiB of this process and of all that come from it. */
function memory(): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
      parents.set(Number(name), Number(parent));
    } catch {
      // It has just ended.
    }
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid === process.pid || (pid !== undefined && isOurs(parents.get(pid)));
  let total = 0;
  for (const pid of [...parents.keys()].filter(isOurs)) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      total += Number(/^Pss: +(\d+)/m.exec(rollup)?.[1]) / 1024;
    } catch {
      // It has just ended.
    }
  }
  return Math.round(total);
}

async function measure(
  startMethod: StartMethod,
): Promise<Record<string, number>> {
  const numbers = new Float64Array(SIZE / 8).fill(1);
  const before = memory();
  const all = Array.from({ length: WORKERS }, (_, i) => i);
  const options = { chunkSize: 1, maxTasksActive: WORKERS };
  async function more(sharedObjects: Float64Array): Promise<number[]> {
    await using pool = new WorkerPool({
      nJobs: WORKERS,
      startMethod,
      sharedObjects,
      orderTasks: true,
    });
    await pool.map((_numbers, x: number) => x, all, options);
    const begun = memory() - before;
    const sums = await pool.map(
      (numbers, _x: number) => numbers.reduce((sum, x) => sum + x, 0),
      all,
      options,
    );
    if (sums.some((sum) => sum !== sharedObjects.length)) {
      throw new Error("a sum is wrong");
    }
    const read = memory() - before;
    await pool.map(
      (numbers, x: number) => {
        numbers.fill(x, 0, numbers.length / 8);
      },
      all,
      options,
    );
    return [begun, read, memory() - before];
  }
  const [without] = await more(new Float64Array(1).fill(1));
  const [begun, read, written] = await more(numbers);
  return {
    "no array": without!,
    "begun": begun! - without!,
    "all read": read! - without!,
    "1/8 written": written! - without!,
  };
}

const args = process.argv.slice(2);
if (args.includes("--here")) {
  const method = args.find((arg) => METHODS.includes(arg as StartMethod));
  console.log(JSON.stringify(await measure(method as StartMethod)));
  process.exit(0);
}
const file = fileURLToPath(import.meta.url);
for (const name of args.length > 0 ? args : Object.keys(runtimes)) {
  const { kind, command, flags, identity } = runtimes[name]!();
  const before = kind === "deno" ? ["run", "-A", "--no-check"] : flags;
  const rows: Record<string, unknown> = {};
  for (const method of METHODS) {
    const { stdout, stderr } = await runCommand(
      command,
      [...before, file, "--here", method],
      { timeout: 300_000 },
    );
    if (stderr !== "") console.error(stderr);
    rows[method] = stdout === "" ? "failed" : JSON.parse(stdout);
  }
  console.log(
    `${identity}: MiB for ${WORKERS} workers and ${SIZE / MIB} MiB of numbers`,
  );
  console.table(rows);
}
