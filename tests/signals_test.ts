import { assert, assertEquals, assertMatch } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { inTime, until } from "./fixtures/life/wait.ts";
import { commandOf, isAlive } from "./support/program.ts";
import { testIf } from "./support/skip.ts";

const program = new URL("./fixtures/life/signals.ts", import.meta.url);
const isWindows = process.platform === "win32";
const withSignals = testIf(!isWindows, "Windows has no signals");
const withScript = testIf(
  process.platform === "linux" &&
    spawnSync("script", ["--version"]).status === 0,
  "there is no script command",
);

interface Child {
  child: ChildProcess;
  /** What it has written so far. */
  out: { stdout: string; stderr: string };
  /** How it ends. */
  end: Promise<{ code: number | null; signal: string | null }>;
}

/** Starts a command as the leader of a process group of its own. */
function start(command: string, args: string[]): Child {
  const child = spawn(command, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  const out = { stdout: "", stderr: "" };
  child.stdout!.setEncoding("utf8").on("data", (text) => out.stdout += text);
  child.stderr!.setEncoding("utf8").on("data", (text) => out.stderr += text);
  const end = new Promise<{ code: number | null; signal: string | null }>(
    (resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal }));
    },
  );
  return { child, out, end };
}

/** Runs a program of signals.ts; kills it, whatever comes. */
async function withProgram(
  args: string[],
  use: (child: Child) => Promise<void>,
): Promise<void> {
  const child = start(...commandOf(program, { args }));
  try {
    await use(child);
  } catch (error) {
    console.error(child.out);
    throw error;
  } finally {
    if (child.child.exitCode === null && child.child.signalCode === null) {
      child.child.kill("SIGKILL");
    }
  }
}

for (const name of ["busy", "waiting"]) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    withSignals(
      `WorkerPool lets ${signal} end the program while its workers are ${name}`,
      () =>
        withProgram([name], async ({ child, out, end }) => {
          await until(() => out.stdout.includes("ready"), "it runs", 30_000);
          process.kill(child.pid!, signal);
          assertEquals(await inTime(end), { code: null, signal });
          // Neither it nor anything that it has started.
          await until(() => !isAlive(-child.pid!), "all have ended");
          assertEquals(out.stderr, "");
        }),
    );
  }
}

withSignals(
  "WorkerPool goes on when the program has a SIGINT handler of its own",
  () =>
    withProgram(["handled"], async ({ child, out, end }) => {
      await until(() => out.stdout.includes("ready"), "it runs", 30_000);
      // To the whole group, as a terminal does.
      process.kill(-child.pid!, "SIGINT");
      await until(() => out.stdout.includes("signal 1"), "it heard", 30_000);
      process.kill(-child.pid!, "SIGINT");
      assertEquals(await inTime(end, 40_000), { code: 0, signal: null });
      assertEquals(
        out.stdout,
        "ready\nsignal 1\nsignal 2\n60 results, 1800 ms\n1 4 9\n",
      );
      assertMatch(out.stderr, /100%\|.*60\/60/);
    }),
);

withScript(
  "WorkerPool with a progress bar leaves a sane terminal when Ctrl-C ends the program",
  async () => {
    // A shell in a pseudo terminal: the program gets a real Ctrl-C, typed on
    // the keyboard; stty tells afterwards how the terminal was left.
    const [command, args] = commandOf(program, { args: ["bar"] });
    const quoted = [command, ...args].map((part) => `'${part}'`).join(" ");
    const line = `trap : INT; stty -a > /dev/stderr; ${quoted}; ` +
      `echo "code $?"; stty -a > /dev/stderr`;
    const child = spawn("script", ["-qec", line, "/dev/null"], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, SHELL: "/bin/sh", TERM: "xterm" },
    });
    let screen = "";
    child.stdout.setEncoding("utf8").on("data", (text) => screen += text);
    const end = new Promise((resolve) => child.on("close", resolve));
    try {
      await until(
        () => /[1-9]\d*\/100000 \[/.test(screen),
        "the bar moves",
        40_000,
      );
      child.stdin.write("\x03");
      await until(() => /code \d+/.test(screen), "the program ended", 20_000);
      await inTime(end);
    } catch (error) {
      console.error(JSON.stringify(screen.slice(-1000)));
      throw error;
    } finally {
      if (child.exitCode === null) child.kill("SIGKILL");
    }
    assertMatch(screen, /code 130/);
    // The cursor was never hidden, no other screen was entered.
    // deno-lint-ignore no-control-regex
    assert(!/\x1b\[\?(25l|1049h)/.test(screen));
    const settings = [...screen.matchAll(/speed [^]*?-?extproc/g)].map((
      [text],
    ) => text);
    assertEquals(settings.length, 2);
    assertEquals(settings[1], settings[0]);
  },
);

test("WorkerPool leaves no handler of signals on the process", async () => {
  const { WorkerPool } = await import("../mod.ts");
  const names = ["SIGINT", "SIGTERM", "SIGHUP"];
  const counts = () => names.map((name) => process.listenerCount(name));
  const before = counts();
  await using pool = new WorkerPool({ nJobs: 1 });
  const call = pool.map((x: number) => x, [1, 2], {
    progressBar: true,
    progressBarOptions: { stream: { write: () => {} } },
  });
  assertEquals(counts(), before);
  await inTime(call);
  assertEquals(counts(), before);
});
