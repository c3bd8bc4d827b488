// What switches cost that one would like to leave on: a map of 100,000 tiny
// tasks with a timeout, with insights, with progress, each beside the plain
// map, turn and turn about, so that a busy machine is fair to both.
//
//   tsx bench/overheads.ts [runtime ...] [--rounds=n]
//
// Runtimes: node (the machine's own), newest-node, deno, bun; all by default.
// With --here it measures in this process.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { WorkerPool } from "../mod.ts";
import { runCommand } from "../tests/support/program.ts";
import { runtimes } from "../tests/support/runtimes.ts";

const TASKS = 100_000;

/** Rounds that do not count: until then engines still compile. */
const WARM_UP = 30;

const flags = process.argv.slice(2).filter((arg) => arg.startsWith("--"));
const names = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const rounds = Number(
  flags.find((flag) => flag.startsWith("--rounds="))?.slice(9) ?? 31,
);

interface Row {
  "plain, ms": string;
  "with, ms": string;
  overhead: string;
  target: string;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function measure(): Promise<Record<string, Row>> {
  const input = Array.from({ length: TASKS }, (_, i) => i);
  const task = (x: number) => x + 1;
  await using plain = new WorkerPool({ nJobs: 2 });
  // One that has been called more often would be no fair control.
  await using measured = new WorkerPool({ nJobs: 2, enableInsights: true });
  await using unmeasured = new WorkerPool({ nJobs: 2 });

  type Run = () => Promise<unknown>;
  async function time(run: Run): Promise<number> {
    const start = performance.now();
    await run();
    return performance.now() - start;
  }
  const control = () => plain.map(task, input);
  const cases: Record<string, [target: string, control: Run, Run]> = {
    // The control beside itself: what the noise of the machine makes.
    "nothing": ["", control, control],
    "taskTimeout": [
      "< 10 %",
      control,
      () => plain.map(task, input, { taskTimeout: 1000 }),
    ],
    "enableInsights": [
      "< 3 %",
      () => unmeasured.map(task, input),
      () => measured.map(task, input),
    ],
    "onProgress": [
      "",
      control,
      () => plain.map(task, input, { onProgress: () => {} }),
    ],
  };

  const times: Record<string, [control: number, run: number][]> = {};
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [name, [, control, run]] of Object.entries(cases)) {
      // Each comes first every other time.
      const first = round % 2 === 0;
      const before = first ? await time(control) : undefined;
      const taken = await time(run);
      const plainTime = before ?? await time(control);
      if (round >= 0) (times[name] ??= []).push([plainTime, taken]);
    }
  }
  const rows: Record<string, Row> = {};
  for (const [name, pairs] of Object.entries(times)) {
    const ratio = median(pairs.map(([control, run]) => run / control));
    rows[name] = {
      "plain, ms": median(pairs.map(([control]) => control)).toFixed(1),
      "with, ms": median(pairs.map(([, run]) => run)).toFixed(1),
      overhead: `${((ratio - 1) * 100).toFixed(1)} %`,
      target: cases[name]![0],
    };
  }
  return rows;
}

if (flags.includes("--here")) {
  console.table(await measure());
} else {
  const file = fileURLToPath(import.meta.url);
  for (const name of names.length > 0 ? names : Object.keys(runtimes)) {
    const { kind, command, flags, identity } = runtimes[name]!();
    const before = kind === "deno" ? ["run", "-A", "--no-check"] : flags;
    const args = [...before, file, "--here", `--rounds=${rounds}`];
    const options = { timeout: 600_000 };
    const { stdout, stderr } = await runCommand(command, args, options);
    console.log(`${identity}, ${TASKS} tasks, paired medians of ${rounds}`);
    console.log(stdout + stderr);
  }
}
