import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { sharedArray, transfer, WorkerDiedError, WorkerPool } from "../mod.ts";

const first = (array: Float64Array) => array[0];

test("transfer() moves an argument", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const array = Float64Array.of(7, 8);
  assertEquals(transfer(array), array);
  assertEquals(array.length, 2, "not before it is sent");
  assertEquals(await pool.apply(first, [transfer(array)]), 7);
  assertEquals(array.length, 0);
});

test("transfer() moves what is deep inside arguments, and nothing else", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const moved = new Uint8Array(4).fill(1);
  const inMap = new ArrayBuffer(8);
  const copied = new Uint8Array(4).fill(2);
  const value = {
    list: [{ moved }],
    map: new Map<string, unknown>([["buffer", inMap]]),
    error: new Error("travels as a copy"),
    self: undefined as unknown,
  };
  value.self = value;
  const sum = await pool.apply(
    (value: { list: { moved: Uint8Array }[] }, copied: Uint8Array) =>
      value.list[0]!.moved[3]! + copied[3]!,
    [transfer(value), copied],
  );
  assertEquals(sum, 3);
  assertEquals([moved.length, inMap.byteLength, copied.length], [0, 0, 4]);
});

test("transfer() moves results, also of functions sent by value", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  const make = (state: { kept?: Uint8Array }, moves: boolean) => {
    state.kept = new Uint8Array(16).fill(5);
    return moves ? transfer({ kept: state.kept }) : { kept: state.kept };
  };
  const left = (state: { kept?: Uint8Array }) => state.kept!.length;
  const closure = { transfer };
  const moved = await pool.apply(make, [true], { closure });
  assertEquals(moved.kept, new Uint8Array(16).fill(5));
  assertEquals(await pool.apply(left), 0);
  await pool.apply(make, [false], { closure });
  assertEquals(await pool.apply(left), 16);
});

test("transfer() moves elements and results of map() and imap()", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const arrays = Array.from({ length: 50 }, (_, i) => Int32Array.of(i, i));
  const double = (array: Int32Array) => transfer(array.map((x) => x * 2));
  const closure = { transfer };
  const input = arrays.map((array) => transfer(array));
  const doubled = await pool.map(double, input, { closure });
  assertEquals(doubled.map(([x]) => x), arrays.map((_, i) => i * 2));
  assert(arrays.every((array) => array.length === 0));
  let i = 0;
  for await (const [x] of pool.imap(double, transfer(doubled), { closure })) {
    assertEquals(x, i++ * 4);
  }
  assert(doubled.every((array) => array.length === 0));
});

test("transfer() lets shared memory be shared", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const shared = sharedArray(Int32Array, 2);
  await pool.apply((shared: Int32Array) => {
    shared[1] = 9;
  }, [transfer(shared)]);
  assertEquals([...shared], [0, 9]);
});

test("transfer() moves a message port", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { port1, port2 } = new MessageChannel();
  const heard = new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
  });
  await pool.apply((port: MessagePort) => port.postMessage("from the task"), [
    transfer(port2),
  ]);
  assertEquals(await heard, "from the task");
  port1.close();
});

test("transfer() leaves the memory that small Buffers share where it is", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { Buffer } = await import("node:buffer");
  const [one, two] = [Buffer.from("one"), Buffer.from("two")];
  const length = await pool.apply((bytes: Uint8Array) => bytes.length, [
    transfer(one),
  ]);
  const isShared = one.length < one.buffer.byteLength;
  assertEquals([length, two.toString()], [3, "two"]);
  // Bun gives each its own.
  if (isShared) assertEquals(one.length, 3);
});

test("WorkerPool refuses what has been moved already", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const array = transfer(new Float64Array(2));
  assertEquals(await pool.apply(first, [array]), 0);
  const again = await assertRejects(() => pool.apply(first, [array]));
  assertEquals((again as Error).name, "DataCloneError");
  assertStringIncludes((again as Error).message, "detached");

  const twice = transfer(new Float64Array(2));
  const outcomes = await Promise.allSettled(
    [1, 2, 3].map(() => pool.apply(first, [twice])),
  );
  assertEquals(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected"],
  );
});

test("WorkerPool refuses transfer() in shared objects and closures", async () => {
  const array = transfer(new Float64Array(2));
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: { array } });
  const shared = await assertRejects(
    () => pool.apply((shared) => shared.array[0]),
    TypeError,
  );
  assertStringIncludes(shared.message, "'sharedObjects'");
  await using other = new WorkerPool({ nJobs: 1 });
  const closed = await assertRejects(
    () => other.apply(() => array[0], [], { closure: { array } }),
    TypeError,
  );
  assertStringIncludes(closed.message, "'closure'");
  assertEquals(array.length, 2);
});

test("transfer() moves nothing with start method serial", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  const array = new Float64Array(2);
  const same = await pool.apply((array: Float64Array) => array, [
    transfer(array),
  ]);
  assert(same === array);
  assertEquals(array.length, 2);
});

test("transfer() throws a TypeError for what holds nothing", () => {
  for (const value of [1, "text", null, undefined, () => {}]) {
    assertThrows(() => transfer(value as never), TypeError, "Cannot transfer");
  }
  assertEquals(transfer([]), []);
});

test("WorkerPool does not send a task ahead whose arguments are moved", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  await pool.start();
  const task = (ms: number, array: Float64Array) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return array.length;
  };
  const start = performance.now();
  const slow = pool.apply(task, [2000, new Float64Array(1)]);
  const others = Array.from(
    { length: 6 },
    () => pool.apply(task, [5, transfer(new Float64Array(3))]),
  );
  assertEquals(await Promise.all(others), [3, 3, 3, 3, 3, 3]);
  assert(performance.now() - start < 1500, "waited behind the slow task");
  await slow;
});

test("WorkerPool runs moved arguments once though workers die", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const task = (i: number, array: Float64Array) => {
    if (i % 5 === 0) globalThis.process.exit(1);
    return array[0]! + i;
  };
  const outcomes = await Promise.allSettled(
    Array.from(
      { length: 20 },
      (_, i) => pool.apply(task, [i, transfer(Float64Array.of(100))]),
    ),
  );
  outcomes.forEach((outcome, i) => {
    if (i % 5 === 0) {
      assert(outcome.status === "rejected");
      assertInstanceOf(outcome.reason, WorkerDiedError);
    } else assertEquals(outcome, { status: "fulfilled", value: 100 + i });
  });
});
