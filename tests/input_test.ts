import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, pause, soon, startMethods, until } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

const same = (x: number) => x;

/** An asynchronous input that tells what happens to it. */
class Watched {
  nexts = 0;
  returned = 0;
  readonly #count: number;
  readonly #before: (index: number) => unknown;

  constructor(count = Infinity, before: (index: number) => unknown = () => {}) {
    this.#count = count;
    this.#before = before;
  }

  [Symbol.asyncIterator](): AsyncIterator<number> {
    return {
      next: async () => {
        const value = this.nexts++;
        await this.#before(value);
        if (value >= this.#count) return { done: true, value: undefined };
        return { done: false, value };
      },
      return: async () => {
        this.returned++;
        return await Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

for (const startMethod of startMethods) {
  test(`WorkerPool.map() reads asynchronous iterables [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    assertEquals(await pool.map(same, new Watched(500)), range(500));
    const generator = (async function* () {
      for (let i = 0; i < 10; i++) yield await i;
    })();
    assertEquals(await pool.map(same, generator), range(10));
    const unordered = await pool.mapUnordered(same, new Watched(100));
    assertEquals(unordered.sort((a, b) => a - b), range(100));
    const seen = [];
    for await (const x of pool.imap(same, new Watched(100))) seen.push(x);
    assertEquals(seen, range(100));
    for (const chunkSize of [1, 2.5, 7, 1000]) {
      const results = await pool.map(same, new Watched(50), { chunkSize });
      assertEquals(results, range(50));
    }
  });

  test(`WorkerPool.map() reads a ReadableStream [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    let cancelled = 0;
    const stream = () => {
      let i = 0;
      return new ReadableStream<number>({
        pull(controller) {
          if (i < 20) controller.enqueue(i++);
          else controller.close();
        },
        cancel() {
          cancelled++;
        },
      }) as unknown as AsyncIterable<number>;
    };
    assertEquals(await pool.map(same, stream()), range(20));
    assertEquals(cancelled, 0);
    assertEquals(await pool.map(same, stream(), { iterableLen: 5 }), range(5));
    await until(() => cancelled === 1, "the stream to be cancelled");
  });

  test(`WorkerPool.map() prefers the asynchronous form of an input [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const both = {
      *[Symbol.iterator]() {
        yield 1;
      },
      async *[Symbol.asyncIterator]() {
        yield await 2;
      },
    };
    assertEquals(await pool.map(same, both as AsyncIterable<number>), [2]);
  });

  test(`WorkerPool.imap() gives what there is while the input is slow [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    let open!: () => void;
    const opened = new Promise<void>((resolve) => open = resolve);
    // After three elements the input waits for its consumer.
    const input = new Watched(5, (i) => i === 3 ? opened : undefined);
    const results = pool.imap(same, input);
    for (let i = 0; i < 3; i++) {
      const step = await soon(results.next(), `result ${i}`);
      assertEquals(step, { done: false, value: i });
    }
    open();
    assertEquals((await soon(results.next(), "result 3")).value, 3);
    assertEquals((await soon(results.next(), "result 4")).value, 4);
    assert((await soon(results.next(), "the end")).done);
  });

  test(`WorkerPool.imap() gives what there is of a slow input when chunks have grown [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    let open!: () => void;
    const opened = new Promise<void>((resolve) => open = resolve);
    const input = new Watched(3002, (i) => i === 3001 ? opened : undefined);
    const results = pool.imap(same, input);
    for (let i = 0; i <= 3000; i++) {
      const step = await soon(results.next(), `result ${i}`);
      if (step.value !== i) assertEquals(step.value, i);
    }
    open();
    assertEquals((await soon(results.next(), "result 3001")).value, 3001);
    await results.return!();
  });

  test(`WorkerPool.map() settles at once when an asynchronous input hangs and the call aborts [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const controller = new AbortController();
    const input = new Watched(9, (i) => i === 2 ? new Promise(() => {}) : 0);
    const call = pool.map(same, input, { signal: controller.signal });
    await until(() => input.nexts === 3, "the input to hang");
    controller.abort(new Error("enough"));
    await assertRejects(() => soon(call, "the call"), Error, "enough");
    assertEquals(input.returned, 1);
    assertEquals(await pool.map(same, [1]), [1]);
  });

  test(`WorkerPool.map() rejects with what its input throws [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const error = new Error("from the input");
    const boom = (): never => {
      throw error;
    };
    function* after(count: number) {
      yield* range(count);
      boom();
    }
    async function* afterAsync(count: number) {
      yield* range(count);
      await boom();
    }
    const inputs: Record<
      string,
      () => Iterable<number> | AsyncIterable<number>
    > = {
      "at once": () => after(0),
      "at once, asynchronously": () => afterAsync(0),
      "later": () => after(100),
      "later, asynchronously": () => afterAsync(100),
      "from [Symbol.iterator]": () => ({ [Symbol.iterator]: boom }),
      "from [Symbol.asyncIterator]": () => ({ [Symbol.asyncIterator]: boom }),
      "from next()": () => ({ [Symbol.iterator]: () => ({ next: boom }) }),
      "from next(), synchronously": () => ({
        [Symbol.asyncIterator]: () => ({ next: boom }),
      }),
      "from next(), asynchronously": () => ({
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }),
      }),
    };
    for (const [how, input] of Object.entries(inputs)) {
      for (const onError of ["throw", "settle"] as const) {
        for (const verb of ["map", "mapUnordered"] as const) {
          const caught = await soon(
            assertRejects(() => pool[verb](same, input(), { onError }), how),
            how,
          );
          assertStrictEquals(caught, error, how);
        }
        for (const verb of ["imap", "imapUnordered"] as const) {
          const results = pool[verb](same, input(), { onError });
          const caught = await soon(
            assertRejects(async () => {
              for await (const _ of results) { /* until the error */ }
            }, how),
            how,
          );
          assertStrictEquals(caught, error, how);
          assertEquals(await results.next(), { done: true, value: undefined });
        }
      }
    }
    assertEquals(await pool.map(same, [1, 2]), [1, 2], "usable afterwards");
  });

  test(`WorkerPool.map() rejects when its input gives no iterator results [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const bad = { [Symbol.iterator]: () => ({ next: () => undefined }) };
    await assertRejects(
      () =>
        soon(pool.map(same, bad as unknown as Iterable<number>), "the call"),
      TypeError,
    );
    const badAsync = { [Symbol.asyncIterator]: () => ({ next: () => null }) };
    await assertRejects(
      () =>
        soon(
          pool.map(same, badAsync as unknown as Iterable<number>),
          "the call",
        ),
      TypeError,
    );
    const none = { [Symbol.iterator]: () => undefined };
    await assertRejects(
      () =>
        soon(pool.map(same, none as unknown as Iterable<number>), "the call"),
      TypeError,
    );
    assertEquals(await pool.map(same, [1]), [1]);
  });

  test(`WorkerPool.map() cuts longer input at iterableLen and closes it [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    for (const iterableLen of [1, 3, 100]) {
      for (const chunkSize of [undefined, 1, 2.5, 7]) {
        const options = chunkSize
          ? { iterableLen, chunkSize }
          : { iterableLen };
        let read = 0;
        let closed = 0;
        const generator = (function* () {
          try {
            for (;;) yield read++;
          } finally {
            closed++;
          }
        })();
        assertEquals(
          await pool.map(same, generator, options),
          range(iterableLen),
        );
        assertEquals([read, closed], [iterableLen, 1]);
        const later = new Watched();
        assertEquals(await pool.map(same, later, options), range(iterableLen));
        assertEquals([later.nexts, later.returned], [iterableLen, 1]);
        assertEquals(
          await pool.map(same, range(101), options),
          range(iterableLen),
        );
        assertEquals(
          await pool.map(same, Float32Array.from(range(101)), options),
          range(iterableLen),
        );
      }
    }
    const seen = [];
    for await (const x of pool.imap(same, new Watched(), { iterableLen: 7 })) {
      seen.push(x);
    }
    assertEquals(seen, range(7));
  });

  test(`WorkerPool.map() takes an iterableLen beyond the input's end (MPIRE bug 12) [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const options = { iterableLen: 1000 };
    assertEquals(await pool.map(same, range(3), options), range(3));
    assertEquals(await pool.map(same, new Set([5]), options), [5]);
    assertEquals(await pool.map(same, range(3).values(), options), range(3));
    assertEquals(await pool.map(same, new Watched(3), options), range(3));
    assertEquals(await pool.map(same, new Watched(0), options), []);
    assertEquals(
      await pool.map(same, range(3), { iterableLen: 10, nSplits: 2 }),
      range(3),
    );
  });

  test(`WorkerPool.map() reads nothing with an iterableLen of 0 [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    let reads = 0;
    const input = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false as const, value: reads++ }),
      }),
    };
    const later = new Watched();
    assertEquals(await pool.map(same, input, { iterableLen: 0 }), []);
    assertEquals(await pool.map(same, later, { iterableLen: 0 }), []);
    assertEquals(await pool.map(same, [1, 2], { iterableLen: 0 }), []);
    assertEquals([reads, later.nexts], [0, 0]);
  });

  test(`WorkerPool.map() closes an endless input when a task throws [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    let closed = 0;
    const endless = (function* () {
      try {
        for (let i = 0;; i++) yield i;
      } finally {
        closed++;
      }
    })();
    const later = new Watched();
    const picky = (x: number) => {
      if (x === 50) throw new RangeError("fifty");
    };
    await assertRejects(() => pool.map(picky, endless), RangeError, "fifty");
    assertEquals(closed, 1);
    await assertRejects(() => pool.map(picky, later), RangeError, "fifty");
    assertEquals(later.returned, 1);
    const { nexts } = later;
    await pause(20);
    assert(later.nexts <= nexts + 1);
  });

  test(`WorkerPool.map() keeps a task's error when return() of the input fails too [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const fails = () => {
      throw new RangeError("the task");
    };
    const input = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false as const, value: 1 }),
        return: (): never => {
          throw new Error("return()");
        },
      }),
    };
    const later = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false as const, value: 1 }),
        return: () => Promise.reject(new Error("return()")),
      }),
    };
    await assertRejects(() => pool.map(fails, input), RangeError, "the task");
    await assertRejects(() => pool.map(fails, later), RangeError, "the task");
    await pause(10);
  });

  test(`WorkerPool.map() lets its input use the pool [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const inner: Promise<number>[] = [];
    function* busy() {
      for (let i = 0; i < 20; i++) {
        inner.push(pool.apply((x: number) => -x, [i]));
        yield i;
      }
    }
    assertEquals(await soon(pool.map(same, busy()), "the map"), range(20));
    assertEquals(
      await soon(Promise.all(inner), "the applies"),
      range(20).map((x) => -x),
    );
    async function* chained() {
      for (let i = 0; i < 5; i++) {
        yield await pool.apply((x: number) => -x, [i]);
      }
    }
    assertEquals(
      await soon(pool.map(same, chained()), "the chain"),
      range(5).map((x) => -x),
    );
    // The results of one call are the input of the next.
    const doubled = pool.imap((x: number) => x * 2, range(30));
    const results = await soon(pool.map((x: number) => x + 1, doubled), "both");
    assertEquals(results, range(30).map((x) => x * 2 + 1));
  });

  test(`WorkerPool.map() ends when its input aborts it [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const controller = new AbortController();
    let read = 0;
    function* input() {
      for (;;) {
        if (read === 10) controller.abort(new Error("from the input"));
        yield read++;
      }
    }
    await assertRejects(
      () =>
        soon(
          pool.map(same, input(), { signal: controller.signal }),
          "the call",
        ),
      Error,
      "from the input",
    );
    await pause(10);
    assertEquals(read, 11, "nothing is read after the abort");
    assertEquals(await pool.map(same, [1]), [1]);
  });
}

test("WorkerPool.map() runs tasks while its input is still coming", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const done = sharedArray(Int32Array, 1);
  // Each element is given when the one before has been worked on.
  const input = (async function* (): AsyncGenerator<[Int32Array, number]> {
    for (let i = 0; i < 10; i++) {
      await until(() => done[0] === i, `task ${i - 1}`);
      yield [done, i];
    }
  })();
  const results = await pool.map((done: Int32Array, i: number) => {
    Atomics.add(done, 0, 1);
    return i;
  }, input);
  assertEquals(results, range(10));
});

test("WorkerPool.map() reads an asynchronous input no further than maxTasksActive", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 1);
  const input = new Watched();
  const controller = new AbortController();
  const call = pool.map(
    (gate: Int32Array) => {
      while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
    },
    (async function* (): AsyncGenerator<[Int32Array]> {
      for await (const _ of input) yield [gate];
    })(),
    { chunkSize: 1, maxTasksActive: 3, signal: controller.signal },
  );
  await until(() => input.nexts >= 3, "the input to be read");
  await pause();
  assertEquals(input.nexts, 3);
  controller.abort(new Error("seen"));
  open(gate);
  await assertRejects(() => call, Error, "seen");
});

test("Input whose steps are no objects fails the call", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const next = () => 5 as unknown as IteratorResult<number>;
  const inputs: (Iterable<number> | AsyncIterable<number>)[] = [
    { [Symbol.iterator]: () => ({ next }) },
    { [Symbol.asyncIterator]: () => ({ next: async () => await next() }) },
  ];
  for (const input of inputs) {
    await assertRejects(
      () => soon(pool.map((x: number) => x, input), "the call"),
      TypeError,
      "Iterator result 5 is not an object",
    );
  }
  assertEquals(await pool.apply(() => 2), 2);
});

for (const startMethod of startMethods) {
  test(`Input that ends its own call is closed [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const abort = new AbortController();
    let isClosed = false;
    function* input() {
      try {
        for (let i = 0;; i++) {
          if (i === 3) abort.abort(new Error("enough"));
          yield i;
        }
      } finally {
        isClosed = true;
      }
    }
    await assertRejects(
      () =>
        pool.map((x: number) => x, input(), {
          signal: abort.signal,
          chunkSize: 1,
        }),
      Error,
      "enough",
    );
    assertEquals(isClosed, true);
  });
}

test("WorkerPool.map() takes any chunk size", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const call = pool.map((x: number) => x, [1, 2, 3, 4, 5], {
    chunkSize: 1e308,
    maxTasksActive: 2,
  });
  assertEquals(await soon(call, "the call"), [1, 2, 3, 4, 5]);
});

for (const startMethod of startMethods) {
  test(`WorkerPool.map() gives results their places when reading its input uses the pool [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const identity = (x: number) => x;
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    const side: Promise<unknown>[] = [];
    const call = () => side.push(pool.apply(identity, [0]));
    function* generated() {
      for (const i of numbers) {
        if (i % 3 === 1) call();
        yield i;
      }
    }
    async function* later() {
      for (const i of numbers) {
        if (i % 3 === 1) call();
        yield i;
      }
    }
    const array: number[] = [];
    for (const i of numbers) {
      Object.defineProperty(array, i, {
        enumerable: true,
        configurable: true,
        get() {
          if (i % 3 === 1) call();
          return i;
        },
      });
    }
    const inputs = { generated, later, array: () => array };
    for (const [name, input] of Object.entries(inputs)) {
      for (const maxTasksActive of [1, 4, undefined]) {
        for (const chunkSize of [1, 3]) {
          const options = { maxTasksActive, chunkSize };
          const results = pool.map(identity, input(), options);
          const what = `${name} with ${JSON.stringify(options)}`;
          assertEquals(await soon(results, what), numbers, what);
        }
      }
    }
    await soon(Promise.all(side), "the other calls");
  });

  test(`WorkerPool.imap() gives what there is of a slow input of known length [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    let taken = 0;
    let wake = () => {};
    // Each element waits for the result of the one before.
    async function* chained() {
      for (let i = 0; i < 10; i++) {
        while (taken < i) await new Promise<void>((resolve) => wake = resolve);
        yield i;
      }
    }
    const results = pool.imap((x: number) => x, chained(), {
      iterableLen: 1000,
    });
    for (let i = 0; i < 10; i++) {
      const next = await soon(results.next(), `result ${i}`);
      assertEquals(next, { done: false, value: i });
      taken++;
      wake();
    }
    assertEquals((await soon(results.next(), "the end")).done, true);
  });

  test(`WorkerPool.map() takes arrays of a class with a constructor of its own [${startMethod}]`, async () => {
    class Path extends Array<number> {
      constructor(points: Iterable<number>) {
        super();
        for (const point of points) this.push(point);
      }
    }
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const path = new Path([1, 2, 3]);
    assertEquals(await pool.map((x: number) => x, path), [1, 2, 3]);
    const slices = pool.mapChunks((slice: number[]) => slice, path as number[]);
    assertEquals(await slices, [1, 2, 3]);
    const none = pool.mapChunks(
      (slice: number[]) => slice,
      new Path([]) as number[],
    );
    assertEquals([...await none], []);
  });

  test(`WorkerPool.map() ignores what return() of an input that is cut does [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, startMethod });
    const fail = () => {
      throw new RangeError("return");
    };
    for (const end of [fail, () => Promise.reject(new RangeError("return"))]) {
      let i = 0;
      const input = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ value: i++, done: false as const }),
          return: end,
        }),
      } as AsyncIterable<number>;
      const results = pool.map((x: number) => x, input, { iterableLen: 3 });
      assertEquals(await results, [0, 1, 2]);
    }
  });
}

test("WorkerPool.imap() reads a stuttering input no further than maxTasksActive", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  let read = 0;
  let taken = 0;
  let most = 0;
  async function* stuttering() {
    while (true) {
      if (read > 300 && read % 18 === 0) await pause(5);
      read++;
      most = Math.max(most, read - taken);
      yield read;
    }
  }
  const results = pool.imap((x: number) => x, stuttering(), {
    maxTasksActive: 40,
  });
  while (taken < 500) {
    await results.next();
    taken++;
  }
  await pause(100);
  // One is read ahead of the question whether there is room for it.
  assert(most <= 41, `${most} at a time`);
  await results.return!();
});
