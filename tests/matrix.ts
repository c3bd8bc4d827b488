// Runs the test files on every runtime and prints one result.
//
//   tsx tests/matrix.ts [runtime ...] [part of a file's name ...]
//   tsx tests/matrix.ts deno map      map tests, on Deno only
//   tsx tests/matrix.ts spawn map     map tests, with workers that are spawned
//   tsx tests/matrix.ts --all         each runtime with each start method
//
// Runtimes: node (the machine's own), newest-node, deno, bun. Start methods:
// threading, fork, spawn, forkserver; with others than threading, the files
// whose pool comes from support/pool.ts are run once more. Told nothing, it
// takes threading and one other on each runtime. Each file runs
// in a process of its own, so that one that crashes costs only itself. Its
// output is shown if a test in it fails.
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { root, type Runtime, runtimes } from "./support/runtimes.ts";

interface Outcome {
  file: string;
  passed: number;
  failures: string[];
  skips: string[];
  seconds: number;
  output: string;
}

/** A line of the table. */
interface Row {
  runtime: string;
  passed: number;
  failed: number;
  skipped: number;
  /** What its files took, one after the other. */
  seconds: number;
}

/** A soak may be asked to take longer than it does by itself. */
const FILE_TIMEOUT = 300_000 +
  Number(process.env["POLYPOOL_SOAK_SECONDS"] ?? 0) * 1000;

/** Files at a time: many tests start four workers of their own. */
const FILES_AT_ONCE = Number(process.env["POLYPOOL_MATRIX_JOBS"] ?? 2);

const METHODS = ["threading", "fork", "spawn", "forkserver"];

/** What each runtime is tested with beside threads, unless told otherwise. */
const DEFAULT_METHODS: Record<string, string> = {
  "node": "spawn",
  "newest-node": "fork",
  "deno": "forkserver",
  "bun": "spawn",
};

const isWindows = process.platform === "win32";

/** The command line that runs a test file and writes a JUnit report. */
function testArgs(runtime: Runtime, file: string, report: string): string[] {
  switch (runtime.kind) {
    case "deno":
      return ["test", "-A", "--no-check", `--junit-path=${report}`, file];
    case "bun":
      return [
        "test",
        // Bun's five seconds are too few for programs that start programs.
        "--timeout=120000",
        "--reporter=junit",
        `--reporter-outfile=${report}`,
        file,
      ];
    case "node":
      return [
        ...runtime.flags,
        "--test",
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=junit",
        `--test-reporter-destination=${report}`,
        file,
      ];
  }
}

const reports = mkdtempSync(join(tmpdir(), "polypool-matrix-"));
const running = new Set<ChildProcess>();

/** Kills a test process and the processes that it started. */
function kill(child: ChildProcess): void {
  try {
    // The group of the child, which it leads by `detached`.
    if (isWindows) child.kill();
    else process.kill(-child.pid!, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

async function runFile({ runtime, method, file }: Run): Promise<Outcome> {
  const report = join(reports, `${runtime.name}-${method}-${file}.xml`);
  const log = join(reports, `${runtime.name}-${method}-${file}.log`);
  // A file and no pipe: a process that outlives its test would hold it open.
  const output = openSync(log, "w");
  const start = performance.now();
  const child = spawn(
    runtime.command,
    testArgs(runtime, `./tests/${file}`, report),
    {
      cwd: root,
      env: {
        ...process.env,
        POLYPOOL_MATRIX: runtime.identity,
        POLYPOOL_TEST_START_METHOD: method,
        // Node need not strip the types of each module for each program.
        NODE_COMPILE_CACHE: join(reports, "node-compile-cache"),
        NO_COLOR: "1",
        FORCE_COLOR: undefined,
      },
      stdio: ["ignore", output, output],
      detached: !isWindows,
    },
  );
  running.add(child);
  let ended = "";
  const timer = setTimeout(() => {
    ended = `took longer than ${FILE_TIMEOUT / 1000} s`;
    kill(child);
  }, FILE_TIMEOUT);
  await new Promise<void>((resolve) => {
    child.on("error", (error) => {
      ended = error.message;
      resolve();
    });
    child.on("exit", (code, signal) => {
      if (code !== 0) ended ||= `ended with ${signal ?? `exit code ${code}`}`;
      resolve();
    });
  });
  clearTimeout(timer);
  running.delete(child);
  kill(child);
  closeSync(output);

  const outcome: Outcome = {
    file,
    ...readReport(report, file),
    seconds: (performance.now() - start) / 1000,
    output: readFileSync(log, "utf8"),
  };
  if (ended && outcome.failures.length === 0) {
    outcome.failures.push(`the file ${ended}`);
  }
  if (outcome.passed + outcome.failures.length + outcome.skips.length === 0) {
    outcome.failures.push("the file has no tests");
  }
  return outcome;
}

/** Reads a JUnit report of flat tests; all three runtimes can write one. */
function readReport(
  report: string,
  file: string,
): Pick<Outcome, "passed" | "failures" | "skips"> {
  let xml = "";
  try {
    xml = readFileSync(report, "utf8");
  } catch {
    // The runtime stopped before it wrote a report: its exit code says why.
  }
  const failures: string[] = [];
  const skips: string[] = [];
  let passed = 0;
  // Quoted texts may hold ">": Node leaves it as it is.
  const cases =
    /<testcase\b((?:[^">]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const [, attributes = "", body = ""] of xml.matchAll(cases)) {
    const name = unescape(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? "?");
    const skip = /<skipped\b((?:[^">]|"[^"]*")*)>/.exec(body);
    if (/<(failure|error)\b/.test(body)) {
      failures.push(name);
    } else if (skip) {
      const reason = /message="([^"]*)"/.exec(skip[1]!)?.[1];
      const isKnown = reason === undefined || reason === "true";
      skips.push(isKnown ? name : `${name} [skipped: ${unescape(reason)}]`);
    } else if (!name.endsWith(file)) {
      // Node counts a file without tests as a test that passed.
      passed++;
    }
  }
  return { passed, failures, skips };
}

function unescape(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&amp;", "&");
}

/** A test file, to be run on a runtime with a start method. */
interface Run {
  runtime: Runtime;
  method: string;
  file: string;
}

/** The row of the table that a run counts in. */
const rowOf = ({ runtime, method }: Run) => `${runtime.name}, ${method}`;

/** Runs some at a time, so that no long file has the others wait for it. */
async function runAll(
  runs: Run[],
  onOutcome: (run: Run, outcome: Outcome) => void,
): Promise<void> {
  const left = runs.values();
  async function runFiles(): Promise<void> {
    for (const run of left) {
      const outcome = await runFile(run);
      print(rowOf(run), outcome);
      onOutcome(run, outcome);
    }
  }
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, runFiles));
}

function print(
  row: string,
  { file, passed, failures, skips, seconds, output }: Outcome,
) {
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skips.length > 0) counts.push(`${skips.length} skipped`);
  const mark = failures.length > 0 ? "FAILED" : "ok";
  console.log(
    `${row}: ${mark} ${file}: ${counts.join(", ")} (${seconds.toFixed(1)} s)`,
  );
  if (failures.length > 0) {
    console.log(output.trimEnd().replaceAll(/^/gm, "  | "));
    for (const name of failures) console.log(`  failed: ${name}`);
  }
  for (const name of skips) console.log(`  skipped: ${name}`);
}

/** Whether the tests in the file are to hold for each start method. */
function takesStartMethod(file: string): boolean {
  const text = readFileSync(join(root, "tests", file), "utf8");
  return text.includes('from "./support/pool.ts"');
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => arg in runtimes);
  const isAll = args.includes("--all");
  const methods = args.filter((arg) => METHODS.includes(arg));
  const filters = args.filter((arg) =>
    !(arg in runtimes || METHODS.includes(arg) || arg === "--all")
  );
  const files = readdirSync(join(root, "tests"))
    .filter((name) => name.endsWith("_test.ts"))
    .filter((name) =>
      filters.length === 0 || filters.some((filter) => name.includes(filter))
    )
    .sort();
  const wanted = names.length > 0 ? names : Object.keys(runtimes);

  const isDefault = methods.length === 0 && names.length === 0 && !isAll;
  const rows: Record<string, Row> = {};
  const runs: Run[] = [];
  const skips: string[] = [];
  const failures: string[] = [];
  for (const name of wanted) {
    const chosenMethods = !isDefault
      ? METHODS.filter((method) =>
        methods.length === 0 || methods.includes(method)
      )
      : ["threading", DEFAULT_METHODS[name]!];
    for (const method of chosenMethods) {
      const row = { runtime: "missing", passed: 0, failed: 0, skipped: 0 };
      try {
        const runtime = runtimes[name]!();
        row.runtime = runtime.identity;
        if (files.length === 0) throw new Error("no test file has such a name");
        const chosenFiles = method === "threading"
          ? files
          : files.filter(takesStartMethod);
        if (chosenFiles.length === 0) continue;
        runs.push(...chosenFiles.map((file) => ({ runtime, method, file })));
      } catch (error) {
        // A runtime that cannot be tested is a failure, not a gap.
        row.failed++;
        failures.push(`${name}, ${method}: ${(error as Error).message}`);
      }
      rows[`${name}, ${method}`] = { ...row, seconds: 0 };
    }
  }
  console.log(
    Object.entries(rows).map(([name, { runtime }]) => `${name}: ${runtime}`)
      .join("\n") + "\n",
  );

  await runAll(runs, (run, outcome) => {
    const row = rows[rowOf(run)]!;
    row.passed += outcome.passed;
    row.failed += outcome.failures.length;
    row.skipped += outcome.skips.length;
    row.seconds += outcome.seconds;
    const label = (test: string) => `${rowOf(run)}: ${outcome.file}: ${test}`;
    skips.push(...outcome.skips.map(label));
    failures.push(...outcome.failures.map(label));
  });

  if (skips.length > 0) console.log(`\nSkipped:\n  ${skips.join("\n  ")}`);
  if (failures.length > 0) console.log(`\nFailed:\n  ${failures.join("\n  ")}`);
  if (isDefault) {
    console.log("\nNot all start methods were run on each runtime: use --all");
  }
  console.log();
  for (const row of Object.values(rows)) row.seconds = Math.round(row.seconds);
  console.table(rows);
  const total = (count: "passed" | "failed" | "skipped") =>
    Object.values(rows).reduce((sum, row) => sum + row[count], 0);
  console.log(
    `${total("passed")} passed, ${total("failed")} failed, ` +
      `${total("skipped")} skipped`,
  );
  process.exitCode = total("failed") > 0 ? 1 : 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const child of running) kill(child);
    process.exit(1);
  });
}
process.on("exit", () => rmSync(reports, { recursive: true, force: true }));
await main();
