import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { SharedValue } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";

test("SharedValue is a number of its kind", () => {
  const plain = new SharedValue();
  assertEquals([plain.kind, plain.value], ["float64", 0]);
  assertEquals(new SharedValue(0.5).value, 0.5);
  assertEquals(new SharedValue("int32").value, 0);
  assertEquals(new SharedValue("int32", -5).value, -5);
  assertEquals(new SharedValue("uint32", 2 ** 32 - 1).value, 2 ** 32 - 1);
  assertEquals(new SharedValue("bigint64", -5n).value, -5n);
  assertEquals(
    new SharedValue("biguint64", 2n ** 64n - 1n).value,
    2n ** 64n - 1n,
  );
  for (const x of [NaN, -0, Infinity, Number.MIN_VALUE, 2 ** 53]) {
    assert(Object.is(new SharedValue(x).value, x));
  }
});

for (const kind of ["int32", "uint32", "float64"] as const) {
  test(`SharedValue adds, exchanges and compares [${kind}]`, () => {
    const value = new SharedValue(kind, 5);
    assertEquals(value.add(2), 5);
    assertEquals(value.value, 7);
    assertEquals(value.exchange(10), 7);
    assertEquals(value.compareExchange(11, 12), 10);
    assertEquals(value.value, 10);
    assertEquals(value.compareExchange(10, 12), 10);
    assertEquals(value.value, 12);
    value.value = 1;
    assertEquals(value.value, 1);
  });
}

test("SharedValue compares fractions as numbers, not by their bits", () => {
  const value = new SharedValue(-0);
  assert(Object.is(value.compareExchange(0, NaN), -0));
  assert(Number.isNaN(value.compareExchange(NaN, 0.25)));
  assertEquals(value.add(0.5), 0.25);
  assertEquals(value.value, 0.75);
});

test("SharedValue adds to bigints, and wraps integers around", () => {
  const value = new SharedValue("bigint64", 2n ** 62n);
  assertEquals(value.add(1n), 2n ** 62n);
  assertEquals(value.value, 2n ** 62n + 1n);
  const int = new SharedValue("int32", 2 ** 31 - 1);
  int.add(1);
  assertEquals(int.value, -(2 ** 31));
});

test("SharedValue refuses bad input", () => {
  const refused: [() => unknown, typeof TypeError | typeof RangeError][] = [
    [() => new SharedValue("float32" as never), RangeError],
    [() => new SharedValue("int32", 0.5), RangeError],
    [() => new SharedValue("int32", 2 ** 31), RangeError],
    [() => new SharedValue("uint32", -1), RangeError],
    [() => new SharedValue("biguint64", -1n), RangeError],
    [() => new SharedValue("bigint64", 1 as never), TypeError],
    [() => new SharedValue(1n as never), TypeError],
    [() => new SharedValue({} as never), TypeError],
    [() => new SharedValue(null as never), TypeError],
    [() => new SharedValue().value = "1" as never, TypeError],
    [() => new SharedValue("int32").add(0.5), RangeError],
    [() => new SharedValue().exchange(undefined as never), TypeError],
    [() => new SharedValue("int32").compareExchange(0, NaN), RangeError],
  ];
  for (const [action, errorClass] of refused) {
    assertThrows(action, errorClass, "SharedValue");
  }
});

for (const kind of ["int32", "float64", "bigint64"] as const) {
  testShared(
    `SharedValue loses no update of workers and the main thread [${kind}]`,
    async () => {
      const isBig = kind === "bigint64";
      const one = (isBig ? 1n : 1) as never;
      const value = new SharedValue(kind);
      await using pool = new WorkerPool({ nJobs: 2, sharedObjects: value });
      const tasks = pool.map(
        (value, n: number, one: never) => {
          for (let i = 0; i < n; i++) value.add(one);
          return value;
        },
        [[200_000, one], [200_000, one]],
        { chunkSize: 1 },
      );
      for (let i = 0; i < 1000; i++) {
        value.add(one);
        if (i % 100 === 0) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
      const [sent] = await tasks;
      assertEquals(Number(value.value), 401_000);
      assertInstanceOf(sent, SharedValue);
      assert(sent as unknown === value);
    },
  );
}
