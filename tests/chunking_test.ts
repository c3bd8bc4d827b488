import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import {
  chunkTasks,
  type ChunkTasksOptions,
  makeSingleArguments,
  sharedArray,
} from "../mod.ts";
import { AdaptiveSizer, createSizer, JoiningSizer } from "../src/chunking.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, pause, until } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/** Sizes of chunks by the specification's words. */
function carriedSizes(count: number, chunkSize: number): number[] {
  const sizes: number[] = [];
  let c = chunkSize;
  for (let left = count; left > 0; left -= sizes.at(-1)!) {
    sizes.push(Math.min(left, Math.max(1, Math.ceil(c))));
    c = (c + chunkSize) - Math.ceil(c);
  }
  return sizes;
}

/** The tables of the specification and of MPIRE. */
const tables: [number[] | Iterable<number>, ChunkTasksOptions, string][] = [
  [range(10), { nSplits: 3 }, "0123 456 789"],
  [range(10), { chunkSize: 2.5 }, "012 34 567 89"],
  [range(10), { iterableLen: 10, nSplits: 6 }, "01 23 4 56 78 9"],
  [range(10), { nSplits: 6 }, "01 23 4 56 78 9"],
  [range(10), { iterableLen: 7, chunkSize: 3 }, "012 345 6"],
  [range(3), { iterableLen: 10, nSplits: 2 }, "012"],
  [range(10), { chunkSize: 1 }, "0 1 2 3 4 5 6 7 8 9"],
  [range(10), { chunkSize: 10 }, "0123456789"],
  [range(10), { chunkSize: 11 }, "0123456789"],
  [range(10), { nSplits: 1 }, "0123456789"],
  [range(3), { nSplits: 10 }, "0 1 2"],
  [range(10), { chunkSize: 5, nSplits: 10 }, "01234 56789"],
  [range(10), { chunkSize: 5 }, "01234 56789"],
  [[], { nSplits: 3 }, ""],
  [range(3), { iterableLen: 0, chunkSize: 1 }, ""],
  [new Set(range(4)), { nSplits: 2 }, "01 23"],
  [Uint8Array.of(0, 1, 2), { nSplits: 2 }, "01 2"],
];

async function* later<T>(iterable: Iterable<T>): AsyncGenerator<T> {
  for (const element of iterable) yield await element;
}

test("chunkTasks() cuts as MPIRE's tables say", () => {
  for (const [input, options, expected] of tables) {
    const chunks = [...chunkTasks(input, options)];
    const shown = chunks.map((chunk) => chunk.join("")).join(" ");
    assertEquals(shown, expected, JSON.stringify(options));
    // The same of unknown length, where that can be.
    if (options.chunkSize) {
      assertEquals([...chunkTasks(new Set(input).values(), options)], chunks);
    }
  }
});

test("chunkTasks() cuts asynchronous iterables the same", async () => {
  for (const [input, options, expected] of tables) {
    const length = [...input].length;
    const chunks: string[] = [];
    const generator = chunkTasks(later(input), {
      iterableLen: length,
      ...options,
    });
    for await (const chunk of generator) chunks.push(chunk.join(""));
    assertEquals(chunks.join(" "), expected, JSON.stringify(options));
  }
});

test("chunkTasks() carries the fraction exactly as the rule says", () => {
  for (const count of [1, 2, 7, 10, 14, 63, 100, 257, 1000]) {
    for (const nSplits of [1, 2, 3, 6, 7, 9, 10, 64, 128, 999, 5000]) {
      const sizes = [...chunkTasks(range(count), { nSplits })]
        .map((chunk) => chunk.length);
      assertEquals(
        sizes,
        carriedSizes(count, count / nSplits),
        `${count} in ${nSplits}`,
      );
    }
    for (const chunkSize of [1, 1.1, 1.5, 2.5, Math.PI, 1e9]) {
      const sizes = [...chunkTasks(range(count).values(), { chunkSize })]
        .map((chunk) => chunk.length);
      assertEquals(sizes, carriedSizes(count, chunkSize), `by ${chunkSize}`);
    }
  }
});

test("chunkTasks() reads lazily and closes its input", async () => {
  let read = 0;
  let closed = 0;
  function* numbers() {
    try {
      for (;;) yield read++;
    } finally {
      closed++;
    }
  }
  const chunks = chunkTasks(numbers(), { chunkSize: 3 });
  assertEquals(read, 0);
  assertEquals(chunks.next().value, [0, 1, 2]);
  assertEquals(read, 3);
  chunks.return();
  assertEquals(closed, 1);
  read = 0;
  const cut = [...chunkTasks(numbers(), { iterableLen: 4, chunkSize: 3 })];
  assertEquals(cut, [[0, 1, 2], [3]]);
  assertEquals([read, closed], [4, 2]);
  read = 0;
  const chunksLater = chunkTasks(later(numbers()), { chunkSize: 2 });
  assertEquals((await chunksLater.next()).value, [0, 1]);
  assertEquals(read, 2);
  await chunksLater.return();
  assertEquals(closed, 3);
});

test("chunkTasks() throws for bad options at the call", () => {
  const bad = (input: unknown, options: unknown) => () =>
    chunkTasks(input as number[], options as ChunkTasksOptions);
  assertThrows(bad([1], {}), TypeError, "chunkSize");
  assertThrows(bad([1].values(), { nSplits: 2 }), TypeError, "nSplits");
  assertThrows(bad(later([1]), { nSplits: 2 }), TypeError, "nSplits");
  assertThrows(bad(5, { chunkSize: 1 }), TypeError, "5");
  assertThrows(bad([1], { chunkSize: 0.5 }), RangeError, "0.5");
  assertThrows(bad([1], { chunkSize: NaN }), RangeError, "NaN");
  assertThrows(bad([1], { chunkSize: "2" }), TypeError, '"2"');
  assertThrows(bad([1], { nSplits: 1.5 }), RangeError, "1.5");
  assertThrows(bad([1], { nSplits: 0 }), RangeError, "0");
  assertThrows(bad([1], { chunkSize: 1, iterableLen: -1 }), RangeError, "-1");
  assertThrows(bad([1], { chunkSize: 1, size: 2 }), RangeError, "size");
  assertThrows(bad([1], null), TypeError, "options");
});

test("makeSingleArguments() gives what can be gone through as often as its input", () => {
  const wrapped = makeSingleArguments([[1, 2], [3]]);
  for (let i = 0; i < 2; i++) assertEquals([...wrapped], [[[1, 2]], [[3]]]);
});

test("makeSingleArguments() wraps each element, lazily", async () => {
  let read = 0;
  function* elements() {
    for (const element of [[1, 2], "a", undefined]) {
      read++;
      yield element;
    }
  }
  const wrapped = makeSingleArguments(elements())[Symbol.iterator]();
  assertEquals(read, 0);
  assertEquals(wrapped.next().value, [[1, 2]]);
  assertEquals(read, 1);
  assertEquals(wrapped.next().value, ["a"]);
  assertEquals(wrapped.next().value, [undefined]);
  assert(wrapped.next().done);
  const gathered = [];
  for await (const args of makeSingleArguments(later([1, 2]))) {
    gathered.push(args);
  }
  assertEquals(gathered, [[1], [2]]);
  assertThrows(() => makeSingleArguments(5 as never), TypeError, "5");
});

/** The sizes of the chunks that workers ran, in the order of the input. */
async function chunksOf(
  pool: WorkerPool<undefined, false, true>,
  input: Iterable<number> | AsyncIterable<number>,
  options: object,
): Promise<number[]> {
  // A lifespan is looked at between chunks: with one of a single task each
  // chunk has a worker of its own, whose state counts the tasks.
  const places = await pool.map(
    (state: { tasks?: number }, _x: number) =>
      state.tasks = (state.tasks ?? 0) + 1,
    input as Iterable<number>,
    { ...options, workerLifespan: 1 },
  );
  const sizes: number[] = [];
  for (const place of places) {
    if (place === 1) sizes.push(0);
    sizes[sizes.length - 1] = place;
  }
  return sizes;
}

test("WorkerPool.map() sends chunks of the size that is asked for", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    useWorkerState: true,
  });
  assertEquals(await chunksOf(pool, range(7), { chunkSize: 3 }), [3, 3, 1]);
  assertEquals(
    await chunksOf(pool, range(10), { chunkSize: 2.5 }),
    [3, 2, 3, 2],
  );
  assertEquals(await chunksOf(pool, range(10), { nSplits: 3 }), [4, 3, 3]);
  assertEquals(
    await chunksOf(pool, range(10), { nSplits: 6 }),
    [2, 2, 1, 2, 2, 1],
  );
  assertEquals(
    await chunksOf(pool, range(8), { nSplits: 4, chunkSize: 5 }),
    [5, 3],
    "chunkSize wins",
  );
  assertEquals(
    await chunksOf(pool, range(8), { nSplits: 2, iterableLen: 4 }),
    [2, 2],
  );
  assertEquals(
    await chunksOf(pool, range(4).values(), { iterableLen: 4, nSplits: 1 }),
    [4],
  );
  assertEquals(await chunksOf(pool, range(3), { nSplits: 50 }), [1, 1, 1]);
  assertEquals(
    await chunksOf(pool, later(range(5)), { chunkSize: 2 }),
    [2, 2, 1],
  );
});

test("WorkerPool.map() cuts chunks to maxTasksActive (MPIRE bug 1)", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    useWorkerState: true,
  });
  const options = { chunkSize: 3, maxTasksActive: 2 };
  assertEquals(await chunksOf(pool, range(6), options), [2, 2, 2]);
  assertEquals(
    await chunksOf(pool, range(3), { chunkSize: 9, maxTasksActive: 1 }),
    [1, 1, 1],
  );
});

test("WorkerPool.map() cuts nJobs * 64 chunks by default", async () => {
  await using pool = new WorkerPool({ nJobs: 3, useWorkerState: true });
  let read = 0;
  const reads: number[] = [];
  const input = {
    length: 3 * 64 * 2 + 64,
    *[Symbol.iterator]() {
      while (read < this.length) yield read++;
    },
  };
  const results = pool.imap((_state, x: number) => x, input, {
    maxTasksActive: 3,
  });
  for (let i = 0; i < input.length; i++) {
    assertEquals((await results.next()).value, i);
    if (reads.at(-1) !== read) reads.push(read);
  }
  // 448 tasks in 192 chunks: of two or three.
  const sizes = carriedSizes(448, 448 / 192);
  assertEquals(sizes.length, 192);
  const ends = sizes.map((_, i) =>
    sizes.slice(0, i + 1).reduce((a, b) => a + b)
  );
  for (const end of reads) assert(ends.includes(end) || end === 448, `${end}`);
});

test("WorkerPool.map() begins with chunks of one for unknown length", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 1);
  let read = 0;
  const input = function* (): Generator<[Int32Array]> {
    for (; read < 20;) {
      read++;
      yield [gate];
    }
  };
  const call = pool.map((gate: Int32Array) => {
    while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
  }, input());
  // Two chunks of one for each worker.
  await until(() => read >= 4, "the input to be read");
  await pause();
  assertEquals(read, 4);
  open(gate);
  await call;
});

test("chunks of unknown length grow while they are short", () => {
  const sizer = new AdaptiveSizer();
  const sizes: number[] = [];
  for (let i = 0; i < 20; i++) {
    sizes.push(sizer.size);
    sizer.ran(sizer.size, sizer.size * 0.001);
  }
  // Until they take about two ms, a thousandth of one for each task.
  assertEquals(sizes.slice(0, 13), [
    ...[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    ...[2000, 2000],
  ]);
  sizer.ran(10, 0.01);
  assertEquals(sizer.size, 2000, "a shorter one tells nothing");
  sizer.ran(2000, 3);
  assertEquals(sizer.size, 2000, "one that takes somewhat longer is kept");
  sizer.ran(2000, 20);
  assertEquals(sizer.size, 200);
  sizer.ran(200, 1000);
  assertEquals(sizer.size, 1);
});

test("chunks of calls are not smaller than what is quick together", () => {
  const sizer = new AdaptiveSizer();
  assertEquals(sizer.least, 1);
  // A tenth of a ms is quick.
  sizer.ran(1, 0.001);
  assertEquals(sizer.least, 100);
  // What takes long for once says little.
  for (const least of [50, 25, 13, 7, 4, 2]) {
    sizer.ran(10, 1);
    assertEquals(sizer.least, least);
  }
  sizer.ran(10, 0.01);
  assertEquals(sizer.least, 100);
});

test("chunks are not larger than engines like unless that is asked for", () => {
  const size = (options: object, length: number) =>
    createSizer(options, length, 2).size;
  assertEquals(size({}, 1_280_000), 10_000);
  assertEquals(size({}, 128 * 14_000), 14_000);
  assertEquals(size({}, 10_000_000), 14_000);
  assertEquals(size({ nSplits: 10 }, 10_000_000), 1_000_000);
  assertEquals(size({ chunkSize: 50_000 }, 10_000_000), 50_000);
});

test("chunks of a known size are sent several at once while they are short", () => {
  const sizer = new JoiningSizer(10, 1280, 2);
  const next = (count?: number, elapsed?: number) => {
    if (count !== undefined) sizer.ran(count, elapsed!);
    const { size } = sizer;
    sizer.cut();
    return size;
  };
  assertEquals([next(), next(), next(), next()], [10, 10, 10, 10]);
  assertEquals(next(10, 0.1), 40);
  assertEquals(next(10, 0.1), 40, "a shorter one tells nothing");
  assertEquals(next(40, 0.7), 40, "one that takes somewhat longer is kept");
  assertEquals(next(40, 0.1), 160);
  assertEquals(next(160, 0.1), 160, "never more than 16");
  assertEquals(next(160, 3), 10, "one that takes long has the rest go singly");
  assertEquals(next(10, 0.1), 40);
  assertEquals(next(40, 0.1), 160);
  assertEquals(next(), 160);
  // 430 of 1280 are left, for two workers; of the last ones there are but 55.
  assertEquals([next(), next(), next(), next()], [160, 135, 80, 80]);
});

test("chunks that are sent several at once have the fractions of single ones", () => {
  const sizer = new JoiningSizer(2.5, 1000, 1);
  const sizes: number[] = [];
  for (let i = 0; i < 4; i++) {
    sizes.push(sizer.size);
    sizer.cut();
  }
  assertEquals(sizes, [3, 2, 3, 2]);
  sizer.ran(2, 0.01);
  assertEquals(sizer.size, 10);
});

/** How many chunks the tasks of one worker came in, by its microtasks. */
async function countRounds(input: unknown[], ms: number): Promise<number> {
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: ms });
  const rounds = await pool.map((ms: number) => {
    const scope = globalThis as { round?: number; isCounting?: boolean };
    scope.round ??= 0;
    if (!scope.isCounting) {
      scope.isCounting = true;
      scope.round++;
      // Before the next chunk, and not before the next task of this one.
      queueMicrotask(() => scope.isCounting = false);
    }
    const end = performance.now() + ms;
    while (ms > 0 && performance.now() < end) { /* busy */ }
    return scope.round;
  }, input);
  return rounds.at(-1)!;
}

test("WorkerPool.map() cuts an array of tasks that take their time into nJobs * 64 chunks", async () => {
  const rounds = await countRounds(range(192), 1.5);
  // More where a worker was held up and let messages through.
  assert(rounds >= 64, `${rounds}`);
});

test("WorkerPool.map() sends fewer and larger chunks of an array of quick tasks", async () => {
  const rounds = await countRounds(range(20_000), 0);
  assert(rounds >= 4 && rounds < 60, `${rounds}`);
});

test("WorkerPool.map() sends large elements of an array one by one", async () => {
  // 8 MB each, which take longer to send than the tasks.
  const input = Array.from({ length: 16 }, () => new Float64Array(2 ** 20));
  const rounds = await countRounds(input, 0);
  assert(rounds >= 16, `${rounds}`);
});

test("WorkerPool.map() makes chunks grow for quick tasks", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const quick = 20_000;
  const chunks = sharedArray(Int32Array, quick);
  await pool.map(
    (chunks: Int32Array, x: number) => {
      const scope = globalThis as { round?: number; isCounting?: boolean };
      scope.round ??= 0;
      if (!scope.isCounting) {
        scope.isCounting = true;
        scope.round++;
        // Before the next chunk, and not before the next task of this one.
        queueMicrotask(() => scope.isCounting = false);
      }
      chunks[x] = scope.round;
    },
    (function* (): Generator<[Int32Array, number]> {
      for (let x = 0; x < quick; x++) yield [chunks, x];
    })(),
    { maxTasksActive: 4000 },
  );
  const rounds = chunks[quick - 1]!;
  assert(rounds < quick / 10, `${rounds} chunks of quick tasks`);
  assert(rounds > 5, `${rounds} chunks of quick tasks`);
});

test("WorkerPool.map() makes chunks grow for quick tasks and shrink for slow ones", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  const quick = 100;
  const slow = 20;
  // A worker for each chunk, which counts its tasks.
  const places = await pool.map(
    (state: { tasks?: number }, x: number, quick: number) => {
      // To load `performance` takes a new worker on Node a ms, which is not quick.
      const end = Date.now() + (x < quick ? 0 : 5);
      while (Date.now() < end) { /* busy */ }
      return state.tasks = (state.tasks ?? 0) + 1;
    },
    (function* (): Generator<[number, number]> {
      for (let x = 0; x < quick + slow; x++) yield [x, quick];
    })(),
    { maxTasksActive: 12, workerLifespan: 1 },
  );
  assertEquals(places[0], 1);
  assertEquals(places[1], 1, "the first chunk has one task");
  const largest = Math.max(...places);
  assert(largest > 4 && largest <= 12, `${largest}`);
  assertEquals(places.at(-1), 1, "slow tasks go one by one");
});

test("WorkerPool gives chunk i to worker i % nJobs with orderTasks", async () => {
  await using pool = new WorkerPool({
    nJobs: 4,
    passWorkerId: true,
    orderTasks: true,
  });
  const whose = (id: number, _x: number) => id;
  const assigned = async (chunkSize: number) => {
    const byWorker: number[][] = [[], [], [], []];
    const ids = await pool.map(whose, range(20, 1), { chunkSize });
    ids.forEach((id, i) => byWorker[id]!.push(i + 1));
    return byWorker;
  };
  for (let round = 0; round < 3; round++) {
    assertEquals(await assigned(1), [
      [1, 5, 9, 13, 17],
      [2, 6, 10, 14, 18],
      [3, 7, 11, 15, 19],
      [4, 8, 12, 16, 20],
    ]);
    assertEquals(await assigned(3), [
      [1, 2, 3, 13, 14, 15],
      [4, 5, 6, 16, 17, 18],
      [7, 8, 9, 19, 20],
      [10, 11, 12],
    ]);
  }
  // A slow worker's chunks stay its own.
  const ids = await pool.map(
    async (id: number, x: number) => {
      if (id === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      return [id, x];
    },
    range(40),
    { chunkSize: 1 },
  );
  assertEquals(ids, range(40).map((x) => [x % 4, x]));
  // Whatever the verb and the bounds.
  const unordered = await pool.mapUnordered(
    (id: number, x: number) => [id, x],
    range(40),
    { chunkSize: 2, maxTasksActive: 4 },
  );
  for (const [id, x] of unordered) assertEquals(id, Math.floor(x! / 2) % 4);
  let index = 0;
  for await (
    const id of pool.imap(whose, range(30).values(), { chunkSize: 1 })
  ) {
    assertEquals(id, index++ % 4);
  }
});

test("WorkerPool.setOrderTasks() counts from the next call on (MPIRE bug 6)", async () => {
  await using pool = new WorkerPool({ nJobs: 3, passWorkerId: true });
  const whose = (id: number, _x: number) => id;
  await pool.map(whose, range(9));
  pool.setOrderTasks();
  const expected = range(300).map((i) => i % 3);
  const options = { chunkSize: 1 };
  assertEquals(await pool.map(whose, range(300), options), expected);
  assertEquals(await pool.map(whose, range(300), options), expected);
  pool.setOrderTasks(false);
  const done = sharedArray(Int32Array, 1);
  const free = await pool.map(
    async (id: number, x: number, done: Int32Array) => {
      // Ends when the other workers have done most of the rest.
      while (x === 0 && Atomics.load(done, 0) < 250) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      Atomics.add(done, 0, 1);
      return id;
    },
    range(300).map((x): [number, Int32Array] => [x, done]),
    options,
  );
  // The worker with the slow task got fewer.
  const slow = free.filter((id) => id === free[0]).length;
  assert(slow < 100, `${slow}`);
});
