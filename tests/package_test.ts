import { assertEquals } from "@std/assert";
import { mkdtempSync, realpathSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type ProgramResult,
  runCommand,
  runProgram,
} from "./support/program.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const app = `
import { importTasks, task, WorkerPool } from "polypool";

const factor = 10;
const scale = task((x) => x * factor);
const tasks = importTasks(new URL("./tasks.js", import.meta.url));

const pool = new WorkerPool({ nJobs: 2 });
console.log(...await pool.map((x) => x * x, [1, 2, 3]));
console.log(...await pool.map(scale, [1, 2, 3]));
console.log(...await pool.map(tasks.half, [2, 4, 6]));
await pool.join();
`;

const tasks = `
import { divisor } from "./divisor.js";
export const half = (x) => x / divisor;
`;

const typed = `
import { importTasks, task, WorkerPool } from "polypool";

const pool = new WorkerPool({ nJobs: 2 });
export const squares: Promise<number[]> = pool.map(
  (x: number) => x * x,
  [1, 2, 3],
);
export const lengths: Promise<number[]> = pool.map(
  task((text: string) => text.length),
  ["a", "bc"],
);
const tasks = importTasks<{ half(x: number): number }>(
  new URL("./tasks.js", import.meta.url),
);
export const halves: Promise<number[]> = pool.map(tasks.half, [2, 4]);
// @ts-expect-error: the task takes a number
pool.map((x: number) => x, ["a"]);
`;

const typedConfig = {
  compilerOptions: {
    module: "nodenext",
    target: "es2023",
    lib: ["es2024", "esnext.disposable", "dom"],
    types: [],
    strict: true,
    noEmit: true,
  },
  files: ["typed.ts"],
};

async function npm(args: string[], cwd: string): Promise<void> {
  // npm hands its settings to its scripts: those of the run that started the
  // tests must not reach this one.
  const env = Object.fromEntries(
    Object.keys(process.env)
      .filter((name) =>
        /^npm_(lifecycle|package|command|config_local)/.test(name)
      )
      .map((name) => [name, undefined]),
  );
  const windows = process.platform === "win32";
  succeeded(
    await runCommand(
      windows ? "cmd" : "npm",
      windows ? ["/c", "npm", ...args] : args,
      { cwd, env, timeout: 100_000 },
    ),
  );
}

function succeeded(result: ProgramResult): ProgramResult {
  const { code, stdout, stderr } = result;
  assertEquals(code, 0, `${stdout}\n${stderr}`);
  return result;
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), "polypool-app-")));
after(() => rm(folder, { recursive: true, force: true }));

/** Packs the package and installs it in a project that has nothing else. */
async function installPacked(): Promise<void> {
  await npm(["pack", "--loglevel=error", `--pack-destination=${folder}`], root);
  const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ name: "app", private: true, type: "module" }),
  );
  await npm(
    ["install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`],
    folder,
  );
}

// Once for all tests: it builds the package, which takes seconds.
const installed = installPacked();
// Each test that awaits it reports its failure.
installed.catch(() => {});

test("package.json and deno.json name the same version", async () => {
  const [npmVersion, jsrVersion] = await Promise.all(
    ["package.json", "deno.json"].map(async (file) =>
      JSON.parse(await readFile(join(root, file), "utf8")).version
    ),
  );
  assertEquals(npmVersion, jsrVersion);
});

test("the packed package holds the build and nothing else", async () => {
  await installed;
  const polypool = join(folder, "node_modules", "polypool");
  const files = (await readdir(polypool)).sort();
  assertEquals(files, ["LICENSE", "README.md", "dist", "package.json"]);
  const dist = await readdir(join(polypool, "dist"), { recursive: true });
  const sources = dist.filter((name) =>
    name.endsWith(".ts") && !name.endsWith(".d.ts")
  );
  assertEquals(sources, []);
});

test("the packed package runs tasks of all three kinds", async () => {
  await installed;
  // From another folder: nothing may depend on where the program starts.
  const elsewhere = join(folder, "elsewhere");
  await mkdir(elsewhere);
  await Promise.all([
    writeFile(join(folder, "app.js"), app),
    writeFile(join(folder, "tasks.js"), tasks),
    writeFile(join(folder, "divisor.js"), "export const divisor = 2;\n"),
  ]);
  const { stdout, stderr } = succeeded(
    await runProgram(join(folder, "app.js"), { cwd: elsewhere }),
  );
  assertEquals(stdout, "1 4 9\n10 20 30\n1 2 3\n");
  assertEquals(stderr, "");
});

test("the packed package has types that need no types of any runtime", async () => {
  await installed;
  await Promise.all([
    writeFile(join(folder, "typed.ts"), typed),
    writeFile(join(folder, "tsconfig.json"), JSON.stringify(typedConfig)),
  ]);
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  succeeded(await runCommand("node", [tsc, "-p", folder]));
});
