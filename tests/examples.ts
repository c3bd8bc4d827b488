// Runs every example on every runtime: each must end well and print the same
// everywhere, but for lines with times.
//
//   tsx tests/examples.ts [runtime ...] [part of a file's name ...]
//
// Runtimes: node (the machine's own), newest-node, deno, bun. One at a time,
// so that an example has the machine to itself.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runCommand } from "./support/program.ts";
import { root, type Runtime, runtimes } from "./support/runtimes.ts";

/** Lines that differ from run to run. */
const MEASURED = /\bms\b|speed-up/;

interface Run {
  output: string;
  seconds: number;
  /** What was wrong, if anything. */
  fault: string;
}

async function run(example: string, runtime: Runtime): Promise<Run> {
  const { kind, command, flags } = runtime;
  const file = join("examples", example);
  // Deno leaves the type checks to `npm run check`.
  const args = kind === "deno" ? ["run", "-A", file] : [...flags, file];
  const { code, signal, stdout, stderr, ms, timedOut } = await runCommand(
    command,
    args,
    {
      cwd: root,
      env: { NO_COLOR: "1", FORCE_COLOR: undefined },
      timeout: 120_000,
    },
  );
  const ended = timedOut
    ? "took longer than two minutes"
    : code !== 0
    ? `ended with ${signal ?? `exit code ${code}`}`
    : stdout === ""
    ? "printed nothing"
    : "";
  const output = stdout.split("\n").filter((line) => !MEASURED.test(line));
  return {
    output: output.join("\n").trimEnd(),
    seconds: ms / 1000,
    fault: ended && `${ended}\n${stdout}${stderr}`,
  };
}

function select(): { names: string[]; examples: string[] } {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => arg in runtimes);
  const filters = args.filter((arg) => !(arg in runtimes));
  const examples = readdirSync(join(root, "examples"))
    .filter((name) => name.endsWith(".ts"))
    .filter((name) =>
      filters.length === 0 || filters.some((filter) => name.includes(filter))
    )
    .sort();
  if (examples.length === 0) throw new Error("no example has such a name");
  return { names: names.length > 0 ? names : Object.keys(runtimes), examples };
}

const { names, examples } = select();
const targets = names.map((name) => runtimes[name]!());
const table: Record<string, Record<string, string>> = {};
const total = { passed: 0, failed: 0 };

for (const example of examples) {
  console.log(`\n${example}`);
  const row: Record<string, string> = {};
  /** The first good run, which the others must equal. */
  let model: { output: string; on: string } | undefined;
  for (const runtime of targets) {
    const { output, seconds, fault } = await run(example, runtime);
    let wrong = fault;
    if (!wrong && model && output !== model.output) {
      wrong = `printed something else than on ${model.on}\n${output}`;
    }
    if (!wrong && !model) {
      model = { output, on: runtime.name };
      console.log(output.replaceAll(/^/gm, "  | "));
    }
    total[wrong ? "failed" : "passed"]++;
    row[runtime.identity] = wrong ? "FAILED" : `${seconds.toFixed(1)} s`;
    console.log(`  ${wrong ? "FAILED" : "ok"} on ${runtime.identity}`);
    if (wrong) console.log(wrong.trimEnd().replaceAll(/^/gm, "    | "));
  }
  table[example] = row;
}

console.log();
console.table(table);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
