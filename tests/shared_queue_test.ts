import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import {
  Lock,
  QueueClosedError,
  sharedArray,
  sharedMemory,
  SharedQueue,
  TimeoutError,
  WorkerDiedError,
} from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { testIf } from "./support/skip.ts";
import { pause, soon, until } from "./support/waiting.ts";

test("SharedQueue gives items in the order in which they were put", async () => {
  const queue = new SharedQueue<unknown>();
  assertEquals([queue.size, queue.empty, queue.full], [0, true, false]);
  const items = [1, "two", { three: [3] }, new Map([[4, new Set([4])]]), null];
  for (const item of items) await queue.put(item);
  queue.putSync(undefined);
  assertEquals(queue.tryPut(7n), true);
  assertEquals([queue.size, queue.empty], [7, false]);
  for (const item of items) assertEquals(await queue.get(), item);
  assertEquals(queue.getSync(), undefined);
  assertEquals(queue.tryGet(), { item: 7n });
  assertEquals(queue.tryGet(), undefined);
  assertEquals(queue.size, 0);
});

test("SharedQueue carries errors, dates and views", async () => {
  const queue = new SharedQueue<unknown>();
  const cause = new RangeError("why");
  queue.putSync([new TypeError("what", { cause }), new Date(5)]);
  queue.putSync(new Float64Array([1, 2, 3]).subarray(1));
  const [error, date] = await queue.get() as [Error, Date];
  assert(error instanceof TypeError);
  assertEquals([error.message, (error.cause as Error).message], [
    "what",
    "why",
  ]);
  assertEquals(date.getTime(), 5);
  assertEquals(await queue.get(), new Float64Array([2, 3]));
});

test("SharedQueue.put() waits when there are as many items as there may be", async () => {
  const queue = new SharedQueue<number>(2);
  queue.putSync(1);
  await queue.put(2);
  assertEquals([queue.full, queue.tryPut(3)], [true, false]);
  const error = await assertRejects(
    () => queue.put(3, { timeout: 20 }),
    TimeoutError,
  );
  assertEquals([error.stage, error.timeout], ["put", 20]);
  assertThrows(() => queue.putSync(3, { timeout: 20 }), TimeoutError);
  const waiting = queue.put(3);
  assertEquals(queue.getSync(), 1);
  await soon(waiting, "room");
  assertEquals([await queue.get(), await queue.get()], [2, 3]);
});

test("SharedQueue.put() waits when an item has no room, and refuses one that never has", async () => {
  const queue = new SharedQueue<Uint8Array>(0, { byteLength: 1000 });
  const item = new Uint8Array(600).fill(7);
  queue.putSync(item);
  assertEquals([queue.full, queue.tryPut(item)], [false, false]);
  const waiting = queue.put(item);
  assertEquals(queue.getSync(), item);
  await soon(waiting, "room");
  // It goes round the end of the memory.
  for (let i = 0; i < 20; i++) {
    assertEquals(await queue.get(), item.fill(i + 7));
    queue.putSync(item.fill(i + 8));
  }
  const large = new Uint8Array(1001);
  await assertRejects(() => queue.put(large), RangeError, "at most 996 bytes");
  assertThrows(() => queue.putSync(large), RangeError);
  assertThrows(() => queue.tryPut(large), RangeError);
  assertEquals(queue.size, 1);
});

test("SharedQueue.get() waits for an item", async () => {
  const queue = new SharedQueue<number>();
  const error = await assertRejects(
    () => queue.get({ timeout: 20 }),
    TimeoutError,
  );
  assertEquals([error.stage, error.timeout], ["get", 20]);
  assertThrows(() => queue.getSync({ timeout: 0 }), TimeoutError);
  const items = Promise.all([queue.get(), queue.get()]);
  await pause(20);
  queue.putSync(1);
  queue.putSync(2);
  assertEquals((await soon(items, "items")).sort(), [1, 2]);
  const abort = new AbortController();
  const waiting = queue.get({ signal: abort.signal });
  abort.abort(new Error("no more"));
  await assertRejects(() => waiting, Error, "no more");
  queue.putSync(3);
  assertEquals(await queue.get(), 3);
});

test("SharedQueue.close() lets what is there be got, and ends the waiting", async () => {
  const queue = new SharedQueue<number>(1);
  const waiting = assertRejects(async () => {
    await queue.get();
    await queue.get();
  }, QueueClosedError);
  queue.putSync(1);
  await until(() => queue.empty, "the first");
  queue.putSync(2);
  assertEquals(await queue.get().catch(() => 2), 2);
  queue.close();
  assertEquals(queue.closed, true);
  await soon(waiting, "the end");
  await assertRejects(() => queue.put(1), QueueClosedError);
  assertThrows(() => queue.tryPut(1), QueueClosedError);
  assertThrows(() => queue.getSync(), QueueClosedError);
  assertThrows(() => queue.tryGet(), QueueClosedError);
  for await (const _ of queue) throw new Error("unreachable");
});

test("SharedQueue refuses bad input", async () => {
  assertThrows(() => new SharedQueue("1" as never), TypeError, "'maxSize'");
  assertThrows(() => new SharedQueue(-1), RangeError, "'maxSize'");
  const make = (options: unknown) => () =>
    new SharedQueue(0, options as Record<string, never>);
  assertThrows(make(5), TypeError, "'options'");
  assertThrows(make({ size: 5 }), RangeError, "'size' is unknown");
  assertThrows(make({ byteLength: 8 }), RangeError, "'byteLength'");
  assertThrows(make({ byteLength: "8" }), TypeError, "'byteLength'");
  const queue = new SharedQueue<unknown>();
  const error = await assertRejects(() => queue.put({ f() {} }));
  assertEquals((error as Error).name, "DataCloneError");
  assert((error as Error).message.includes("the item"));
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  const shrunk = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 8 }), 4, 2);
  shrunk.buffer.resize(1);
  for (
    const [item, says] of [
      [{ a: new Proxy({}, {}) }, "its property 'a' is an object that cannot"],
      [buffer, "it is a detached ArrayBuffer"],
      [[shrunk], "its property '[0]' is a view on what its buffer does not"],
    ] as const
  ) {
    const error = assertThrows(() => queue.tryPut(item), DOMException);
    assertEquals(error.name, "DataCloneError");
    assertStringIncludes(error.message, `Cannot send the item as ${says}`);
  }
  await assertRejects(() => queue.get({ timeout: -1 }), RangeError);
  assertEquals(queue.size, 0);
});

testIf(sharedMemory.available, "no memory that an item could name")(
  "SharedQueue carries locks and shared arrays",
  async () => {
    const queue = new SharedQueue<unknown>();
    const lock = new Lock();
    const array = sharedArray(Int32Array, 2);
    queue.putSync({ lock, array });
    const got = await queue.get() as { lock: Lock; array: Int32Array };
    assert(got.lock === lock);
    got.array[1] = 5;
    assertEquals(array[1], 5);
  },
);

testShared(
  "SharedQueue loses and doubles nothing between many producers and consumers",
  async () => {
    const queue = new SharedQueue<[from: number, n: number]>(20, {
      byteLength: 2_000,
    });
    await using producers = new WorkerPool({ nJobs: 2, sharedObjects: queue });
    await using consumers = new WorkerPool({ nJobs: 2, sharedObjects: queue });
    const count = 4_000;
    const consumed = consumers.map(
      async (queue, isSync: boolean) => {
        const got: [from: number, n: number][] = [];
        if (!isSync) {
          for await (const item of queue) got.push(item);
          return got;
        }
        while (true) {
          try {
            got.push(queue.getSync());
          } catch (error) {
            if ((error as Error).name === "QueueClosedError") return got;
            throw error;
          }
        }
      },
      [true, false],
      { chunkSize: 1 },
    );
    const produced = producers.map(
      async (queue, from: number, count: number) => {
        for (let n = 0; n < count; n++) {
          if (from === 0) await queue.put([from, n]);
          else queue.putSync([from, n]);
        }
      },
      [[0, count], [1, count]],
      { chunkSize: 1 },
    );
    const mine: [from: number, n: number][] = [];
    const got = (async () => {
      for await (const item of queue) mine.push(item);
    })();
    await produced;
    queue.close();
    await got;
    const lists = [...await consumed, mine];
    for (const list of lists) {
      for (const from of [0, 1]) {
        const numbers = list.filter(([f]) => f === from).map(([, n]) => n);
        assertEquals(numbers, [...numbers].sort((a, b) => a - b));
      }
    }
    const all = lists.flat().map(([from, n]) => from * count + n)
      .sort((a, b) => a - b);
    assertEquals(all, Array.from({ length: 2 * count }, (_, i) => i));
  },
);

testShared("SharedQueue goes on when workers die that use it", async () => {
  const queue = new SharedQueue<number>(4);
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: queue });
  for (let i = 0; i < 3; i++) {
    await assertRejects(
      () =>
        pool.apply(async (queue) => {
          // One that waits dies, and one that is at it.
          queue.put(1);
          queue.get().then(() => queue.get()).then(() => queue.get());
          await new Promise((resolve) => setTimeout(resolve, 10));
          globalThis.process.exit(3);
        }),
      WorkerDiedError,
    );
  }
  while (queue.tryGet());
  const waiting = queue.get();
  await pool.apply((queue) => queue.putSync(5));
  assertEquals(await soon(waiting, "the item"), 5);
  assertEquals(queue.size, 0);
});
