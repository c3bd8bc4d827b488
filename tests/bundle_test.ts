import { assertEquals } from "@std/assert";
import { build, type BuildOptions } from "esbuild";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCommand, runProgram } from "./support/program.ts";
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
