import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { test } from "node:test";
import { importTasks, makeSingleArguments } from "../mod.ts";
import { describe, kinds, unsendable } from "./fixtures/values/kinds.ts";
import { startMethod, WorkerPool } from "./support/pool.ts";

const tasks = importTasks<typeof import("./fixtures/values/kinds.ts")>(
  new URL("./fixtures/values/kinds.ts", import.meta.url),
);

const expected = Object.fromEntries(
  kinds.map(([name, , arrives]) => [name, arrives]),
);

function named(values: unknown[]): Record<string, unknown> {
  return Object.fromEntries(kinds.map(([name], i) => [name, values[i]]));
}

test(`WorkerPool carries ${kinds.length} kinds of values into a task: ${startMethod}`, async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const values = kinds.map(([, make]) => make());
  const alone = await pool.map(
    tasks.describeArgument,
    makeSingleArguments(values),
    { chunkSize: 1 },
  );
  assertEquals(named(alone), expected);
  // Values that travel together are packed as one list.
  const together = await pool.map(
    tasks.describeArgument,
    makeSingleArguments(values),
    { chunkSize: values.length },
  );
  assertEquals(named(together), expected);
});

test(`WorkerPool carries ${kinds.length} kinds of values out of a task: ${startMethod}`, async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const names = kinds.map(([name]) => name);
  for (const chunkSize of [1, names.length]) {
    const results = await pool.map(tasks.make, names, { chunkSize });
    assertEquals(named(results.map(describe)), expected);
  }
  for (const name of names) {
    assertEquals(
      describe(await pool.apply(tasks.make, [name])),
      expected[name],
    );
  }
});

test(`WorkerPool carries ${kinds.length} kinds of values as shared objects: ${startMethod}`, async () => {
  const sharedObjects = named(kinds.map(([, make]) => make()));
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects });
  assertEquals(named(await pool.apply(tasks.describeShared)), expected);
});

test(`WorkerPool carries views that go on with their buffers: ${startMethod}`, async () => {
  for (const size of [8, 100_000]) {
    const make = () => {
      const buffer = new ArrayBuffer(size, { maxByteLength: size * 2 });
      return {
        all: new Uint8Array(buffer),
        part: new Uint8Array(buffer, 4, 2),
        rest: new DataView(buffer, 2),
      };
    };
    const task = ({ all, part, rest }: ReturnType<typeof make>) => {
      all.buffer.resize(all.length + 4);
      return [all.length, part.length, rest.byteLength];
    };
    await using pool = new WorkerPool({ nJobs: 1, sharedObjects: make() });
    const expected = [size + 4, 2, size + 2];
    assertEquals(await pool.apply(task), expected);
    const pass = (_: unknown, value: ReturnType<typeof make>) => value;
    assertEquals(task(await pool.apply(pass, [make()])), expected);
  }
});

test(`WorkerPool refuses views that are out of bounds: ${startMethod}`, async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const buffer = new ArrayBuffer(8, { maxByteLength: 8 });
  const views = [new Uint8Array(buffer, 4, 2), new DataView(buffer, 4, 2)];
  buffer.resize(4);
  for (const view of views) {
    const error = await assertRejects(
      () => pool.apply(tasks.describeArgument, [{ view }]),
      DOMException,
    );
    assertEquals(
      error.message,
      "Cannot send argument 0 as its property 'view' is a view on what its " +
        "buffer does not have any more",
    );
  }
});

for (const [name, make, says] of unsendable) {
  test(`WorkerPool refuses ${name} in either direction, and says where it is: ${startMethod}`, async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const calls = [
      () => pool.apply(tasks.describeArgument, [make()]),
      () => pool.apply(tasks.make, [name]),
      () => pool.map(tasks.describeArgument, makeSingleArguments([make()])),
      () => pool.map(tasks.make, [name]),
    ];
    for (const call of calls) {
      const error = await assertRejects(call) as Error;
      assertEquals(error.name, "DataCloneError");
      assertMatch(error.message, says);
    }
    assertEquals(await pool.apply(tasks.describeArgument, [1]), "1");
  });
}
