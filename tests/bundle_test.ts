import { assertEquals } from "@std/assert";
import { build, type BuildOptions } from "esbuild";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCommand, runProgram, runtimeName } from "./support/program.ts";
import { testIf } from "./support/skip.ts";
import { runtimes } from "./support/runtimes.ts";

const app = fileURLToPath(new URL("./support/bundled_app.ts", import.meta.url));
const expected = {
  stdout: "1 4 9\n2 3 4\n10 20 30\n1 2 3\n2 3 4\n",
  stderr: "",
  code: 0,
};

/** Gives the body a folder far from the sources, and removes it after. */
async function inEmptyFolder(
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await realpath(
    await mkdtemp(join(tmpdir(), "polypool-bundle-")),
  );
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const bundles: Record<string, BuildOptions> = {
  "bundle": {},
  "minified bundle": { minify: true },
  "bundle with names kept": { keepNames: true },
  "minified bundle with names kept": { minify: true, keepNames: true },
};

for (const [kind, options] of Object.entries(bundles)) {
  test(`WorkerPool runs inline functions and task() in a ${kind} of esbuild`, () =>
    inEmptyFolder(async (folder) => {
      const outfile = join(folder, "app.mjs");
      await build({
        entryPoints: [app],
        ...options,
        bundle: true,
        format: "esm",
        platform: "node",
        target: "node20",
        outfile,
        logLevel: "silent",
      });
      const { code, stdout, stderr } = await runProgram(outfile);
      assertEquals({ stdout, stderr, code }, expected);
    }));
}

testIf(runtimeName === "node", "the binary is the same whoever builds it")(
  "WorkerPool starts no process in a single executable of Node",
  () =>
    inEmptyFolder(async (folder) => {
      const text = `
        const { WorkerPool } = require("polypool");
        const depth = Number(process.env.POLYPOOL_DEPTH ?? 0);
        process.env.POLYPOOL_DEPTH = String(depth + 1);
        // Without end, were processes to be started.
        const methods = ["threading", "spawn", "forkserver"];
        (async () => {
          for (const startMethod of depth < 2 ? methods : []) {
            const pool = new WorkerPool({ nJobs: 1, startMethod });
            console.log(await pool.apply((x) => x + 1, [1]).catch(String));
            await pool.terminate();
          }
          process.exit(0);
        })();`;
      await build({
        stdin: { contents: text, resolveDir: folder },
        alias: {
          polypool: fileURLToPath(new URL("../mod.ts", import.meta.url)),
        },
        bundle: true,
        format: "cjs",
        platform: "node",
        target: "node20",
        outfile: join(folder, "app.cjs"),
        logLevel: "silent",
      });
      await writeFile(
        join(folder, "app.json"),
        JSON.stringify({
          main: "app.cjs",
          output: "app",
          disableExperimentalSEAWarning: true,
        }),
      );
      const built = await runCommand(
        runtimes["newest-node"]!().command,
        ["--build-sea", "app.json"],
        { cwd: folder },
      );
      assertEquals(built.code, 0, built.stderr);
      const { stdout } = await runCommand(join(folder, "app"), []);
      const refusal = "Error: Cannot start a process as the program is a " +
        "single executable, which could only run its main module again: use " +
        "startMethod 'threading'\n";
      assertEquals(stdout, `2\n${refusal}${refusal}`);
    }),
);

// The binary holds Bun, whichever runtime has it built.
test("WorkerPool runs inline functions and task() in a binary of bun build --compile", () =>
  inEmptyFolder(async (folder) => {
    const binary = join(
      folder,
      process.platform === "win32" ? "app.exe" : "app",
    );
    const built = await runCommand(runtimes.bun!().command, [
      "build",
      "--compile",
      `--outfile=${binary}`,
      app,
    ]);
    assertEquals(built.code, 0, built.stderr);
    const { code, stdout, stderr } = await runCommand(binary, [], {
      cwd: folder,
    });
    assertEquals({ stdout, stderr, code }, expected);
  }));
