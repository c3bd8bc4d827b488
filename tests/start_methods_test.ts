// What a worker is, sees and can do, for each start method: one row of the
// table in the README after the other.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import {
  PoolTerminatedError,
  sharedArray,
  TimeoutError,
  WorkerDiedError,
} from "../mod.ts";
import { startMethod, WorkerPool } from "./support/pool.ts";
import { commandOf, isAlive, runtimeName } from "./support/program.ts";
import { testShared } from "./support/shared.ts";
import { testIf } from "./support/skip.ts";
import { pause, soon, until } from "./support/waiting.ts";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const isProcess = startMethod !== "threading";
const scope = globalThis as Record<string, unknown>;

test("WorkerPool runs tasks in this process or in others, as its start method says", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const pids = await pool.map(
    async (_x: number) => (await import("node:process")).default.pid,
    [1, 2],
    { chunkSize: 1 },
  );
  for (const pid of pids) assertEquals(pid !== process.pid, isProcess);
});

test("WorkerPool shows workers what is on globalThis only if it forks them", async () => {
  scope["polypoolValue"] = { deep: [1, new Map([["a", 2]])] };
  scope["polypoolFunction"] = (x: number) => x * 2;
  scope["polypoolSocket"] = new AbortController();
  try {
    await using pool = new WorkerPool({ nJobs: 1 });
    const seen = () =>
      pool.apply(() => {
        const { polypoolValue, polypoolFunction, polypoolSocket } =
          globalThis as unknown as {
            polypoolValue?: { deep: [number, Map<string, number>] };
            polypoolFunction?: (x: number) => number;
            polypoolSocket?: unknown;
          };
        return [
          polypoolValue?.deep[1].get("a"),
          polypoolFunction?.(21),
          polypoolSocket,
        ];
      });
    const expected = startMethod === "fork"
      ? [2, 42, undefined]
      : [undefined, undefined, undefined];
    assertEquals(await seen(), expected);
    // A snapshot: what comes later is not seen.
    scope["polypoolFunction"] = (x: number) => x * 3;
    assertEquals(await seen(), expected);
  } finally {
    for (const name of ["Value", "Function", "Socket"]) {
      delete scope[`polypool${name}`];
    }
  }
});

test("WorkerPool shows workers no module of the runtime as a variable", async () => {
  const url = new URL("https://example.org/").href;
  await using pool = new WorkerPool({ nJobs: 1 });
  await assertRejects(
    () => pool.apply((path: string) => url + path, ["a"]),
    ReferenceError,
    "url is not defined",
  );
  const names = ["events", "fs", "module", "path", "require", "__filename"];
  const seen = (name: string) => name in globalThis;
  assertEquals(await pool.map(seen, names), names.map(() => false));
  assertEquals(await pool.apply(() => typeof crypto.subtle), "object");
});

test("WorkerPool forks variables whatever they are called", async () => {
  scope["events"] = [1, 2];
  const { name } = scope;
  scope["name"] = "of the program";
  try {
    await using pool = new WorkerPool({ nJobs: 1, startMethod: "fork" });
    const seen = () => {
      const { events, name } = globalThis as Record<string, unknown>;
      return [events, name];
    };
    assertEquals(await pool.apply(seen), [[1, 2], "of the program"]);
  } finally {
    delete scope["events"];
    if (name === undefined) delete scope["name"];
    else scope["name"] = name;
  }
});

// Deno reads arrays of numbers from the wrong place in bytes that a server
// hands on (denoland/deno#36460), if they are at some of the places there.
test("WorkerPool brings numbers whole, wherever in a message they are", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (let length = 1; length <= 16; length++) {
    const name = "x".repeat(length);
    const records = Array.from(
      { length: 100 },
      (_, i) => ({ [name]: i + 0.5 }),
    );
    assertEquals(
      await pool.map((record: Record<string, number>) => record, records, {
        chunkSize: 100,
      }),
      records,
    );
  }
});

test("WorkerPool gives its workers the environment and the working directory", async () => {
  process.env["POLYPOOL_BEFORE"] = "yes";
  try {
    await using pool = new WorkerPool({ nJobs: 1 });
    const [value, folder] = await pool.apply(async () => {
      const { default: process } = await import("node:process");
      return [process.env["POLYPOOL_BEFORE"], process.cwd()];
    });
    assertEquals(folder, process.cwd());
    // A server may have been started before.
    if (startMethod !== "forkserver") assertEquals(value, "yes");
  } finally {
    delete process.env["POLYPOOL_BEFORE"];
  }
});

testIf(isProcess, "a thread has no process of its own")(
  "WorkerPool drops what a task says to the parent of its process",
  async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const sent = await pool.map(async (x: number) => {
      const { default: process } = await import("node:process");
      process.on("message", () => {});
      for (const message of ["ready", { type: x }, new Uint8Array(x), null]) {
        await new Promise<unknown>((resolve) =>
          process.send!(message, undefined, undefined, resolve)
        );
      }
      return x;
    }, [1, 2, 3]);
    assertEquals(sent, [1, 2, 3]);
  },
);

// Node reports to the parent which modules it has loaded.
test("WorkerPool runs tasks in a program that is watched", async () => {
  process.env["WATCH_REPORT_DEPENDENCIES"] = "1";
  try {
    await using pool = new WorkerPool({ nJobs: 1 });
    const url = new URL("./fixtures/functions/tasks.ts", import.meta.url).href;
    const names = await pool.apply(
      async (url: string) => Object.keys(await import(url)),
      [url],
    );
    assert(names.includes("quadruple"), names.join());
  } finally {
    delete process.env["WATCH_REPORT_DEPENDENCIES"];
  }
});

test("WorkerPool lets a worker write into shared objects for itself only", async () => {
  const numbers = new Float64Array(20_000).fill(1);
  const part = numbers.subarray(10, 20);
  await using pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: { numbers, part, list: [numbers] },
    passWorkerId: true,
  });
  const seen = await pool.map(
    (id, { numbers, part, list }, _x: number) => {
      numbers[10]! += id + 1;
      return [
        numbers[10] === id + 2 && numbers.length,
        part[0] === numbers[10],
        list[0] === numbers,
        numbers.buffer.byteLength,
      ];
    },
    [1, 2],
    { chunkSize: 1, workerLifespan: 1 },
  );
  for (const row of seen) assertEquals(row, [20_000, true, true, 160_000]);
  assertEquals(numbers[10], 1);
});

test("WorkerPool freezes shared objects when workers start", async () => {
  const numbers = new Float64Array(20_000).fill(1);
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: numbers });
  await pool.start();
  numbers[0] = 2;
  assertEquals(await pool.apply((numbers) => numbers[0]), 1);
});

test("WorkerPool shares the memory of shared arrays with its workers", async () => {
  const counts = sharedArray(Int32Array, 4);
  await using pool = new WorkerPool({ nJobs: 2, sharedObjects: { counts } });
  const same = await pool.map(
    ({ counts }, x: number, part: Int32Array) => {
      Atomics.add(counts, 0, x);
      Atomics.add(part, 0, 1);
      return part;
    },
    Array.from(
      { length: 100 },
      (_, x) => [x, counts.subarray(1)] as [number, Int32Array],
    ),
  );
  assertEquals([...counts], [4950, 100, 0, 0]);
  same[0]![1] = 7;
  assertEquals(counts[2], 7);
});

test("WorkerPool makes good a worker that exits, and tells of its code", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () =>
      pool.apply(async () => {
        const { default: process } = await import("node:process");
        process.exit(7);
      }),
    WorkerDiedError,
  );
  assertEquals(error.exitCode, 7);
  assertEquals(await pool.apply(() => 1), 1);
});

testIf(isProcess, "a thread has no process of its own")(
  "WorkerDiedError tells the signal that killed a process and its last words",
  async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const error = await assertRejects(
      () =>
        pool.apply(async () => {
          const { default: process } = await import("node:process");
          console.error("these were the last words");
          await new Promise((resolve) => setTimeout(resolve, 200));
          process.kill(process.pid, "SIGKILL");
          await new Promise(() => {});
        }),
      WorkerDiedError,
    );
    assertEquals(error.signal, "SIGKILL");
    assert(error.stderr?.includes("these were the last words"), error.stderr);
    assertEquals(await pool.apply(() => 1), 1);
  },
);

test("WorkerPool ends a task that never yields when its time is over", async () => {
  await using pool = new WorkerPool({ nJobs: 1, taskTimeout: 200 });
  await assertRejects(
    () =>
      pool.apply(() => {
        const end = performance.now() + 10_000;
        while (performance.now() < end);
      }),
    TimeoutError,
  );
  assertEquals(await pool.apply(() => 1, [], { taskTimeout: 20_000 }), 1);
});

for (const inner of ["threading", "spawn", "fork", "forkserver"] as const) {
  test(`WorkerPool runs a pool in a task: ${inner}`, async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const url = new URL("../mod.ts", import.meta.url).href;
    const results = await pool.apply(
      async (url: string, startMethod: "threading") => {
        const { WorkerPool } = await import(url);
        const pool = new WorkerPool({ nJobs: 1, startMethod });
        const results = await pool.map((x: number) => x * x, [1, 2, 3]);
        await pool.join();
        return results;
      },
      [url, inner as "threading"],
    );
    assertEquals(results, [1, 4, 9]);
  });
}

for (const inner of ["threading", "spawn", "fork", "forkserver"] as const) {
  testShared(
    `WorkerPool.terminate() ends the pools of its tasks: ${inner}`,
    async () => {
      const beats = sharedArray(Int32Array, 1);
      await using pool = new WorkerPool({ nJobs: 1 });
      const url = new URL("../mod.ts", import.meta.url).href;
      const call = assertRejects(
        () =>
          pool.apply(
            async (
              url: string,
              startMethod: "threading",
              beats: Int32Array,
            ) => {
              const { WorkerPool } = await import(url);
              const pool = new WorkerPool({ nJobs: 1, startMethod });
              await pool.apply(async (beats: Int32Array) => {
                while (true) {
                  Atomics.add(beats, 0, 1);
                  await new Promise((resolve) => setTimeout(resolve, 1));
                }
              }, [beats]);
            },
            [url, inner as "threading", beats],
          ),
        PoolTerminatedError,
      );
      await until(() => Atomics.load(beats, 0) > 3, "the inner task");
      await pool.terminate();
      await call;
      let last: number;
      const end = performance.now() + 10_000;
      do {
        last = Atomics.load(beats, 0);
        await pause(200);
      } while (Atomics.load(beats, 0) !== last && performance.now() < end);
      assertEquals(Atomics.load(beats, 0), last);
    },
  );
}

for (const isBusy of [false, true]) {
  const state = isBusy ? "busy" : "idle";
  testIf(
    isProcess && process.platform === "linux",
    "it needs processes, on Linux",
  )(
    `WorkerPool leaves no ${state} worker behind when its program is killed`,
    async () => {
      const file = new URL("./fixtures/killed_program.ts", import.meta.url);
      const [command, args] = commandOf(file, { args: [startMethod, state] });
      const program = spawn(command, args, {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, NODE_TEST_CONTEXT: undefined } as never,
      });
      const lines = createInterface({ input: program.stdout });
      const line = await soon(
        new Promise<string>((resolve) => lines.once("line", resolve)),
        "the program's line",
      );
      const pids = JSON.parse(line) as number[];
      assertEquals(pids.length, 2);
      for (const pid of pids) assert(isAlive(pid));
      program.kill("SIGKILL");
      const end = performance.now() + 10_000;
      while (pids.some(isAlive) && performance.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assertEquals(pids.filter(isAlive), []);
    },
  );
}

testIf(
  isProcess && runtimeName !== "bun",
  "it needs processes whose heap can be limited",
)(
  "WorkerPool ends a worker that takes more memory than 'memoryLimit'",
  async () => {
    await using pool = new WorkerPool({ nJobs: 1, memoryLimit: 64 });
    await assertRejects(
      () =>
        pool.apply(() => {
          const all: unknown[] = [];
          while (true) all.push(new Array(1000).fill(all.length));
        }),
      WorkerDiedError,
    );
    assertEquals(await pool.apply(() => 1), 1);
  },
);

test("WorkerPool throws for an unknown start method and a bad 'memoryLimit'", () => {
  assertThrows(
    () => new WorkerPool({ startMethod: "clone" as "spawn" }),
    RangeError,
    "'startMethod'",
  );
  assertThrows(
    () => new WorkerPool({ memoryLimit: 0 }),
    RangeError,
    "'memoryLimit'",
  );
});
