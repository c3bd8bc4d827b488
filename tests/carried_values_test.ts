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
