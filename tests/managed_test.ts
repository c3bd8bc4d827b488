import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import {
  importTasks,
  Lock,
  ManagedList,
  ManagedMap,
  sharedArray,
  transfer,
  WorkerDiedError,
} from "../mod.ts";
import { startMethod, WorkerPool } from "./support/pool.ts";
import { runProgram } from "./support/program.ts";
import { testShared } from "./support/shared.ts";

const tasks = importTasks<typeof import("./fixtures/managed_tasks.ts")>(
  new URL("./fixtures/managed_tasks.ts", import.meta.url),
);

// --- in their owner ---

test("ManagedMap has the methods of a map", async () => {
  const map = new ManagedMap<string, unknown>([["a", 1], ["b", [2]]]);
  assertEquals(await map.size(), 2);
  assertEquals(await map.get("b"), [2]);
  assertEquals(await map.get("c"), undefined);
  assertEquals([await map.has("a"), await map.has("c")], [true, false]);
  await map.set("c", { d: 3 });
  assertEquals(await map.keys(), ["a", "b", "c"]);
  assertEquals(await map.values(), [1, [2], { d: 3 }]);
  assertEquals([await map.delete("b"), await map.delete("b")], [true, false]);
  const seen = [];
  for await (const entry of map) {
    seen.push(entry);
    await map.delete("c");
  }
  assertEquals(seen, [["a", 1], ["c", { d: 3 }]]);
  assertEquals(await map.entries(), [["a", 1]]);
  await map.clear();
  assertEquals(await map.size(), 0);
});

test("ManagedMap changes values by atomic methods", async () => {
  const map = new ManagedMap<string, number>();
  assertEquals(await map.getOrSet("a", 1), 1);
  assertEquals(await map.getOrSet("a", 2), 1);
  assertEquals(await map.increment("a"), 2);
  assertEquals(await map.increment("b", -0.5), -0.5);
  assertEquals(await map.compareExchange("a", 3, 4), 2);
  assertEquals(await map.compareExchange("a", 2, 4), 2);
  assertEquals(await map.compareExchange("c", undefined, 5), undefined);
  assertEquals(await map.entries(), [["a", 4], ["b", -0.5], ["c", 5]]);
});

test("ManagedList has the methods of an array", async () => {
  const list = new ManagedList<unknown>([1, "b"]);
  assertEquals(await list.push({ c: 3 }, 4), 4);
  assertEquals(await list.at(2), { c: 3 });
  assertEquals([await list.at(-1), await list.at(4)], [4, undefined]);
  assertEquals(await list.unshift(-1, 0), 6);
  await list.set(0, -10);
  await list.set(-1, 40);
  assertEquals(await list.slice(), [-10, 0, 1, "b", { c: 3 }, 40]);
  assertEquals(await list.slice(1, -3), [0, 1]);
  assertEquals([await list.includes("b"), await list.includes("z")], [
    true,
    false,
  ]);
  assertEquals([await list.indexOf("b"), await list.indexOf("z")], [3, -1]);
  assertEquals(await list.splice(1, 2, "x", "y", "z"), [0, 1]);
  assertEquals([await list.shift(), await list.pop()], [-10, 40]);
  const seen = [];
  for await (const value of list) seen.push(value);
  assertEquals(seen, ["x", "y", "z", "b", { c: 3 }]);
  assertEquals(await list.splice(2), ["z", "b", { c: 3 }]);
  await list.clear();
  assertEquals(await list.length(), 0);
  assertEquals([await list.pop(), await list.shift()], [undefined, undefined]);
});

test("Values of managed objects are copied on their way in and out", async () => {
  const value = { a: [1] };
  const map = new ManagedMap([["a", value]]);
  const list = new ManagedList([value]);
  await map.set("b", value);
  value.a.push(2);
  (await map.get("a"))!.a.push(3);
  (await list.at(0))!.a.push(4);
  assertEquals(await map.values(), [{ a: [1] }, { a: [1] }]);
  assertEquals(await list.slice(), [{ a: [1] }]);
});

test("Managed objects hold errors, shared arrays, locks and each other", async () => {
  const lock = new Lock();
  const array = sharedArray(Int32Array, 1);
  const list = new ManagedList<unknown>();
  const map = new ManagedMap<string, unknown>([
    ["error", new RangeError("far")],
    ["lock", lock],
    ["array", array],
    ["list", list],
  ]);
  assertInstanceOf(await map.get("error"), RangeError);
  assertStrictEquals(await map.get("lock"), lock);
  assertStrictEquals(await map.get("list"), list);
  array[0] = 7;
  assertEquals((await map.get("array") as Int32Array)[0], 7);
});

test("Methods of managed objects take effect in the order of their calls", async () => {
  const list = new ManagedList<number>();
  const lengths = await Promise.all([1, 2, 3].map((x) => list.push(x)));
  assertEquals(lengths, [1, 2, 3]);
});

// --- bad input ---

test("new ManagedMap() refuses what is no iterable of pairs", () => {
  const make = (entries: unknown) => () => new ManagedMap(entries as never);
  assertThrows(make(5), TypeError, "'entries' must be an iterable");
  assertThrows(make({}), TypeError, "'entries' must be an iterable");
  assertThrows(make([1]), TypeError, "'entries' must be pairs");
  assertThrows(make([[{}, 1]]), TypeError, "'key' must be a primitive");
  const error = assertThrows(make([["a", () => {}]])) as Error;
  assertEquals(error.name, "DataCloneError");
});

test("new ManagedList() refuses what is no iterable of values", () => {
  const make = (values: unknown) => () => new ManagedList(values as never);
  assertThrows(make(5), TypeError, "'values' must be an iterable");
  const error = assertThrows(make([Symbol()])) as Error;
  assertEquals(error.name, "DataCloneError");
});

/** Checks what is refused, in the owner or in a worker. */
async function checkRefusals(
  map: ManagedMap<string, unknown>,
  list: ManagedList<unknown>,
): Promise<string[]> {
  const refused: [() => Promise<unknown>, string, string][] = [
    [() => map.get({} as never), "TypeError", "'key' must be a primitive"],
    [() => map.set([] as never, 1), "TypeError", "'key' must be a primitive"],
    [() => map.has(Symbol() as never), "TypeError", "'key' must be"],
    [() => map.increment("n", "1" as never), "TypeError", "'by' must be"],
    [() => map.increment("text"), "TypeError", 'the value at "text" is no'],
    [() => map.compareExchange("a", {}, 1), "TypeError", "'expected' must"],
    [
      () => map.set("f", { f: () => {} }),
      "DataCloneError",
      "Cannot send the arguments of ManagedMap.set() as its property '[1].f'",
    ],
    [
      () => map.set("f", new Proxy({}, {})),
      "DataCloneError",
      "Cannot send the arguments of ManagedMap.set()",
    ],
    [() => list.at("0" as never), "TypeError", "'index' must be an integer"],
    [() => list.at(0.5), "RangeError", "'index' must be an integer"],
    [() => list.set(2, 0), "RangeError", "must be that of one of its 2 values"],
    [() => list.set(-3, 0), "RangeError", "current value is -3"],
    [() => list.slice(NaN), "RangeError", "'start' must be an integer"],
    [() => list.includes({}), "TypeError", "'value' must be a primitive"],
    [
      () => list.push(1, () => {}),
      "DataCloneError",
      "Cannot send the arguments of ManagedList.push() as its property '[1]'",
    ],
  ];
  const faults: string[] = [];
  for (const [call, name, text] of refused) {
    try {
      await call();
      faults.push(`not refused: ${call}`);
    } catch (thrown) {
      const error = thrown as Error;
      if (error.name !== name || !error.message.includes(text)) {
        faults.push(`${call}: ${error}`);
      }
    }
  }
  return faults;
}

test("Methods of managed objects refuse bad input in their owner", async () => {
  const map = new ManagedMap<string, unknown>([["text", "x"]]);
  const list = new ManagedList<unknown>([0, 1]);
  assertEquals(await checkRefusals(map, list), []);
  assertEquals(await map.entries(), [["text", "x"]]);
  assertEquals(await list.slice(), [0, 1]);
});

test("ManagedMap.increment() refuses what is there and no number", async () => {
  const map = new ManagedMap<string, unknown>([["null", null]]);
  await assertRejects(() => map.increment("null"), TypeError, "no number");
  assertEquals(await map.get("null"), null);
});

test("Values that transfer() has marked are refused where nothing is moved", async () => {
  const map = new ManagedMap<string, unknown>();
  const { port1, port2 } = new MessageChannel();
  const error = await assertRejects(() => map.set("a", [transfer(port1)]));
  port2.close();
  assertEquals(
    (error as Error).message,
    "Cannot send the arguments of ManagedMap.set() as its property '[1][0]' " +
      "is a MessagePort",
  );
});

test("Methods of managed objects refuse bad input in workers", async () => {
  const map = new ManagedMap<string, unknown>([["text", "x"]]);
  const list = new ManagedList<unknown>([0, 1]);
  await using pool = new WorkerPool({ nJobs: 1 });
  assertEquals(await pool.apply(checkRefusals, [map, list]), []);
  assertEquals(await map.entries(), [["text", "x"]]);
  assertEquals(await list.slice(), [0, 1]);
});

// --- with workers ---

test("Workers count words in one ManagedMap", async () => {
  const words = ["to", "be", "or", "not", "that", "is"];
  const lines = Array.from(
    { length: 200 },
    (_, i) => words.filter((_, j) => (i + j) % (j + 2) === 0).join(" "),
  );
  const expected = new Map<string, number>();
  for (const word of lines.flatMap((line) => line.split(" "))) {
    expected.set(word, (expected.get(word) ?? 0) + 1);
  }
  const counts = new ManagedMap<string, number>();
  await using pool = new WorkerPool({ nJobs: 4, sharedObjects: { counts } });
  await pool.map(async ({ counts }, line: string) => {
    for (const word of line.split(" ")) await counts.increment(word);
  }, lines);
  assertEquals(
    new Map((await counts.entries()).sort()),
    new Map(
      [...expected].sort(),
    ),
  );
});

test("10000 increments by 4 workers are all counted", async () => {
  const map = new ManagedMap<string, number>();
  await using pool = new WorkerPool({ nJobs: 4 });
  const seen = await pool.map(
    async (map: ManagedMap<string, number>, n: number) => {
      const calls = Array.from({ length: n }, () => map.increment("n"));
      return await Promise.all(calls);
    },
    Array.from({ length: 20 }, () => [map, 500] as const),
    { chunkSize: 1 },
  );
  assertEquals(await map.get("n"), 10_000);
  assertEquals(new Set(seen.flat()).size, 10_000);
  for (const numbers of seen) {
    assert(numbers.every((n, i) => i === 0 || n > numbers[i - 1]!));
  }
});

test("All methods of managed objects work in workers", async () => {
  const map = new ManagedMap<string, unknown>([["a", 1]]);
  const list = new ManagedList<unknown>([1, 2]);
  await using pool = new WorkerPool({ nJobs: 1 });
  const results = await pool.apply(
    async (
      map: ManagedMap<string, unknown>,
      list: ManagedList<unknown>,
    ) => {
      const results: unknown[] = [
        await map.getOrSet("a", 5),
        await map.getOrSet("b", new Date(5)),
        await map.set("c", new Map([[1, new Set([2])]])),
        await map.compareExchange("a", 1, 2),
        await map.has("a"),
        await map.delete("a"),
        await map.size(),
        await map.keys(),
        await map.values(),
      ];
      for await (const entry of map) results.push(entry);
      results.push(
        await map.clear(),
        await list.push(3, 4),
        await list.unshift(0),
        await list.at(-1),
        await list.pop(),
        await list.shift(),
        await list.set(0, "one"),
        await list.splice(1, 1),
        await list.indexOf(3),
        await list.includes("one"),
        await list.length(),
      );
      for await (const value of list) results.push(value);
      return results;
    },
    [map, list],
  );
  const c = new Map([[1, new Set([2])]]);
  assertEquals(
    results as unknown,
    [
      ...[1, new Date(5), undefined, 1, true, true, 2, ["b", "c"]],
      ...[[new Date(5), c], ["b", new Date(5)], ["c", c], undefined],
      ...[4, 5, 4, 4, 0, undefined, [2], 1, true, 2, "one", 3],
    ],
  );
  assertEquals(await map.size(), 0);
  assertEquals(await list.slice(), ["one", 3]);
});

test("Workers see errors, and managed objects inside others", async () => {
  const inner = new ManagedList<string>();
  const map = new ManagedMap<string, unknown>();
  await map.set("error", new RangeError("far", { cause: 5 }));
  await map.set("inner", { inner });
  await using pool = new WorkerPool({ nJobs: 2 });
  const result = await pool.apply(
    async (map: ManagedMap<string, unknown>) => {
      const error = await map.get("error") as Error;
      const { inner } = await map.get("inner") as { inner: typeof map };
      await (inner as unknown as ManagedList<string>).push("from the worker");
      await map.set("thrown", new TypeError("mine"));
      await map.set("again", [inner]);
      return [error instanceof RangeError, error.cause, inner];
    },
    [map],
  );
  assertEquals(result.slice(0, 2), [true, 5]);
  assertStrictEquals(result[2] as unknown, inner);
  assertStrictEquals((await map.get("again") as unknown[])[0], inner);
  assertEquals(await inner.slice(), ["from the worker"]);
  assertInstanceOf(await map.get("thrown"), TypeError);
});

testShared(
  "Workers get shared arrays and locks from managed objects",
  async () => {
    const sums = sharedArray(Float64Array, 1);
    const map = new ManagedMap<string, unknown>([
      ["sums", sums],
      ["lock", new Lock()],
    ]);
    await using pool = new WorkerPool({ nJobs: 3, sharedObjects: map });
    await pool.map(async (map, n: number) => {
      const sums = await map.get("sums") as Float64Array;
      const lock = await map.get("lock") as Lock;
      for (let i = 0; i < n; i++) {
        const guard = await lock.acquire();
        const sum = sums[0]!;
        await Promise.resolve();
        sums[0] = sum + 1;
        guard.release();
      }
    }, [100, 200, 300]);
    assertEquals(sums[0], 600);
  },
);

test("Managed objects that come back in results are the same objects", async () => {
  const map = new ManagedMap<string, number>();
  const list = new ManagedList<number>();
  await using pool = new WorkerPool({ nJobs: 2 });
  const result = await pool.apply(
    (objects: { map: unknown; lists: unknown[] }) => ({
      deep: new Map([["map", objects.map]]),
      same: objects.lists[0] === objects.lists[1],
      list: objects.lists[0],
    }),
    [{ map, lists: [list, list] }],
  );
  assertStrictEquals(result.deep.get("map"), map);
  assertStrictEquals(result.list, list);
  assertEquals(result.same, true);
});

test("Managed objects are instances of their class in modules of workers", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const objects = [new ManagedMap(), new ManagedList(), new Map()];
  assertEquals(
    await pool.map(tasks.classesOf, objects.map((object) => [object])),
    [["ManagedMap"], ["ManagedList"], []],
  );
  class Own extends ManagedMap<string, number> {}
  assertEquals(new ManagedMap() instanceof Own, false);
  assertEquals(new Own() instanceof ManagedMap, true);
});

test("A managed object of a worker cannot be used outside it", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const map = new ManagedMap<string, unknown>();
  const [same, own] = await pool.apply(tasks.withOwn, [map]);
  assertStrictEquals(same, map);
  assertEquals(await map.get("own"), 1);
  assertInstanceOf(own, ManagedMap);
  const error = await assertRejects(() => own.get("a"), Error);
  assertStringIncludes(error.message, "Cannot call ManagedMap.get()");
});

test("workerInit, workerExit and closures can use managed objects", async () => {
  const list = new ManagedList<string>();
  const events = new ManagedMap<string, number>();
  const pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: list,
    workerInit: async (list) => void await list.push("init"),
    workerExit: async (list) => await list.push("exit"),
  });
  await pool.map(
    async (_, x: number) => await events.increment("task", x),
    [1, 2],
    { closure: { events }, chunkSize: 1 },
  );
  await pool.join();
  const told = await list.slice();
  assertEquals(told.filter((what) => what === "init").length, told.length / 2);
  assertEquals(told.at(-1), "exit");
  const lengths = pool.getExitResults() as number[];
  assertEquals(Math.max(...lengths), told.length);
  assertEquals(await events.get("task"), 3);
});

test("Workers of a pool in a worker use the managed objects of the program", async () => {
  const map = new ManagedMap<string, unknown>();
  await using pool = new WorkerPool({ nJobs: 2, sharedObjects: map });
  const results = await pool.map(
    async (map, library: string, method: typeof startMethod, key: string) => {
      const { WorkerPool, ManagedList } = await import(
        library
      ) as typeof import("../mod.ts");
      const own = new ManagedList<number>();
      const inner = new WorkerPool({ nJobs: 2, startMethod: method });
      const returned = await inner.map(
        async (
          map: ManagedMap<string, unknown>,
          own: ManagedList<number>,
          key: string,
          x: number,
        ) => {
          await own.push(x);
          await map.set(`${key}${x}`, { x, own: await own.length() > 0 });
          await map.increment("n");
          let refusal = "";
          await map.increment(`${key}${x}`).catch((error) =>
            refusal = error.name
          );
          return [map, own, refusal];
        },
        [1, 2, 3].map((x) => [map, own, key, x] as const),
      );
      await inner.join();
      const length = await own.length();
      const same = returned.every(([a, b]) => a === map && b === own);
      return [same, length, ...returned.map(([, , refusal]) => refusal)];
    },
    ["a", "b"].map((key) =>
      [new URL("../mod.ts", import.meta.url).href, startMethod, key] as const
    ),
    { chunkSize: 1 },
  );
  const expected = [true, 3, "TypeError", "TypeError", "TypeError"];
  assertEquals(results as unknown, [expected, expected]);
  assertEquals(await map.get("n"), 6);
  assertEquals(await map.size(), 7);
  assertEquals(await map.get("b3"), { x: 3, own: true });
});

test("A worker that dies leaves managed objects as they are", async () => {
  const map = new ManagedMap<string, number>();
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: map });
  await assertRejects(
    () =>
      pool.apply(async (map) => {
        await map.increment("n");
        const { default: process } = await import("node:process");
        void map.increment("n");
        process.exit(3);
      }),
    WorkerDiedError,
  );
  const before = await map.get("n");
  assert(before === 1 || before === 2);
  assertEquals(await pool.apply((map) => map.increment("n")), before + 1);
});

test("A task that times out while it waits for a managed object harms nobody", async () => {
  const map = new ManagedMap<string, number>();
  await using pool = new WorkerPool({ nJobs: 2, sharedObjects: map });
  const outcomes = await pool.map(
    async (map, x: number) => {
      while (x === 1) await map.increment("endless");
      return await map.increment("n");
    },
    [0, 1, 2],
    { chunkSize: 1, taskTimeout: 500, onError: "settle" },
  );
  assertEquals(outcomes.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  const count = await map.get("endless");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(await map.get("endless"), count);
});

test("A managed object lives as long as a worker that was sent it", async () => {
  const { stdout, stderr } = await runProgram(
    new URL("./fixtures/life/managed_lifetime.ts", import.meta.url),
    {
      args: [startMethod],
      permissions: ["-A", "--v8-flags=--expose-gc"],
    },
  );
  assertEquals(
    [stderr, ...stdout.trim().split("\n")],
    ["", "[true,true,false]", "2", "[false,false,false]"],
  );
});

test('Managed objects work with start method "serial"', async () => {
  const map = new ManagedMap<string, number[]>();
  await using pool = new WorkerPool({
    startMethod: "serial",
    sharedObjects: map,
  });
  const results = await pool.map(async (map, x: number) => {
    const values = [x];
    await map.set("a", values);
    values.push(5);
    return [map, await map.get("a")];
  }, [1, 2]);
  assertStrictEquals(results[0]![0], map);
  assertEquals(results[1]![1] as unknown, [2]);
});

test("Managed objects do not keep a program alive", async () => {
  const { code, stdout } = await runProgram(
    new URL("./fixtures/life/managed.ts", import.meta.url),
    { args: [startMethod] },
  );
  assertEquals([code, stdout.trim()], [0, "1"]);
});
