import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { WorkerPool } from "../mod.ts";
import { packColumns, unpackColumns } from "../src/wire/columns.ts";
import { packList, unpackList } from "../src/wire/list.ts";
import { startMethods } from "./support/waiting.ts";

type Row = Record<string, unknown>;

const rows = (row: (i: number) => unknown, length = 40): unknown[] =>
  Array.from({ length }, (_, i) => row(i));

/** What arrives of a list, and whether it travels in columns. */
function sendList(
  list: unknown[],
): { received: unknown[]; inColumns: boolean } {
  const { payload, transfer } = packList(list);
  return {
    received: Array.from(unpackList(structuredClone(payload, { transfer }))),
    inColumns: "columns" in payload,
  };
}

/** Whether the lists are the same down to the order of keys and -0. */
function assertSameRows(actual: unknown[], expected: unknown[]): void {
  assertEquals(actual.length, expected.length);
  for (const [i, row] of actual.entries()) {
    const clone = expected[i] as Row;
    assertEquals(Object.getPrototypeOf(row), Object.prototype);
    assertEquals(Reflect.ownKeys(row as Row), Reflect.ownKeys(clone));
    for (const key of Reflect.ownKeys(clone) as string[]) {
      assert(Object.is((row as Row)[key], clone[key]), `${i}, ${key}`);
    }
    assertEquals(
      Object.getOwnPropertyDescriptors(row),
      Object.getOwnPropertyDescriptors(clone),
    );
  }
}

test("packList() sends records in columns", () => {
  const lists: Record<string, unknown[]> = {
    numbers: rows((i) => ({ x: i, y: -i / 3, z: i % 2 ? NaN : -0 })),
    strings: rows((i) => ({ a: `${i}`, b: "ü€\ud800".repeat(i % 5), c: "" })),
    "long strings": rows((i) => ({ a: "long ".repeat(i) })),
    "all kinds": rows((i) => ({
      a: i % 3 ? i : `${i}`,
      b: [undefined, null, true, 5n, 0.5, "x"][i % 6],
      c: i % 2 === 0,
    })),
    "odd names": rows((i) => ({
      "a b": i,
      7: i,
      "": i,
      constructor: i,
      length: i,
      "quote\"'`${i}\u2028": i,
      toString: "no function",
      column0: i,
    })),
    frozen: rows((i) => Object.freeze({ i })),
    "with what is not cloned": rows((i) =>
      Object.defineProperty({ i, [Symbol("key")]: i }, "hidden", { value: i })
    ),
    "with getters": rows((i) => ({
      get i() {
        return i;
      },
    })),
    "many properties": rows((i) =>
      Object.fromEntries(Array.from({ length: 64 }, (_, k) => [`key${k}`, i]))
    ),
  };
  for (const [name, list] of Object.entries(lists)) {
    const { received, inColumns } = sendList(list);
    assert(inColumns, name);
    assertSameRows(received, structuredClone(list));
  }
});

test("packColumns() keeps integers as such, and all other numbers", () => {
  const most = 2 ** 31 - 1;
  const lists: Record<string, (i: number) => number> = {
    Int32Array: (i) => i % 2 ? most - i : i - most - 1,
    Float64Array: (i) => i === 30 ? -0 : i,
    "Float64Array, large": (i) => i === 30 ? most + 1 : i,
    "Float64Array, fraction": (i) => i === 30 ? 0.5 : i,
    "Float64Array, NaN": (i) => i === 30 ? NaN : i,
    "Float64Array, from the first": (i) => i === 0 ? -0 : i,
    Array: (i) => i === 30 ? 5n as unknown as number : i,
  };
  for (const [name, value] of Object.entries(lists)) {
    const list = rows((i) => ({ x: value(i) }));
    const packed = packColumns(list)!;
    const type = packed.columns[0]!.constructor.name;
    assertEquals(type, name.replace(/,.*/, ""), name);
    assertSameRows(unpackColumns(structuredClone(packed)), list);
  }
});

test("packList() sends no other objects in columns", () => {
  class Point {
    x = 1;
  }
  const one = { x: 1 };
  const lists: Record<string, unknown[]> = {
    few: rows((i) => ({ i }), 4),
    "other keys": rows((i) => i === 30 ? { j: i } : { i }),
    "another order": rows((i) => i === 30 ? { a: 1, b: i } : { b: i, a: 1 }),
    "fewer keys": rows((i) => i === 30 ? { a: 1 } : { a: 1, b: i }),
    "more keys": rows((i) => i === 30 ? { a: 1, b: i } : { a: 1 }),
    "no keys": rows(() => ({})),
    instances: rows(() => new Point()),
    "an instance": rows((i) => i === 30 ? new Point() : { x: i }),
    "no prototype": rows((i) => Object.assign(Object.create(null), { i })),
    "nested objects": rows((i) => ({ i, inner: { i } })),
    "a nested object": rows((i) => ({ i: i === 30 ? { i } : i })),
    dates: rows((i) => ({ at: new Date(i) })),
    numbers: rows((i) => i === 30 ? i : { i }),
    holes: Object.assign(rows((i) => ({ i })), { length: 60 }),
    "the same object": rows((i) => i < 20 ? { x: 1 } : one),
    arrays: rows((i) => [i, i]),
    "errors": rows((i) => ({ x: i === 30 ? new Error("e") : i })),
  };
  for (const [name, list] of Object.entries(lists)) {
    assert(!sendList(list).inColumns, name);
  }
  const { received } = sendList(lists["the same object"]!);
  assertEquals(new Set(received).size, 21);
  const prototyped = rows((i) => JSON.parse(`{ "__proto__": ${i}, "b": 1 }`));
  const sent = sendList(prototyped);
  assert(!sent.inColumns);
  assertEquals(Object.keys(sent.received[5] as Row), ["__proto__", "b"]);
});

test("packList() refuses records that cannot be sent", () => {
  const refused: unknown[][] = [
    rows((i) => ({ x: i === 30 ? () => {} : i })),
    rows((i) => ({ x: i === 30 ? Symbol() : i })),
    rows((i) => ({
      get x() {
        if (i === 30) throw new Error("not now");
        return i;
      },
    })),
  ];
  for (const list of refused) {
    const error = assertThrows(() => packList(list), DOMException);
    assertEquals(error.name, "DataCloneError");
    assert(error.message.includes("element 30"), error.message);
  }
  // Structured clone would refuse these; others do not look.
  const proxies = rows((i) => new Proxy({ i }, {}));
  assertEquals(packColumns(proxies), undefined);
});

test("packColumns() and unpackColumns() carry any records", () => {
  const value = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(undefined, null, true, false, 3n),
  );
  const column = fc.oneof(
    fc.constant(fc.double()),
    fc.constant(fc.integer()),
    fc.constant(fc.string({ unit: "binary", maxLength: 16 })),
    fc.constant(value),
  );
  const key = fc.string({ maxLength: 4 }).filter((key) => key !== "__proto__");
  const list = fc.uniqueArray(fc.tuple(key, column), {
    minLength: 1,
    maxLength: 5,
    selector: ([key]) => key,
  }).chain((columns) =>
    fc.array(
      fc.record(Object.fromEntries(columns), { noNullPrototype: true }),
      { minLength: 16, maxLength: 60 },
    )
  );
  fc.assert(fc.property(list, (list) => {
    const columns = packColumns(list);
    assert(columns !== undefined);
    assertSameRows(
      unpackColumns(structuredClone(columns)),
      structuredClone(list),
    );
  }));
});

test("columns need no code from strings", () => {
  const list = rows((i) => ({ uncompiled: i, text: `${i}`, any: i % 2 === 0 }));
  const { Function } = globalThis;
  globalThis.Function = class {
    constructor() {
      throw new EvalError("Code generation from strings disallowed");
    }
  } as unknown as FunctionConstructor;
  try {
    assertSameRows(unpackColumns(packColumns(list)!), list);
  } finally {
    globalThis.Function = Function;
  }
});

for (const startMethod of startMethods) {
  test(`WorkerPool.map() gives records as the tasks made them [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const list = rows((i) => ({ id: i, name: `name ${i}`, half: i / 2 }), 300);
    const turned = await pool.map(
      ({ half, name, id }) => ({ name: name + id, half: -half, ok: id % 2 }),
      list as { id: number; name: string; half: number }[],
      { chunkSize: 100 },
    );
    assertSameRows(
      turned,
      rows((i) => ({ name: `name ${i}${i}`, half: -i / 2, ok: i % 2 }), 300),
    );
  });
}
