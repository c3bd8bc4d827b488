import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { BRIEF_BYTES, BriefValues } from "../src/wire/brief.ts";
import { createControl } from "../src/wire/control.ts";
import { HotLine } from "../src/wire/hot_line.ts";

const brief: Record<string, unknown> = {
  "numbers": [0, -0, 1.5, -1e300, NaN, Infinity, -Infinity, 2 ** 53],
  "constants": [undefined, null, false, true],
  "strings": ["", "a", "ü\0\ud800", "x".repeat(300)],
  "arrays": [[], [[]], [[1, "2"], [null]]],
  "objects": [{}, { a: 1, "": { b: [undefined] } }],
  "a plain value": "by itself",
};

for (const [name, value] of Object.entries(brief)) {
  test(`BriefValues carries ${name}`, () => {
    const values = new BriefValues(new SharedArrayBuffer(BRIEF_BYTES), 0);
    assert(values.write(value) && values.write("next"));
    values.rewind();
    assertEquals(values.read(), value);
    assertEquals(values.read(), "next");
  });
}

class Point {
  x = 1;
}

const same = {};
const cycle: unknown[] = [];
cycle.push(cycle);

const tooMuch: Record<string, unknown> = {
  "bigint": 1n,
  "symbol": Symbol.iterator,
  "function": () => {},
  "date": new Date(0),
  "map": new Map(),
  "bytes": new Uint8Array(1),
  "error": new Error("no"),
  "class": new Point(),
  "object without prototype": Object.create(null),
  "own __proto__": JSON.parse('{"__proto__": 1}'),
  "sparse array": [, 1],
  "array with a property": Object.assign([1], { a: 1 }),
  "sparse array with a property": Object.assign([, 1], { a: 1 }),
  "the same object twice": [same, same],
  "cycle": cycle,
  "depth": [[[[[1]]]]],
  "long string": "x".repeat(5000),
  "long array": Array.from({ length: 1000 }, (_, i) => i),
  "all together": Array.from({ length: 90 }, () => "x".repeat(10)),
};

for (const [name, value] of Object.entries(tooMuch)) {
  test(`BriefValues does not carry ${name}`, () => {
    const values = new BriefValues(new SharedArrayBuffer(BRIEF_BYTES), 0);
    assertEquals(values.write(value), false);
    assertEquals(values.write([{ value }]), false);
  });
}

/** Both ends of a line, in one thread. */
function createLine(): { owner: HotLine; worker: HotLine } {
  const control = createControl();
  return {
    owner: new HotLine(control, true, false),
    worker: new HotLine(control, false, false),
  };
}

const mode = {
  concurrency: 1,
  isolated: true,
  taskTimeout: 5,
  timesItself: false,
};

test("HotLine carries a task and its result", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  worker.expectTask();
  assert(owner.sendTask(7, 3, mode, ["a", { b: 1 }]));
  assert(owner.isExpecting);
  assertEquals(worker.receiveTask(false), [3, 7, 3, mode, [["a", { b: 1 }]]]);
  assert(worker.sendResult(7, 1.5, null));
  const end = { elapsed: 1.5, longest: undefined };
  assertEquals(owner.receiveResult(), [1, 7, 0, [null], [], end]);
  assertEquals(owner.isExpecting, false);
});

test("HotLine sends nothing to a side that does not look", () => {
  const { owner, worker } = createLine();
  assertEquals(owner.sendTask(1, 1, mode, []), false);
  assertEquals(owner.isExpecting, false);
  worker.expectTask();
  assertEquals(owner.sendTask(1, 1, mode, []), false, "not hot");
  owner.setHot(true);
  worker.expectTask();
  assertEquals(worker.receiveTask(false), undefined, "nothing was sent");
  assertEquals(owner.sendTask(1, 1, mode, []), false, "it has left");
  assertEquals(worker.receiveTask(false), undefined);
  assertEquals(worker.sendResult(1, 1, 1), false);
});

test("HotLine sends nothing when a value is not brief", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  worker.expectTask();
  assertEquals(owner.sendTask(1, 1, mode, [new Date()]), false);
  assert(owner.sendTask(2, 1, mode, ["and then"]));
  assertEquals(worker.receiveTask(true)?.[4], [["and then"]]);
});

/** Throws when somebody asks what is in it. */
function untouchable<T extends object>(target: T): T {
  return new Proxy(target, {
    ownKeys() {
      throw new Error("touched");
    },
  });
}

test("HotLine does not go through values that nobody waits for", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  for (const value of [untouchable({}), untouchable([1])]) {
    assertEquals(worker.sendResult(1, 0, value), false);
    assertEquals(owner.sendTask(1, 1, mode, value), false);
  }
});

test("BriefValues does not go through what is too large, or no plain object", () => {
  const memory = new SharedArrayBuffer(BRIEF_BYTES);
  const values = new BriefValues(memory, 0);
  class Large {}
  for (const value of [new Array(1000).fill(0), new Large()]) {
    values.rewind();
    assertEquals(values.write(untouchable(value)), false);
    values.rewind();
    assertEquals(values.write({ deeper: [untouchable(value)] }), false);
  }
});

test("HotLine overtakes no message of the port", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  worker.expectTask();
  owner.post(() => {});
  assertEquals(owner.sendTask(1, 1, mode, []), false, "it is on its way");
  // It does not keep the worker from its event loop, either.
  assertEquals(worker.receiveTask(false), undefined);
  worker.expectTask();
  assertEquals(owner.sendTask(1, 1, mode, []), false, "it has not arrived");
  assertEquals(worker.receiveTask(true), undefined);
  worker.noteSeen();
  worker.expectTask();
  assert(owner.sendTask(1, 1, mode, []));
  // The same the other way round, in the middle of a call.
  worker.post(() => {});
  assert(worker.receiveTask(false));
  assertEquals(worker.sendResult(1, 1, 1), false);
  assertEquals(owner.receiveResult(), undefined);
});

test("HotLine does not count what could not be posted", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  worker.expectTask();
  let thrown: unknown;
  try {
    owner.post(() => {
      throw new RangeError("no");
    });
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof RangeError);
  assert(owner.sendTask(1, 1, mode, []));
});

test("HotLine writes nothing over what has not been taken out", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  for (let i = 1; i < 100; i += 2) {
    worker.expectTask();
    assert(owner.sendTask(i, 1, mode, "the first"));
    assertEquals(owner.sendTask(i + 1, 1, mode, "over it"), false);
    assertEquals(worker.receiveTask(false)?.slice(1, 5), [
      i,
      1,
      mode,
      ["the first"],
    ]);
    assertEquals(owner.sendTask(i + 1, 1, mode, "unasked"), false);
    // What was tried last has closed the way back, until there is a task.
    assertEquals(worker.sendResult(i, 0, 1), false);
    worker.expectTask();
    assert(owner.sendTask(i + 1, 1, mode, i));
    assertEquals(worker.receiveTask(false)?.[4], [i]);
    assert(worker.sendResult(i + 1, 0, "the result"));
    assertEquals(worker.sendResult(i + 1, 0, "over it"), false);
    assertEquals(owner.receiveResult()?.[3], ["the result"]);
  }
});
