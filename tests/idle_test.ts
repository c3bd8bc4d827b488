import { assert, assertEquals, assertLess } from "@std/assert";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { WorkerPool } from "./support/pool.ts";
import { runProgram } from "./support/program.ts";
import { testIf } from "./support/skip.ts";

const programs = new URL("./fixtures/idle/programs.ts", import.meta.url);

const onLinux = testIf(
  existsSync("/proc/self/task"),
  "threads are counted on Linux",
);

async function run(program: string): Promise<string> {
  const { code, signal, stdout, stderr, timedOut } = await runProgram(
    programs,
    { args: [program], timeout: 60_000 },
  );
  assertEquals(
    { code, signal, stderr, timedOut },
    { code: 0, signal: null, stderr: "", timedOut: false },
  );
  return stdout;
}

const left = {
  used: "1 4 9\n",
  started: "started\n",
  unawaited: "4\n1 2 3\n",
  failed: "RangeError\nWorkerDiedError\n1 4\n",
  aborted: "no\nstop\n",
  unfinished: "0\nfalse\n",
  timers: "end\n",
  terminated: "PoolTerminatedError\nend\n",
};

for (const [program, stdout] of Object.entries(left)) {
  test(`WorkerPool lets the program end by itself when it is left ${program}`, async () => {
    const lines = (text: string) => text.split("\n").sort();
    assertEquals(lines(await run(program)), lines(stdout));
  });
}

test("WorkerPool uses next to no CPU when it is idle", async () => {
  const share = Number(await run("cpu"));
  assertLess(share, 0.05);
});

onLinux(
  "WorkerPool leaves no threads behind when pools are stopped",
  async () => {
    const left = Number(await run("threads"));
    // A hundred workers have come and gone.
    assertLess(left, 20);
  },
);

test("WorkerPool lets a worker's timers fire between tasks", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  await pool.apply((state) => {
    state.fired = 0;
    setInterval(() => state.fired++, 1);
  });
  let fired = 0;
  while (fired < 3) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    fired = await pool.apply((state) => state.fired);
  }
});

test("WorkerPool lets a worker's timers fire while async tasks run", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const fired = await pool.apply(async () => {
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    while (fired < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    clearInterval(timer);
    return fired;
  });
  assert(fired >= 3);
});

test("WorkerPool lets a worker's timers fire while a chunk of sync tasks runs", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  await pool.apply((state) => {
    state.fired = 0;
    setInterval(() => state.fired++, 1);
  });
  const counts = await pool.map(
    (state, _x: number) => {
      const start = performance.now();
      while (performance.now() - start < 2);
      return state.fired as number;
    },
    Array.from({ length: 100 }, (_, i) => i),
    { chunkSize: 100 },
  );
  assert(counts[99]! > counts[0]!, `${counts}`);
});
