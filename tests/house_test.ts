import { assert, assertEquals } from "@std/assert";
import * as stdAssert from "@std/assert";
import { readdir, readFile } from "node:fs/promises";
import { sep } from "node:path";
import { test } from "node:test";
import { stripCode } from "./support/strip_code.ts";

interface Source {
  file: string;
  text: string;
  code: string;
}

const MAX_LINES = 300;

/** Reads the TypeScript files under a folder of the repository. */
async function read(folder: string): Promise<Source[]> {
  const base = new URL(`../${folder}/`, import.meta.url);
  const names = await readdir(base, { recursive: true });
  const files = names.map((name) => name.replaceAll(sep, "/")).filter((name) =>
    name.endsWith(".ts") && !name.includes("node_modules/")
  );
  return await Promise.all(
    files.sort().map(async (name) => {
      const text = await readFile(new URL(name, base), "utf8");
      return { file: `${folder}/${name}`, text, code: stripCode(text) };
    }),
  );
}

/** Lists the places of a pattern as `file:line: text`. */
function places({ file, text, code }: Source, pattern: RegExp): string[] {
  const lines = text.split("\n");
  return code.split("\n").flatMap((line, index) =>
    pattern.test(line) ? [`${file}:${index + 1}: ${lines[index]!.trim()}`] : []
  );
}

const generated = "src/worker/source.ts";
const sources = (await read("src")).filter(({ file }) => file !== generated);

test("stripCode() keeps code and drops comments, strings and regular expressions", () => {
  const code = stripCode(
    [
      "a /* Deno */ + b; // Bun",
      "c('it\\'s Deno') / d / \"Bun\";",
      "`x ${ process.pid + `${ y }Deno` } Bun`; e",
      "f(/[/]Deno'/g, g);",
    ].join("\n"),
  );
  assertEquals(code.includes("Deno"), false);
  assertEquals(code.includes("Bun"), false);
  assertEquals(code.match(/\b[a-g]\b|process|y/g), [
    "a",
    "b",
    "c",
    "d",
    "process",
    "y",
    "e",
    "f",
    "g",
  ]);
  assertEquals(code.split("\n").length, 4);
});

test("Only src/runtime/ names Deno, Bun, process or performance", () => {
  const tool = "src/worker/generate.ts";
  const core = sources.filter(({ file }) =>
    !file.startsWith("src/runtime/") && file !== tool
  );
  assert(core.length > 0);
  // A property or an option may be called process: a pool's workers are some.
  const named = /\b(?:Deno|Bun|performance)\b|(?<!\.\s*)\bprocess\b(?!\s*\??:)/;
  assertEquals(core.flatMap((source) => places(source, named)), []);
});

test(`No file in src/ has more than ${MAX_LINES} lines of code`, () => {
  const long = sources.map(({ file, code }) => ({
    file,
    lines: code.split("\n").filter((line) => line.trim() !== "").length,
  })).filter(({ lines }) => lines > MAX_LINES);
  assertEquals(long, []);
});

test("No file in src/ has a default export or a TypeScript-only private member", () => {
  const unwanted = /^export default\b|^\s+(?:private|protected|public)\s+\w/;
  assertEquals(sources.flatMap((source) => places(source, unwanted)), []);
});

test("Every skipped test goes through testIf(), which asks for a reason", async () => {
  const helper = "tests/support/skip.ts";
  const tests = (await read("tests")).filter(({ file }) => file !== helper);
  const skip = /\btest\.(?:skip|todo|only)\b|\bt\.(?:skip|todo)\(|\bskip:/;
  assertEquals(tests.flatMap((source) => places(source, skip)), []);
});

test("The stand-in for @std/assert has only names that the real one has", () => {
  const real = [
    "AssertionError",
    "assert",
    "assertAlmostEquals",
    "assertArrayIncludes",
    "assertEquals",
    "assertExists",
    "assertFalse",
    "assertGreater",
    "assertGreaterOrEqual",
    "assertInstanceOf",
    "assertIsError",
    "assertLess",
    "assertLessOrEqual",
    "assertMatch",
    "assertNotEquals",
    "assertNotInstanceOf",
    "assertNotMatch",
    "assertNotStrictEquals",
    "assertObjectMatch",
    "assertRejects",
    "assertStrictEquals",
    "assertStringIncludes",
    "assertThrows",
    "equal",
    "fail",
    "unimplemented",
    "unreachable",
  ];
  const names = Object.keys(stdAssert);
  assertEquals(names.filter((name) => !real.includes(name)), []);
});
