import { assert, assertEquals } from "@std/assert";
import { build } from "esbuild";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runProgram, runtimeName } from "./support/program.ts";
import { testIf } from "./support/skip.ts";

const onLinux = testIf(process.platform === "linux", "it reads /proc");

/** The garbage collector may miss a few of the pools that were dropped. */
const MISSED = 10;

onLinux(
  "WorkerPool leaves nothing behind when 1,000 pools are made, used, broken and dropped",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "polypool-"));
    try {
      // As JavaScript, for workers start far faster without a TypeScript loader.
      const program = join(folder, "soak.mjs");
      await build({
        entryPoints: [
          fileURLToPath(new URL("./fixtures/life/soak.ts", import.meta.url)),
        ],
        outfile: program,
        bundle: true,
        format: "esm",
        platform: "node",
        target: "es2024",
        logLevel: "silent",
      });
      const { code, stdout, stderr, timedOut, ms } = await runProgram(program, {
        args: ["1000"],
        timeout: 180_000,
        nodeArgs: ["--expose-gc"],
        permissions: ["-A", "--v8-flags=--expose-gc"],
      });
      const unexpected = stderr.split("\n").filter((line) =>
        line !== "" && !line.includes("cannot stop a thread")
      );
      assertEquals({ code, unexpected, timedOut }, {
        code: 0,
        unexpected: [],
        timedOut: false,
      });
      console.log(
        `${runtimeName}, ${Math.round(ms / 1000)} s: ${stdout.trim()}`,
      );
      const { before, after } = JSON.parse(stdout);
      const more = (what: string) => after[what] - before[what];
      assert(more("threads") <= MISSED + 3, stdout);
      // Of each worker, runtimes have up to five.
      assert(more("files") <= MISSED * 5 + 8, stdout);
      // Pools that kept their workers would take thousands of MB.
      assert(more("memory") <= 250, stdout);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
