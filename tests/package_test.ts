import { assertEquals } from "@std/assert";
import { mkdtempSync, realpathSync } from "node:fs";
import {
  cp,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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
import { importTasks, sharedArray, task, WorkerPool } from "polypool";

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
  new URL("file:///tasks.js"),
);
export const halves: Promise<number[]> = pool.map(tasks.half, [2, 4]);
// @ts-expect-error: the task takes a number
pool.map((x: number) => x, ["a"]);
const counts = sharedArray(Int32Array, 3);
export const previous: number = Atomics.add(counts, 0, 1);
export const buffer: SharedArrayBuffer = counts.buffer;
// @ts-expect-error: the kind is another
export const other: Float64Array = counts;
new WorkerPool({ sharedObjects: counts }).map(
  (counts, i: number, x: number) => {
    counts[i] = x;
  },
  [5, 6, 7].entries(),
);
`;

const typedConfig = {
  compilerOptions: {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable", "dom"],
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

/** What the package is made from. */
const PARTS = [
  "mod.ts",
  "src",
  "package.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
];

/**
 * Packs the package, in a copy where no other test builds it at the same time,
 * and installs it in a project that has nothing else.
 */
async function installPacked(): Promise<void> {
  const copy = join(folder, "copy");
  await mkdir(join(copy, "dist"), { recursive: true });
  await Promise.all([
    ...PARTS.map((part) =>
      cp(join(root, part), join(copy, part), { recursive: true })
    ),
    symlink(join(root, "node_modules"), join(copy, "node_modules"), "junction"),
    writeFile(join(copy, "dist", "stale.js"), "Of an earlier build."),
  ]);
  await npm(["pack", "--loglevel=error", `--pack-destination=${folder}`], copy);
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
  assertEquals(files, [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "dist",
    "package.json",
  ]);
  const dist = join(polypool, "dist");
  assertEquals((await readdir(dist)).sort(), [
    "mod.d.ts",
    "mod.js",
    "mod.js.map",
    "src",
  ]);
  const types = await readdir(join(dist, "src"), { recursive: true });
  const others = types.filter((name) =>
    /\.\w+$/.test(name) && !name.endsWith(".d.ts")
  );
  assertEquals(others, []);
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

/** Where each comes from, and how it finds modules. */
const compilers = [
  { name: "TypeScript", owner: ".", module: "nodenext" },
  {
    name: "an older TypeScript that makes CommonJS",
    owner: "@arethetypeswrong/core",
    module: "commonjs",
  },
];

for (const { name, owner, module } of compilers) {
  test(`the packed package has types that need no types of any runtime, for ${name}`, async () => {
    await installed;
    const compilerOptions = { ...typedConfig.compilerOptions, module };
    await Promise.all([
      writeFile(join(folder, "typed.ts"), typed),
      writeFile(
        join(folder, "tsconfig.json"),
        JSON.stringify({ ...typedConfig, compilerOptions }),
      ),
    ]);
    const manifest = join(root, "node_modules", owner, "package.json");
    const tsc = createRequire(manifest).resolve("typescript/package.json");
    succeeded(
      await runCommand("node", [
        join(dirname(tsc), "bin", "tsc"),
        "-p",
        folder,
      ]),
    );
  });
}
