import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { test } from "node:test";
import { makeSingleArguments, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { startMethods } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/** What a task received, told by the task itself. */
const describe = (...args: unknown[]) =>
  args.map((arg) =>
    Array.isArray(arg)
      ? `array ${JSON.stringify(arg)}`
      : arg instanceof Map
      ? `map ${JSON.stringify([...arg])}`
      : arg instanceof Set
      ? `set ${JSON.stringify([...arg])}`
      : ArrayBuffer.isView(arg)
      ? `${arg.constructor.name} ${JSON.stringify([...arg as Uint8Array])}`
      : typeof arg === "bigint"
      ? `${arg}n`
      : arg === undefined
      ? "undefined"
      : `${typeof arg} ${JSON.stringify(arg)}`
  );

for (const startMethod of startMethods) {
  test(`WorkerPool.map() gives the results in the order of the input [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const data = range(1000);
    assertEquals(
      await pool.map((x: number) => x * 2, data),
      data.map((x) => x * 2),
    );
  });

  test(`WorkerPool.mapUnordered() gives each result once [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = await pool.mapUnordered((x: number) => x + 1, range(1000));
    assertEquals(results.sort((a, b) => a - b), range(1000, 1));
  });

  test(`WorkerPool.mapUnordered() keeps the order with one worker [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    assertEquals(
      await pool.mapUnordered((x: number) => x, range(300)),
      range(300),
    );
  });

  test(`WorkerPool.map() spreads arrays and nothing else into arguments [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const elements = [
      [1, 2],
      [],
      ["a"],
      [[1, 2]],
      [[]],
      [undefined],
      "text",
      "",
      7,
      8n,
      null,
      undefined,
      true,
      { a: [1], length: 2 },
      new Map([[1, 2]]),
      new Set([1, 2]),
      new Float64Array([1.5, 2]),
      new Uint8Array(0),
      sharedArray(Int16Array, [3, 4]),
    ];
    const task = describe as (...args: never) => string[];
    assertEquals(await pool.map(task as never, elements as never[]), [
      ["number 1", "number 2"],
      [],
      ['string "a"'],
      ["array [1,2]"],
      ["array []"],
      ["undefined"],
      ['string "text"'],
      ['string ""'],
      ["number 7"],
      ["8n"],
      ["object null"],
      ["undefined"],
      ["boolean true"],
      ['object {"a":[1],"length":2}'],
      ["map [[1,2]]"],
      ["set [1,2]"],
      ["Float64Array [1.5,2]"],
      ["Uint8Array []"],
      ["Int16Array [3,4]"],
    ] as never);
  });

  test(`WorkerPool.map() passes as many arguments as the array has elements [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const count = function () {
      return arguments.length;
    } as (...args: unknown[]) => number;
    assertEquals(
      await pool.map(count, [[], [1], [undefined, undefined], [[1, 2, 3]]]),
      [0, 1, 2, 1],
    );
    assertEquals(await pool.map(count as never, [undefined, null, 1]), [
      1,
      1,
      1,
    ]);
  });

  test(`WorkerPool.map() takes array.entries() as Python's enumerate [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const letters = ["a", "b", "c"];
    assertEquals(
      await pool.map((i: number, s: string) => s + i, letters.entries()),
      ["a0", "b1", "c2"],
    );
  });

  test(`WorkerPool.map() reads all kinds of iterables [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const same = (x: unknown) => x;
    assertEquals(await pool.map(same, "añ😀"), ["a", "ñ", "😀"]);
    assertEquals(await pool.map(same, new Set([3, 1, 2])), [3, 1, 2]);
    assertEquals(
      await pool.map(
        (k: string, v: number) => k + v,
        new Map([["a", 1], ["b", 2]]),
      ),
      ["a1", "b2"],
    );
    assertEquals(await pool.map(same, new Set([1, 2]).values()), [1, 2]);
    const generator = (function* () {
      yield* [5, 6, 7];
    })();
    assertEquals(await pool.map(same, generator), [5, 6, 7]);
    const custom = {
      *[Symbol.iterator]() {
        yield 1;
        yield 2;
      },
    };
    assertEquals(await pool.map(same, custom), [1, 2]);
    assertEquals(await pool.map(same, custom), [1, 2], "a second time");
  });

  test(`WorkerPool.map() gives tasks the numbers of a typed array [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const kinds = [
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
      Float32Array,
      Float64Array,
    ];
    for (const Kind of kinds) {
      const data = new Kind([1, 2, 3, 100]);
      const results = await pool.map((x: number) => [typeof x, x], data);
      assertEquals(
        results,
        [1, 2, 3, 100].map((x) => ["number", x]),
        Kind.name,
      );
    }
    assertEquals(
      await pool.map((x) => x + 1n, new BigInt64Array([1n, -5n])),
      [2n, -4n],
    );
    assertEquals(
      await pool.map((x) => x, new Float32Array([0.1, NaN, -0, Infinity])),
      [...new Float32Array([0.1, NaN, -0, Infinity])],
    );
  });

  test(`WorkerPool.map() cuts a view of a typed array and shared memory right [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const whole = Float64Array.from(range(1000));
    const view = whole.subarray(100, 400);
    assertEquals(await pool.map((x: number) => x, view), range(300, 100));
    const shared = sharedArray(Int32Array, range(500));
    assertEquals(await pool.map((x: number) => x, shared), range(500));
    // The input is left as it was.
    assertEquals([...whole], range(1000));
  });

  test(`WorkerPool.map() makes a hole of an array undefined [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const sparse: (number | undefined)[] = [1, 2, 3];
    delete sparse[1];
    assertEquals(
      await pool.map((x: number | undefined) => String(x), sparse),
      ["1", "undefined", "3"],
    );
  });

  test(`WorkerPool.map() iterates a subclass that changes how [${startMethod}]`, async () => {
    class Backwards extends Array<number> {
      override *[Symbol.iterator](): ArrayIterator<number> {
        for (let i = this.length - 1; i >= 0; i--) yield this[i]!;
      }
    }
    class Doubled extends Float64Array {
      override *[Symbol.iterator](): ArrayIterator<number> {
        for (let i = 0; i < this.length; i++) yield this[i]! * 2;
      }
    }
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const same = (x: number) => x;
    assertEquals(await pool.map(same, Backwards.from([1, 2, 3])), [3, 2, 1]);
    const doubled = Doubled.from([1, 4]);
    assertEquals(await pool.map(same, doubled), [2, 8]);
  });

  test(`WorkerPool.map() gives [] for empty input [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const fails = () => {
      throw new Error("No task may run");
    };
    const inputs: (Iterable<number> | AsyncIterable<number>)[] = [
      [],
      new Set<number>(),
      new Float64Array(0),
      (function* (): Generator<number> {})(),
      (async function* (): AsyncGenerator<number> {})(),
    ];
    for (const input of inputs) {
      assertEquals(await pool.map(fails, input), []);
    }
    assertEquals(await pool.map(fails, ""), []);
    assertEquals(await pool.mapUnordered(fails, []), []);
    assertEquals(await pool.map(fails, [1, 2], { iterableLen: 0 }), []);
    for await (const _ of pool.imap(fails, [])) assert(false);
    for await (const _ of pool.imapUnordered(fails, new Set([]))) assert(false);
  });

  test(`WorkerPool.map() gives undefined for tasks that return nothing [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = await pool.map(() => {}, [1, 2, 3]);
    assertEquals(results, [undefined, undefined, undefined]);
    assert(2 in results, "an element and no hole");
    assertEquals(
      await pool.mapUnordered(() => undefined, range(5)),
      new Array(5).fill(undefined),
    );
    const settled = await pool.map(() => {}, [1], { onError: "settle" });
    assertEquals(settled, [{ status: "fulfilled", value: undefined }]);
  });

  test(`WorkerPool.map() gives results of all kinds [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const make = (which: number) =>
      [
        null,
        undefined,
        0,
        -0,
        NaN,
        "",
        false,
        1n,
        [1, [2]],
        { a: { b: 1 } },
        new Map([[1, new Set([2])]]),
        new Date(5),
        /x/g,
        new Uint8Array([1, 2]),
        [],
        new Float64Array(0),
      ][which];
    const expected = range(16).map(make);
    assertEquals(await pool.map(make, range(16)), expected);
    // All of one kind too, as those may travel in another way.
    for (let i = 0; i < 16; i++) {
      assertEquals(
        await pool.map(make, [i, i, i]),
        [expected[i], expected[i], expected[i]],
      );
    }
  });

  test(`WorkerPool.map() awaits asynchronous tasks [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = await pool.map(async (x: number) => {
      await new Promise((resolve) => setTimeout(resolve, x % 3));
      return x;
    }, range(20));
    assertEquals(results, range(20));
    // Asynchronous or not is decided by what each task returns.
    const mixed = await pool.map(
      (x: number) => x % 2 ? Promise.resolve(-x) : x,
      range(6),
    );
    assertEquals(mixed, [0, -1, 2, -3, 4, -5]);
    // deno-lint-ignore no-explicit-any
    const thenable = (x: number): any => ({
      then(resolve: (value: number) => void) {
        resolve(x * 10);
      },
    });
    assertEquals(await pool.map(thenable, [1, 2]), [10, 20]);
  });

  test(`WorkerPool runs many calls one after the other [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    for (let i = 0; i < 100; i++) {
      assertEquals(
        await pool.map((x: number, y: number) => x + y, [[i, 1], [i, 2]]),
        [i + 1, i + 2],
      );
    }
  });

  test(`WorkerPool mixes verbs with one function (MPIRE bugs 4, 5) [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const square = (x: number) => x * x;
    const gather = async (results: AsyncIterable<number>) => {
      const all = [];
      for await (const result of results) all.push(result);
      return all.sort((a, b) => a - b);
    };
    for (let round = 0; round < 2; round++) {
      assertEquals(await pool.apply(square, [3]), 9);
      assertEquals(await pool.map(square, [1, 2]), [1, 4]);
      const unordered = await pool.mapUnordered(square, [1, 2]);
      assertEquals(unordered.sort((a, b) => a - b), [1, 4]);
      assertEquals(await gather(pool.imap(square, [1, 2])), [1, 4]);
      assertEquals(await gather(pool.imapUnordered(square, [1, 2])), [1, 4]);
    }
  });

  test(`WorkerPool.map() goes on after a task threw [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const picky = (x: number) => {
      if (x === 7) throw new RangeError("seven");
      return x;
    };
    await assertRejects(() => pool.map(picky, range(50)), RangeError, "seven");
    assertEquals(await pool.map(picky, [1, 2, 3]), [1, 2, 3]);
    assertEquals(await pool.mapUnordered(picky, [1]), [1]);
  });

  test(`makeSingleArguments() lets arrays arrive whole [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const arrays = [[1, 2], [], [3]];
    const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
    assertEquals(await pool.map(sum, makeSingleArguments(arrays)), [3, 0, 3]);
    const later = (async function* () {
      yield* arrays;
    })();
    assertEquals(await pool.map(sum, makeSingleArguments(later)), [3, 0, 3]);
  });

  test(`WorkerPool.mapChunks() gives tasks whole slices and joins the results [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const data = Float64Array.from(range(1001));
    const doubled = await pool.mapChunks(
      (slice: Float64Array) => slice.map((x) => x * 2),
      data,
    );
    assertInstanceOf(doubled, Float64Array);
    assertEquals(doubled, data.map((x) => x * 2));
    const words = await pool.mapChunks(
      (slice: string[]) => slice.map((s) => s.toUpperCase()),
      ["a", "b", "c"],
    );
    assertEquals(words, ["A", "B", "C"]);
    assertEquals([...data], range(1001), "the input is as it was");
  });

  test(`WorkerPool.mapChunks() cuts as it is told [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const slice = (slice: number[]) => slice;
    const cut = (data: number[], options: object) =>
      pool.mapChunks(slice, data, { ...options, concatenateOutput: false });
    assertEquals(await cut(range(5), { chunkSize: 2 }), [[0, 1], [2, 3], [4]]);
    assertEquals(await cut(range(10), { nSplits: 3 }), [
      [0, 1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    assertEquals(await cut(range(10), { chunkSize: 2.5 }), [
      [0, 1, 2],
      [3, 4],
      [5, 6, 7],
      [8, 9],
    ]);
    assertEquals(await cut(range(10), { nSplits: 6 }), [
      [0, 1],
      [2, 3],
      [4],
      [5, 6],
      [7, 8],
      [9],
    ]);
    assertEquals(await cut(range(9), { iterableLen: 4, chunkSize: 3 }), [
      [0, 1, 2],
      [3],
    ]);
    assertEquals(await cut(range(4), { iterableLen: 10, nSplits: 2 }), [
      [0, 1],
      [2, 3],
    ]);
    assertEquals(await cut(range(3), { nSplits: 100 }), [[0], [1], [2]]);
    assertEquals(await cut([], {}), []);
    assertEquals(await cut(range(3), { iterableLen: 0 }), []);
  });

  test(`WorkerPool.mapChunks() gives an empty array of the same kind for one [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const typed = await pool.mapChunks(
      (slice: Int16Array) => slice,
      new Int16Array(0),
    );
    assertInstanceOf(typed, Int16Array);
    assertEquals(typed.length, 0);
    assertEquals(await pool.mapChunks((slice: number[]) => slice, []), []);
  });

  test(`WorkerPool.mapChunks() joins results of other lengths and kinds [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const evens = await pool.mapChunks(
      (slice: Int32Array): Int32Array => slice.filter((x) => x % 2 === 0),
      Int32Array.from(range(50)),
      { chunkSize: 7 },
    );
    assertEquals(evens, Int32Array.from(range(25).map((x) => x * 2)));
    const floats = await pool.mapChunks(
      (slice: number[]) => Float32Array.from(slice) as never,
      [1, 2, 3],
      { chunkSize: 2 },
    );
    assertEquals(floats as unknown, Float32Array.of(1, 2, 3));
    // Arrays that are elements stay elements.
    const pairs = await pool.mapChunks(
      (slice: number[][]) => slice.map((pair) => pair),
      [[1, 2], [3, 4], [5, 6]],
      { chunkSize: 1 },
    );
    assertEquals(pairs, [[1, 2], [3, 4], [5, 6]]);
  });

  test(`WorkerPool.mapChunks() refuses to join what does not fit [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const data = [1, 2, 3, 4];
    await assertRejects(
      () => pool.mapChunks((slice: number[]) => slice.length as never, data),
      TypeError,
      "concatenateOutput",
    );
    await assertRejects(
      () =>
        pool.mapChunks(
          (slice: number[]): Int8Array | Int16Array =>
            slice[0] === 1 ? new Int8Array(1) : new Int16Array(1),
          data,
          { chunkSize: 1 },
        ),
      TypeError,
      "concatenateOutput",
    );
    const sums = await pool.mapChunks(
      (slice: number[]) => slice.reduce((a, b) => a + b),
      data,
      { chunkSize: 2, concatenateOutput: false },
    );
    assertEquals(sums, [3, 7]);
  });

  test(`WorkerPool.mapChunks() gives views of shared memory [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const data = sharedArray(Float64Array, range(100));
    await pool.mapChunks((slice: Float64Array) => {
      for (let i = 0; i < slice.length; i++) slice[i]! *= -1;
      return [];
    }, data as Float64Array as never);
    assertEquals([...data], range(100).map((x) => x * -1));
  });

  test(`WorkerPool.mapChunks() passes leading arguments before the slice [${startMethod}]`, async () => {
    await using pool = new WorkerPool({
      nJobs: 2,
      startMethod,
      passWorkerId: true,
      sharedObjects: { factor: 10 },
      useWorkerState: true,
    });
    const results = await pool.mapChunks(
      (id: number, shared: { factor: number }, state: object, xs: number[]) =>
        xs.map((x) => [typeof id, typeof state, x * shared.factor]),
      [1, 2, 3],
    );
    assertEquals(results, [10, 20, 30].map((x) => ["number", "object", x]));
  });
}

test("WorkerPool.mapUnordered() gives results as tasks finish", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const done = sharedArray(Int32Array, 1);
  // The first task ends when all but the last few others have.
  const results = await pool.mapUnordered(
    (done: Int32Array, i: number) => {
      if (i > 0) {
        Atomics.add(done, 0, 1);
        Atomics.notify(done, 0);
        return i;
      }
      for (let seen = 0; seen < 15; seen = Atomics.load(done, 0)) {
        const until = Date.now() + 10_000;
        while (Atomics.load(done, 0) === seen) {
          if (Date.now() > until) return -1;
          Atomics.wait(done, 0, seen, 2);
        }
      }
      return i;
    },
    range(20).map((i): [Int32Array, number] => [done, i]),
    { chunkSize: 1 },
  );
  assertEquals(results.toSorted((a, b) => a - b), range(20));
  // The other worker holds two chunks at most whose results are not in.
  assert(results.indexOf(0) >= 13, `at ${results.indexOf(0)}`);
});

test("WorkerPool.map() starts no worker for empty input", async () => {
  // A worker would fail to start, as there is no such module.
  await using pool = new WorkerPool({ nJobs: 2, preload: ["./missing.ts"] });
  const task = () => 1;
  assertEquals(await pool.map(task, [] as number[]), []);
  assertEquals(await pool.mapUnordered(task, new Set<number>()), []);
  assertEquals(await pool.mapChunks(task as never, []), []);
  for await (const _ of pool.imap(task, [] as number[])) assert(false);
  await assertRejects(() => pool.map(task, [1]), Error, "missing");
});

test("WorkerPool.map() copies arguments and results", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const element = { inner: { x: 1 } };
  const [result] = await pool.map((o: { inner: { x: number } }) => {
    o.inner.x++;
    return o;
  }, [element]);
  assertEquals(result, { inner: { x: 2 } });
  assertEquals(element, { inner: { x: 1 } });
});

test("WorkerPool.map() takes 300000 elements of each kind of input", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const count = 300_000;
  const data = range(count);
  const check = (results: ArrayLike<number>, what: string) => {
    assertEquals(results.length, count, what);
    for (let i = 0; i < count; i++) {
      if (results[i] !== i + 1) assert(false, `${what}: ${i}: ${results[i]}`);
    }
  };
  const next = (x: number) => x + 1;
  check(await pool.map(next, data), "array");
  check(await pool.map(next, Float64Array.from(data)), "typed array");
  check(await pool.map(next, new Set(data)), "set");
  check(await pool.map(next, data.values()), "iterator");
  const unordered = await pool.mapUnordered(next, data.values());
  check(Float64Array.from(unordered).sort(), "unordered");
});

test("WorkerPool.map() gives results of other kinds after many numbers", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  // Enough for many chunks that are gathered as numbers.
  const data = range(20_000);
  const keyOf = (x: unknown) =>
    typeof x === "object" ? JSON.stringify(x) : `${typeof x} ${x}`;
  const tasks: ((x: number) => unknown)[] = [
    (x) => x < 15_000 ? x * 0.5 : undefined,
    (x) => x < 5000 ? x : String(x),
    (x) => x % 2 === 1 ? x : null,
    (x) => x < 15_000 ? -0 : { x },
    (x) => x < 10 ? 2 ** 40 : BigInt(x),
  ];
  for (const task of tasks) {
    const results = await pool.map(task, data);
    assertEquals(results, data.map(task));
    assert(Array.isArray(results) && Object.keys(results).length === 20_000);
    // Of unknown length.
    assertEquals(await pool.map(task, data.values()), results);
    const unordered = await pool.mapUnordered(task, data);
    assertEquals(unordered.map(keyOf).sort(), results.map(keyOf).sort());
  }
});

test("WorkerPool.map() takes elements and results of a few megabytes", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const blocks = range(6).map((i) => new Uint8Array(4_000_000).fill(i + 1));
  const results = await pool.map(
    (block: Uint8Array) => new Uint8Array(block.length).fill(block[0]! * 2),
    blocks,
  );
  results.forEach((block, i) => {
    assertEquals(block.length, 4_000_000);
    assertEquals([block[0], block.at(-1)], [i * 2 + 2, i * 2 + 2]);
  });
  // What was sent is still whole.
  assertEquals(
    blocks.map((block) => block.length),
    new Array(6).fill(4_000_000),
  );
});

test("WorkerPool.mapChunks() gives the outcomes of slices when onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const outcomes = await pool.mapChunks(
    (slice: Float64Array) => {
      if (slice.includes(3)) throw new RangeError("three");
      return slice.map((x) => -x);
    },
    Float64Array.of(1, 2, 3, 4, 5, 6),
    { onError: "settle", nSplits: 3 },
  );
  assertEquals(
    outcomes.map((o) =>
      o.status === "fulfilled" ? [...o.value] : o.reason.message
    ),
    [[-1, -2], "three", [-5, -6]],
  );
});
