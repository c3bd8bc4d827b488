import {
  assertEquals,
  assertFalse,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type Caller,
  captureCaller,
  urlOfScript,
} from "../src/functions/caller.ts";
import { rewriteImports } from "../src/functions/imports.ts";
import { reviveFunction } from "../src/functions/revive.ts";
import { locate } from "./fixtures/caller_library.ts";
import * as user from "./fixtures/caller_user.ts";
import { runCommand, runtimeName } from "./support/program.ts";

const userUrl = new URL("./fixtures/caller_user.ts", import.meta.url);

const stacks = Error as unknown as {
  prepareStackTrace?: unknown;
  stackTraceLimit: number;
};

/** Runs `action` with a property of `Error` set. */
function withSetting<T>(
  name: keyof typeof stacks,
  value: unknown,
  action: () => T,
): T {
  const isOwn = Object.hasOwn(stacks, name);
  const before = stacks[name];
  Reflect.set(stacks, name, value);
  try {
    return action();
  } finally {
    if (isOwn) Reflect.set(stacks, name, before);
    else Reflect.deleteProperty(stacks, name);
  }
}

for (
  const name of [
    "fromFunction",
    "fromMethod",
    "fromAsyncFunction",
    "fromCallback",
    "asCallback",
    "byReflection",
  ] as const
) {
  test(`captureCaller() finds the module of a call, ${name}`, async () => {
    const [caller] = await user[name]();
    assertEquals(caller!.url, userUrl.href);
  });
}

test("captureCaller() finds the module of a call at its top level", () => {
  assertEquals(user.atTopLevel.url, userUrl.href);
});

test("captureCaller() finds the module of this test", () => {
  const [caller] = [locate()];
  assertEquals(caller!.url, import.meta.url);
});

test("Caller.frames holds the stack from the call on", () => {
  const [caller] = user.fromMethod();
  const [first, ...others] = caller!.frames.split("\n");
  assertMatch(first!, /^ {4}at .*\bfromMethod\b.*caller_user\.ts:13:\d+/);
  assertStringIncludes(others.join("\n"), "caller_test.ts");
  assertFalse(caller!.frames.includes("caller_library"));
});

test("Caller can be read in any order, and again", () => {
  const [caller] = user.fromFunction();
  const { frames } = caller!;
  assertEquals(caller!.url, userUrl.href);
  assertEquals(caller!.frames, frames);
});

test("Caller can be read after a garbage collection", async () => {
  const { gc } = (globalThis as { Bun?: { gc(force: boolean): void } }).Bun ??
    {};
  const callers = [
    ...user.fromMethod(),
    ...await user.fromAsyncFunction(),
    ...new Function("locate", "return [locate()]")(locate) as Caller[],
  ];
  for (let i = 0; i < 3; i++) {
    gc?.(true);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const [method, later, evaluated] = callers;
  assertEquals(method!.url, userUrl.href);
  assertMatch(method!.frames, /^ {4}at .*\bfromMethod\b.*caller_user\.ts:13/);
  assertEquals(later!.url, userUrl.href);
  assertEquals(evaluated!.url, import.meta.url);
});

test("captureCaller() leaves the settings of stacks as they were", () => {
  const before = Object.getOwnPropertyDescriptors(stacks);
  const [caller] = user.fromFunction();
  assertEquals(caller!.url, userUrl.href);
  assertEquals(Object.getOwnPropertyDescriptors(stacks), before);
  assertMatch(new Error("still text").stack!, /^Error: still text\n +at /);
});

test("captureCaller() works whatever the user made of the settings", () => {
  const settings = [
    ["stackTraceLimit", 0],
    ["stackTraceLimit", undefined],
    ["prepareStackTrace", (_error: unknown, sites: unknown) => sites],
    ["prepareStackTrace", () => {
      throw new Error("Not now");
    }],
  ] as const;
  for (const [name, value] of settings) {
    const [url, frames] = withSetting(name, value, () => {
      const [caller] = user.fromFunction();
      const found = [caller!.url, caller!.frames];
      assertEquals(stacks[name], value);
      return found;
    });
    assertEquals(url, userUrl.href);
    assertMatch(frames!, /^ {4}at .*caller_user\.ts/);
  }
});

test("captureCaller() knows no module where the runtime calls", async () => {
  const caller = await new Promise<Caller>((resolve) => {
    setTimeout(function timer() {
      const found = captureCaller(timer);
      resolve(found);
    });
  });
  assertEquals(caller.url, undefined);
});

test("captureCaller() finds the module that a revived function came from", () => {
  const base = "file:///somewhere/app.ts";
  const importFrom = () => Promise.reject(new Error("Unexpected"));
  const text = rewriteImports("() => [locate()]");
  for (const from of [base, "file:///somewhere/else.ts", base]) {
    const ask = reviveFunction(text, {
      name: "ask",
      scope: { locate },
      importFrom,
      base: from,
    });
    const [caller] = ask() as Caller[];
    assertEquals(caller!.url, from);
  }
});

test("captureCaller() finds a minified bundle, not the source it came from", async () => {
  const folder = await mkdtemp(join(tmpdir(), "polypool-caller-"));
  try {
    const bundle = join(folder, "bundle.mjs");
    const { code, stderr } = await runCommand(
      fileURLToPath(new URL("../node_modules/.bin/esbuild", import.meta.url)),
      [
        fileURLToPath(userUrl),
        "--bundle",
        "--format=esm",
        "--minify",
        "--sourcemap",
        `--outfile=${bundle}`,
      ],
    );
    assertEquals(code, 0, stderr);
    const { href } = pathToFileURL(bundle);
    const bundled: typeof user = await import(href);
    assertEquals(bundled.atTopLevel.url, href);
    assertEquals(bundled.fromFunction()[0]!.url, href);
    assertEquals((await bundled.fromAsyncFunction())[0]!.url, href);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("captureCaller() keeps the text of a worker out of stacks", async () => {
  const code = `
    export const inner = () => [locate()];
    export let locate;
    export const setLocate = (value) => { locate = value };`;
  const module = await import(`data:text/javascript;base64,${btoa(code)}`);
  module.setLocate(locate);
  const [caller] = module.inner() as Caller[];
  assertMatch(caller!.frames, /^ +at .*\bdata:…:2:\d+/);
  assertEquals(caller!.url, import.meta.url);
});

test("urlOfScript() makes URLs of paths", () => {
  const paths: Record<string, string> = {
    "/home/me/a b/[id]#1?.ts": "file:///home/me/a%20b/[id]%231%3F.ts",
    "/100%/c\\d.ts": "file:///100%25/c%5Cd.ts",
    "/$bunfs/root/app": "file:///$bunfs/root/app",
    "C:\\Users\\me\\é.ts": "file:///C:/Users/me/%C3%A9.ts",
    "d:/src/50%.ts": "file:///d:/src/50%25.ts",
    "\\\\server\\share\\app.ts": "file://server/share/app.ts",
  };
  for (const [path, url] of Object.entries(paths)) {
    assertEquals(urlOfScript(path), url);
  }
});

test("urlOfScript() keeps URLs of modules and knows nothing else", () => {
  const urls = [
    "file:///a.ts",
    "https://jsr.io/@a/b/1.0.0/mod.ts",
    "http://localhost:8000/a.js",
  ];
  for (const url of urls) assertEquals(urlOfScript(url), url);
  const others = [
    "node:internal/timers",
    "ext:core/01_core.js",
    "evalmachine.<anonymous>",
    "REPL1",
    "[eval]",
    "file:///home/me/[eval1]",
    "/home/me/[eval]",
    "/home/me/[stdin]",
    "file:///home/me/$deno$eval.mts",
    "native",
    "data:text/javascript;base64,MQ==",
    "blob:null/0",
    "",
  ];
  for (const other of others) assertEquals(urlOfScript(other), undefined);
});

test("urlOfScript() agrees with the runtime", () => {
  if (runtimeName === "bun") return; // Its own URLs leave more as it is.
  for (const path of ["/a b/c%d.ts", "/é/#?.ts", "/x\ty\n\\z.ts"]) {
    assertEquals(urlOfScript(path), pathToFileURL(path).href);
  }
});
