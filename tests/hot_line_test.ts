import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { BRIEF_BYTES, BriefValues } from "../src/wire/brief.ts";
import { cloningCodec } from "../src/wire/codec.ts";
import {
  createControl,
  give,
  hasBegun,
  offer,
  revoke,
  skipRest,
} from "../src/wire/control.ts";
import { HotLine, MOST_TASKS } from "../src/wire/hot_line.ts";
import {
  CHUNK,
  DEFINE,
  type FromWorker,
  ONE_BY_ONE,
  RESULTS,
} from "../src/wire/messages.ts";
import { Runner } from "../src/worker/runner.ts";
import { plainSetup } from "./support/plain_setup.ts";
import { until } from "./support/waiting.ts";

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
  worker.expectChunk();
  assert(owner.sendChunk(7, 3, mode, [["a", { b: 1 }]]));
  assert(owner.isExpecting);
  assertEquals(worker.receiveChunk(false), [3, 7, 3, mode, [["a", { b: 1 }]]]);
  assert(worker.sendResults(7, 1.5, [null]));
  const results = [RESULTS, 7, 0, [null], undefined, [1.5]] as const;
  assertEquals<unknown>(owner.receiveResults(), results);
  assertEquals(owner.isExpecting, false);
});

test("HotLine carries several tasks and their results", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  for (const length of [2, MOST_TASKS]) {
    const list = Array.from({ length }, (_, i) => i);
    worker.expectChunk();
    assert(owner.sendChunk(7, 3, mode, list));
    assertEquals(worker.receiveChunk(false), [3, 7, 3, mode, list]);
    assert(worker.sendResults(7, 1.5, Float64Array.from(list)));
    const results = [RESULTS, 7, 0, list, undefined, [1.5]] as const;
    assertEquals<unknown>(owner.receiveResults(), results);
  }
});

test("HotLine sends all tasks of a chunk or none", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  const shared = {};
  for (const list of [[1, new Date()], Array(200).fill(1), [shared, shared]]) {
    worker.expectChunk();
    assertEquals(owner.sendChunk(1, 1, mode, list), false);
    assertEquals(worker.receiveChunk(true), undefined);
    worker.expectChunk();
    assert(owner.sendChunk(2, 1, mode, [1, 2]));
    assertEquals(worker.receiveChunk(true)?.[4], [1, 2]);
    assertEquals(worker.sendResults(2, 0, list), false);
    assertEquals(owner.receiveResults(), undefined);
  }
});

test("HotLine sends nothing to a side that does not look", () => {
  const { owner, worker } = createLine();
  assertEquals(owner.sendChunk(1, 1, mode, [[]]), false);
  assertEquals(owner.isExpecting, false);
  worker.expectChunk();
  assertEquals(owner.sendChunk(1, 1, mode, [[]]), false, "not hot");
  owner.setHot(true);
  worker.expectChunk();
  assertEquals(worker.receiveChunk(false), undefined, "nothing was sent");
  assertEquals(owner.sendChunk(1, 1, mode, [[]]), false, "it has left");
  assertEquals(worker.receiveChunk(false), undefined);
  assertEquals(worker.sendResults(1, 1, [1]), false);
});

test("HotLine sends nothing when a value is not brief", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  worker.expectChunk();
  assertEquals(owner.sendChunk(1, 1, mode, [[new Date()]]), false);
  assert(owner.sendChunk(2, 1, mode, [["and then"]]));
  assertEquals(worker.receiveChunk(true)?.[4], [["and then"]]);
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
    assertEquals(worker.sendResults(1, 0, [value]), false);
    assertEquals(owner.sendChunk(1, 1, mode, [value]), false);
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
  worker.expectChunk();
  owner.post(() => {});
  assertEquals(owner.sendChunk(1, 1, mode, [[]]), false, "it is on its way");
  // It does not keep the worker from its event loop, either.
  assertEquals(worker.receiveChunk(false), undefined);
  worker.expectChunk();
  assertEquals(owner.sendChunk(1, 1, mode, [[]]), false, "it has not arrived");
  assertEquals(worker.receiveChunk(true), undefined);
  worker.noteSeen();
  worker.expectChunk();
  assert(owner.sendChunk(1, 1, mode, [[]]));
  // The same the other way round, in the middle of a call.
  worker.post(() => {});
  assert(worker.receiveChunk(false));
  assertEquals(worker.sendResults(1, 1, [1]), false);
  assertEquals(owner.receiveResults(), undefined);
});

test("HotLine does not count what could not be posted", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  worker.expectChunk();
  let thrown: unknown;
  try {
    owner.post(() => {
      throw new RangeError("no");
    });
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof RangeError);
  assert(owner.sendChunk(1, 1, mode, [[]]));
});

test("HotLine writes nothing over what has not been taken out", () => {
  const { owner, worker } = createLine();
  owner.setHot(true);
  for (let i = 1; i < 100; i += 2) {
    worker.expectChunk();
    assert(owner.sendChunk(i, 1, mode, ["the first"]));
    assertEquals(owner.sendChunk(i + 1, 1, mode, ["over it"]), false);
    assertEquals(worker.receiveChunk(false)?.slice(1, 5), [
      i,
      1,
      mode,
      ["the first"],
    ]);
    assertEquals(owner.sendChunk(i + 1, 1, mode, ["unasked"]), false);
    // What was tried last has closed the way back, until there is a task.
    assertEquals(worker.sendResults(i, 0, [1]), false);
    worker.expectChunk();
    assert(owner.sendChunk(i + 1, 1, mode, [i]));
    assertEquals(worker.receiveChunk(false)?.[4], [i]);
    assert(worker.sendResults(i + 1, 0, ["the result"]));
    assertEquals(worker.sendResults(i + 1, 0, ["over it"]), false);
    assertEquals(owner.receiveResults()?.[3], ["the result"]);
  }
});

/** A worker that waits in its first task, and has a second in its mailbox. */
async function createBusyRunner() {
  const control = createControl();
  const owner = new HotLine(control, true, false);
  const hotLine = new HotLine(control, false, false);
  const unexpected = () => Promise.reject(new Error("not asked for"));
  const told: FromWorker[] = [];
  const runner = new Runner({
    ...plainSetup,
    control,
  }, {
    post: (message) => told.push(message),
    codec: cloningCodec,
    drained: () => undefined,
    announcer: undefined,
    hotLine,
    close: () => {},
    pin: () => {},
    finder: {
      runInTask: (callback) => callback(),
      preload: unexpected,
      importFrom: unexpected,
      findExport: unexpected,
      findTask: unexpected,
    },
  });
  const begun: number[] = [];
  let release = () => {};
  const value = (x: number) => {
    begun.push(x);
    if (x === 1) return new Promise<void>((resolve) => release = resolve);
  };
  const mode = ONE_BY_ONE;
  runner.receive([DEFINE, 7, { kind: "direct", name: "task", value }]);
  offer(control, 1);
  runner.receive([CHUNK, 1, 7, mode, [1]]);
  await until(() => begun.length === 1, "the first task");

  // As at the end of a chunk; the worker has something to wait for, though.
  owner.setHot(true);
  hotLine.expectChunk();
  give(control, 2);
  assert(owner.sendChunk(2, 7, mode, [2]));
  const postThird = () => {
    owner.post(() => hotLine.noteSeen());
    offer(control, 3);
    runner.receive([CHUNK, 3, 7, mode, [3]]);
  };
  /** The chunks whose ends have been told, once there are so many. */
  async function endsOf(count: number): Promise<number[]> {
    const quick = owner.receiveResults();
    const ends = () =>
      [...told, quick].flatMap((message) =>
        message?.[0] === RESULTS ? [message[1]] : []
      ).sort();
    await until(() => ends().length === count, "the ends of chunks");
    return ends();
  }
  return {
    control,
    runner,
    begun,
    postThird,
    endsOf,
    release: () => release(),
  };
}

test("Runner takes what came the quick way before a message that was sent later", async () => {
  const { begun, postThird, release } = await createBusyRunner();
  postThird();
  release();
  await until(() => begun.length === 3, "the other tasks");
  assertEquals(begun, [1, 2, 3]);
});

test("Runner lets its owner take back what came the quick way and waits", async () => {
  const runner = await createBusyRunner();
  const { control, begun, postThird, endsOf, release } = runner;
  assert(hasBegun(control, 2));
  postThird();
  assert(hasBegun(control, 1));
  assert(!hasBegun(control, 2));
  assert(revoke(control, 2));
  release();
  assertEquals(await endsOf(2), [1, 3]);
  assertEquals(begun, [1, 3]);
});

test("Runner answers what came the quick way and was wanted no more before", async () => {
  const runner = await createBusyRunner();
  const { control, begun, postThird, endsOf, release } = runner;
  skipRest(control, 2);
  postThird();
  release();
  assertEquals(await endsOf(3), [1, 2, 3]);
  assertEquals(begun, [1, 3]);
});

test("Runner that ends has not begun what came the quick way and was not received", async () => {
  const { control, runner } = await createBusyRunner();
  assert(hasBegun(control, 2));
  runner.flush();
  assert(hasBegun(control, 1));
  assert(!hasBegun(control, 2));
});
