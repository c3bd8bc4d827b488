import { assert, assertEquals, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { cpus, platform } from "node:os";
import { test } from "node:test";
import { WorkerPool } from "./support/pool.ts";
import { inTime } from "./fixtures/life/wait.ts";
import { testIf } from "./support/skip.ts";

const isLinux = platform() === "linux";
const onLinux = testIf(isLinux, "pinning needs Linux");

/** The CPUs in a list like `0-2,5`. */
function parseCpus(list: string): number[] {
  return list.trim().split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}

/** The CPUs on which this program may run. */
function allowedCpus(): number[] {
  const status = readFileSync("/proc/thread-self/status", "utf8");
  return parseCpus(/Cpus_allowed_list:\s*(\S+)/.exec(status)![1]!);
}

/** In a worker: its ID and the CPUs that it is bound to. */
async function boundTo(
  workerId: number,
  _x: number,
): Promise<[number, string]> {
  const { readFileSync } = await import("node:fs");
  const status = readFileSync("/proc/thread-self/status", "utf8");
  return [workerId, /Cpus_allowed_list:\s*(\S+)/.exec(status)![1]!];
}

async function cpusOf(
  nJobs: number,
  cpuIds: number[] | number[][],
  workerLifespan?: number,
): Promise<Map<number, number[]>> {
  await using pool = new WorkerPool({
    nJobs,
    cpuIds,
    workerLifespan,
    passWorkerId: true,
    orderTasks: true,
  });
  const found = await inTime(
    pool.map(boundTo, Array.from({ length: nJobs * 2 }, (_, i) => i), {
      chunkSize: 1,
    }),
  );
  const bound = new Map<number, number[]>();
  for (const [id, list] of found) {
    const cpus = parseCpus(list);
    if (bound.has(id)) assertEquals(cpus, bound.get(id));
    bound.set(id, cpus);
  }
  return bound;
}

onLinux("WorkerPool binds all workers to one CPU", async () => {
  const cpu = allowedCpus().at(-1)!;
  const wanted = new Map([[0, [cpu]], [1, [cpu]]]);
  assertEquals(await cpusOf(2, [cpu]), wanted);
  assertEquals(await cpusOf(2, [[cpu]]), wanted);
});

onLinux("WorkerPool binds each worker to CPUs of its own", async () => {
  const allowed = allowedCpus();
  const [first, last] = [allowed[0]!, allowed.at(-1)!];
  assertEquals(
    await cpusOf(3, [first, last, last]),
    new Map([[0, [first]], [1, [last]], [2, [last]]]),
  );
  const both = [...new Set([first, last])];
  assertEquals(
    await cpusOf(2, [[last], both]),
    new Map([[0, [last]], [1, both]]),
  );
});

onLinux("WorkerPool binds workers that replace others", async () => {
  const cpu = allowedCpus().at(-1)!;
  assertEquals(await cpusOf(1, [cpu], 1), new Map([[0, [cpu]]]));
});

onLinux("WorkerPool does not bind the calling thread", async () => {
  const before = allowedCpus();
  await cpusOf(2, [before[0]!]);
  assertEquals(allowedCpus(), before);
  const pool = new WorkerPool({ startMethod: "serial", cpuIds: [before[0]!] });
  assertEquals(await inTime(pool.map((x: number) => x, [1, 2])), [1, 2]);
  assertEquals(allowedCpus(), before);
});

onLinux("WorkerPool does not bind workers when 'cpuIds' is empty", async () => {
  const allowed = allowedCpus();
  assertEquals(await cpusOf(1, []), new Map([[0, allowed]]));
});

test("WorkerPool throws a TypeError when 'cpuIds' has a wrong shape", () => {
  const wrong: unknown[] = [
    "0",
    0,
    null,
    {},
    ["0"],
    [null],
    [[]],
    [["0"]],
    [[[0]]],
    [0n],
  ];
  for (const value of wrong) {
    const cpuIds = value as number[];
    const error = assertThrows(
      () => new WorkerPool({ nJobs: 1, cpuIds }),
      TypeError,
      "cpuIds",
    );
    assert(error.message.includes("must be"), error.message);
  }
});

test("WorkerPool throws a RangeError when 'cpuIds' has no such number of entries or no such CPU", () => {
  const wrong: [cpuIds: number[] | number[][], part: string][] = [
    [[0, 0, 0], "'nJobs'"],
    [[-1], "-1"],
    [[0, -1], "-1"],
    [[0.5], "0.5"],
    [[NaN], "NaN"],
    [[100_000], "100000"],
    [[[0, 100_000]], "100000"],
    [[[0], [-7]], "-7"],
  ];
  for (const [cpuIds, part] of wrong) {
    const error = assertThrows(
      () => new WorkerPool({ nJobs: 2, cpuIds }),
      RangeError,
      "cpuIds",
    );
    assert(error.message.includes(part), error.message);
  }
  // The first one that there is not.
  assertThrows(
    () => new WorkerPool({ nJobs: 1, cpuIds: [cpus().length + 64] }),
    RangeError,
  );
});

testIf(!isLinux, "Linux can pin")(
  "WorkerPool warns that 'cpuIds' has no effect",
  async () => {
    const warnings: string[] = [];
    const { warn } = console;
    console.warn = (text) => void warnings.push(text);
    try {
      await using pool = new WorkerPool({ nJobs: 1, cpuIds: [0] });
      assertEquals(await pool.map((x: number) => x, [1]), [1]);
    } finally {
      console.warn = warn;
    }
    assertEquals(warnings.length, 1);
    assert(warnings[0]!.includes("cpuIds"));
  },
);
