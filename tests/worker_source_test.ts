import { assert, assertEquals } from "@std/assert";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { generate } from "../src/worker/generate.ts";

const source = new URL("../src/worker/source.ts", import.meta.url);

test("source.ts is what generate.ts makes of main.ts", async () => {
  const committed = await readFile(source, "utf8");
  // Not assertEquals, whose message would hold the whole bundle twice.
  assert(
    committed === await generate(),
    "src/worker/source.ts is stale: npm run build:worker",
  );
});

test("source.ts holds scripts of plain ASCII, which import nothing", async () => {
  const { workerProgram } = await import("../src/worker/source.ts");
  for (const text of workerProgram) {
    assertEquals(text.match(/[^\n\x20-\x7e]/g), null);
    // At the start of a statement, or called: texts may hold the words too.
    const imports = text.matchAll(
      /(?:(?:^|[;\n])import\b[^"();]*|\bimport\(\s*)"([^"]*)"/g,
    );
    for (const [, specifier] of imports) {
      assert(/^(node|bun):/.test(specifier!), `imports ${specifier}`);
    }
  }
});

test("source.ts begins with a program that is not half of it", async () => {
  const { workerProgram: [script, ...texts] } = await import(
    "../src/worker/source.ts"
  );
  // What each worker has to read before its first task.
  assert(script.length < texts.join("").length, `${script.length} characters`);
});
