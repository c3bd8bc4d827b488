import { assertEquals, assertMatch } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { runProgram, runtimeName, runtimeVersion } from "./support/program.ts";

const fixture = new URL("./support/which_runtime.ts", import.meta.url);

test("POLYPOOL_MATRIX names the runtime that the tests really run on", () => {
  const said = process.env["POLYPOOL_MATRIX"];
  // Without the matrix (deno test, bun test, node --test) nothing is claimed.
  if (said === undefined) return;
  assertEquals(said, `${runtimeName}@${runtimeVersion}`);
});

test("runProgram() runs a program on the runtime of the test", async () => {
  const { code, stdout } = await runProgram(fixture, { args: ["a b"] });
  assertEquals(code, 3);
  assertEquals(stdout, `${runtimeName}@${runtimeVersion} a b\n`);
});

test("runProgram() kills a program that runs for too long", async () => {
  const result = await runProgram(fixture, { args: ["hang"], timeout: 4_000 });
  assertEquals(result.timedOut, true);
  assertEquals(result.code, null);
  assertEquals(result.signal, "SIGKILL");
  assertMatch(result.stdout, /hang/);
});
