import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { ApplyLane } from "../src/apply_lane.ts";
import {
  begin,
  beginTask,
  beginTaskLoosely,
  beginTaskQuickly,
  createControl,
  leaveRest,
  offer,
  progressOf,
} from "../src/wire/control.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, soon, until } from "./support/waiting.ts";

/** What the promise rejects with. */
async function reasonOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error("The promise did not reject");
}

/** Waits until another thread has made the number greater than `value`. */
async function exceeds(numbers: Int32Array, value: number): Promise<void> {
  while (Atomics.load(numbers, 0) <= value) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A signal that keeps count of its listeners. */
function countedSignal(): { controller: AbortController; left: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let left = 0;
  for (const [name, change] of [["add", 1], ["remove", -1]] as const) {
    const method = `${name}EventListener` as const;
    const real = signal[method].bind(signal) as (...args: unknown[]) => void;
    Object.defineProperty(signal, method, {
      value: (...args: unknown[]) => {
        left += change;
        real(...args);
      },
    });
  }
  return { controller, left: () => left };
}

/** Elements that say when they are read and when reading is given up. */
function watchedInput(): {
  input: Iterable<number>;
  log: { read: number; closed: number };
} {
  const log = { read: 0, closed: 0 };
  const input = {
    [Symbol.iterator]: () => ({
      next: () => ({ done: false, value: log.read++ }) as const,
      return: () => {
        log.closed++;
        return { done: true, value: undefined } as const;
      },
    }),
  };
  return { input, log };
}

// --- before ---

test("WorkerPool rejects with the reason and reads nothing when the signal was aborted before", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const reason = { why: "changed my mind" };
  const signal = AbortSignal.abort(reason);
  const task = (x: number) => x;
  const { input, log } = watchedInput();
  const calls = {
    map: () => pool.map(task, input, { signal }),
    mapUnordered: () => pool.mapUnordered(task, input, { signal }),
    imap: () => pool.imap(task, input, { signal }).next(),
    imapUnordered: () => pool.imapUnordered(task, input, { signal }).next(),
    mapChunks: () => pool.mapChunks((s: number[]) => s, [1, 2], { signal }),
    apply: () => pool.apply(task, [1], { signal }),
    applyAsync: () => pool.applyAsync(task, [1], { signal }),
  };
  for (const call of Object.values(calls)) {
    assertStrictEquals(await reasonOf(call()), reason);
  }
  assertEquals(log.read, 0);
  assertEquals(await pool.map(task, [1, 2]), [1, 2]);
});

test("WorkerPool rejects with an AbortError when the signal has no other reason", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await reasonOf(
    pool.map((x: number) => x, [1], { signal: AbortSignal.abort() }),
  );
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "AbortError");
});

// --- during ---

test("WorkerPool.map() rejects at once and starts no further task when its signal aborts", async () => {
  const pool = new WorkerPool({ nJobs: 2, useWorkerState: true });
  await pool.map(
    (state, _x: number) => {
      state.mark = "kept";
    },
    [1, 2, 3, 4],
    { chunkSize: 1 },
  );
  const controller = new AbortController();
  const reason = new RangeError("enough");
  const started = sharedArray(Int32Array, 1);
  const gate = sharedArray(Int32Array, 1);
  const running = pool.map(
    (_state, _x: number, started: Int32Array, gate: Int32Array) => {
      Atomics.add(started, 0, 1);
      while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
    },
    Array.from({ length: 100 }, (_, x) => [x, started, gate]) as [
      number,
      Int32Array,
      Int32Array,
    ][],
    { chunkSize: 10, signal: controller.signal },
  );
  await exceeds(started, 0);
  controller.abort(reason);
  // Workers are still busy: nothing waits for them.
  assertStrictEquals(await reasonOf(running), reason);
  open(gate);
  // The workers go on with their state, without what was left of the chunks.
  const marks = await pool.map(
    (state, _x: number) => state.mark,
    [1, 2, 3, 4],
    { chunkSize: 1 },
  );
  await pool.join();
  assert(marks.includes("kept"), `${marks}`);
  assert(started[0]! <= 2, `${started[0]} tasks were started`);
});

test("WorkerPool.map() starts no further task after many quick ones when its signal aborts", async () => {
  const started = sharedArray(Int32Array, 2);
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: started });
  const controller = new AbortController();
  const running = pool.map(
    (started: Int32Array, x: number) => {
      Atomics.add(started, 0, 1);
      if (x < 5000) return;
      Atomics.store(started, 1, 1);
      Atomics.wait(started, 1, 1, 20);
    },
    Float64Array.from({ length: 6000 }, (_, i) => i),
    { chunkSize: 6000, signal: controller.signal },
  );
  await exceeds(started.subarray(1), 0);
  controller.abort("enough");
  assertEquals(await reasonOf(running), "enough");
  const before = started[0]!;
  await pool.join();
  assert(started[0]! <= before + 1, `${started[0]! - before} were started`);
});

test("WorkerPool keeps other calls going when one is aborted", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const controller = new AbortController();
  const slow = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    return x;
  };
  const numbers = Array.from({ length: 40 }, (_, i) => i);
  const aborted = pool.map(slow, watchedInput().input, {
    signal: controller.signal,
  });
  const others = [
    pool.map(slow, numbers),
    pool.mapUnordered(slow, numbers),
    Promise.all(numbers.map((x) => pool.apply(slow, [x]))),
  ];
  await pool.apply(slow, [1]);
  controller.abort();
  assertEquals((await reasonOf(aborted) as Error).name, "AbortError");
  const [ordered, unordered, applied] = await Promise.all(others);
  assertEquals(ordered, numbers);
  assertEquals(unordered!.sort((a, b) => a - b), numbers);
  assertEquals(applied, numbers);
});

test("WorkerPool.apply() rejects only its own task, which is left to end, when its signal aborts", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const controller = new AbortController();
  const words = sharedArray(Int32Array, 3);
  const running = pool.apply(
    (words: Int32Array) => {
      Atomics.store(words, 0, 1);
      while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0, 2);
      Atomics.store(words, 2, 1);
    },
    [words],
    { signal: controller.signal },
  );
  const queued = pool.apply((x: number) => x, [1], {
    signal: controller.signal,
  });
  const other = pool.apply((x: number) => x, [2]);
  await exceeds(words, 0);
  controller.abort("stop");
  assertEquals(await reasonOf(running), "stop");
  assertEquals(await reasonOf(queued), "stop");
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
  assertEquals(await other, 2);
  assertEquals(words[2], 1);
});

test("WorkerPool has one listener for a signal that many calls share", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const { controller, left } = countedSignal();
  const { signal } = controller;
  const calls = (task: (x: number) => unknown) =>
    Array.from({ length: 15 }, (_, x) => [
      pool.apply(task, [x], { signal }),
      pool.map(task, [x, x], { signal }),
    ]).flat();
  const finished = calls((x) => x);
  assertEquals(left(), 1);
  await Promise.all(finished);
  assertEquals(left(), 0);
  const aborted = calls(() => new Promise((resolve) => setTimeout(resolve, 9)));
  assertEquals(left(), 1);
  // One that ends does not take the listener of the others with it.
  assert(pool.applyAsync((x: number) => x, [1], { signal }).cancel());
  controller.abort("enough");
  assertEquals(
    await Promise.all(aborted.map(reasonOf)),
    Array(30).fill("enough"),
  );
});

test("WorkerPool rejects when the signal aborts while workers start", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    // So that none has started when the call returns, however long that takes.
    workerInit: () => new Promise((resolve) => setTimeout(resolve, 200)),
  });
  const controller = new AbortController();
  const started = sharedArray(Int32Array, 1);
  const call = pool.map(
    (_x: number, started: Int32Array) => Atomics.add(started, 0, 1),
    [[1, started], [2, started]] as [number, Int32Array][],
    { signal: controller.signal },
  );
  controller.abort("too early");
  assertEquals(await reasonOf(call), "too early");
  assertEquals(await pool.map((x: number) => x, [1, 2]), [1, 2]);
  await pool.join();
  assertEquals(started[0], 0);
});

test("WorkerPool rejects when the signal aborts while stale workers stop", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
    },
  });
  await pool.map((x: number) => x, [1]);
  pool.passOnWorkerId();
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [
    pool.map(() => 1, [1] as never[], { signal }),
    pool.apply(() => 1, [], { signal }),
  ];
  controller.abort("meanwhile");
  for (const call of calls) assertEquals(await reasonOf(call), "meanwhile");
  await pool.join();
});

test("WorkerPool gives the reason of AbortSignal.timeout() when that aborts endless input", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const { input, log } = watchedInput();
  const error = await reasonOf(
    pool.map((x: number) => x, input, { signal: AbortSignal.timeout(100) }),
  );
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "TimeoutError");
  assertEquals(log.closed, 1);
  const { read } = log;
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
  assertEquals(log.read, read);
});

// --- input that is pending ---

test("WorkerPool rejects when the signal aborts while its input is pending", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (
    const verb of ["map", "mapUnordered", "imap", "imapUnordered"] as const
  ) {
    let closed = 0;
    const input: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          closed++;
          // Nobody may wait for it.
          return new Promise(() => {});
        },
      }),
    };
    const controller = new AbortController();
    const { signal } = controller;
    const task = (x: number) => x;
    const call = verb === "map" || verb === "mapUnordered"
      ? pool[verb](task, input, { signal })
      : pool[verb](task, input, { signal }).next();
    await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(verb);
    assertEquals(await reasonOf(call), verb);
    assertEquals([verb, closed], [verb, 1]);
  }
});

test("WorkerPool rejects with the reason when the signal aborts while an async generator waits", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  async function* input() {
    yield 1;
    await new Promise(() => {});
  }
  const controller = new AbortController();
  const call = pool.map((x: number) => x, input(), {
    signal: controller.signal,
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  controller.abort("waited enough");
  assertEquals(await reasonOf(call), "waited enough");
});

// --- imap ---

test("WorkerPool.imap() rejects once and ends when its signal aborts", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  for (const verb of ["imap", "imapUnordered"] as const) {
    const controller = new AbortController();
    const { input, log } = watchedInput();
    const results = pool[verb]((x: number) => x, input, {
      signal: controller.signal,
      chunkSize: 1,
    });
    assertEquals((await results.next()).done, false);
    controller.abort("stop");
    assertEquals(await reasonOf(results.next()), "stop");
    assertEquals(await results.next(), { done: true, value: undefined });
    assertEquals(log.closed, 1);
  }
});

test("WorkerPool.imap() rejects a pending next() when its signal aborts", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const controller = new AbortController();
  const words = sharedArray(Int32Array, 2);
  const results = pool.imap(
    (words: Int32Array) => {
      Atomics.store(words, 0, 1);
      while (Atomics.load(words, 1) === 0) Atomics.wait(words, 1, 0, 2);
    },
    [words, words],
    { signal: controller.signal },
  );
  const pending = [results.next(), results.next()];
  await exceeds(words, 0);
  controller.abort("stop");
  assertEquals(await reasonOf(pending[0]!), "stop");
  assertEquals(await pending[1], { done: true, value: undefined });
  Atomics.store(words, 1, 1);
  Atomics.notify(words, 1);
});

test("WorkerPool.imap() rejects when its signal aborts between two results in a loop", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const controller = new AbortController();
  let seen = 0;
  await assertRejects(async () => {
    const results = pool.imap((x: number) => x, watchedInput().input, {
      signal: controller.signal,
    });
    for await (const _ of results) if (++seen === 5) controller.abort();
  }, DOMException);
  assertEquals(seen, 5);
});

// --- after ---

test("WorkerPool leaves no listener on a signal", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const { controller, left } = countedSignal();
  const { signal } = controller;
  const task = (x: number) => x;
  const failing = (): number => {
    throw new Error("boom");
  };
  await pool.map(task, [1, 2], { signal });
  await pool.map(task, [], { signal });
  await pool.mapUnordered(task, [1, 2], { signal });
  await pool.mapChunks((slice: number[]) => slice, [1, 2], { signal });
  await pool.apply(task, [1], { signal });
  await pool.applyAsync(task, [1], { signal });
  for await (const _ of pool.imap(task, [1, 2], { signal }));
  for await (const _ of pool.imapUnordered(task, [1, 2], { signal })) break;
  await reasonOf(pool.map(failing, [1] as never[], { signal }));
  await reasonOf(pool.apply(failing, [], { signal }));
  const cancelled = pool.applyAsync(task, [1], { signal });
  cancelled.cancel();
  await reasonOf(cancelled);
  assertEquals(left(), 0);
  const aborted = pool.map(task, watchedInput().input, { signal });
  await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort("now");
  assertEquals(await reasonOf(aborted), "now");
  assert(left() <= 0, `${left()} listeners are left`);
});

test("WorkerPool keeps its results when the signal aborts after the call", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const controller = new AbortController();
  const { signal } = controller;
  const mapped = pool.map((x: number) => x, [1, 2], { signal });
  const applied = pool.applyAsync((x: number) => x, [3], { signal });
  await Promise.all([mapped, applied]);
  controller.abort();
  assertEquals(await mapped, [1, 2]);
  assertEquals(await applied, 3);
  assertEquals(applied.successful(), true);
});

test("WorkerPool rejects all calls that share a signal when it aborts", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const controller = new AbortController();
  const { signal } = controller;
  const slow = async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return x;
  };
  const { input } = watchedInput();
  const calls = [
    ...Array.from(
      { length: 9 },
      (_, x) => pool.applyAsync(slow, [x], { signal }),
    ),
    pool.map(slow, input, { signal }),
  ];
  controller.abort("all");
  const outcomes = await Promise.allSettled(calls);
  for (const outcome of outcomes) {
    assertEquals(outcome, { status: "rejected", reason: "all" });
  }
  assertEquals(await pool.apply(slow, [4]), 4);
});

test("a chunk can be left before and after its worker has begun it", () => {
  const control = createControl();
  offer(control, 1);
  leaveRest(control, 1);
  assert(begin(control, 1));
  assertEquals(beginTask(control, 1, 0), false);
  offer(control, 2);
  assert(begin(control, 2) && beginTask(control, 2, 0));
  leaveRest(control, 2);
  assertEquals(beginTask(control, 2, 1), false);
  // What does not run must not count as begun.
  for (const begins of [beginTask, beginTaskLoosely, beginTaskQuickly]) {
    assertEquals(begins(control, 2, 1), false);
    assertEquals(progressOf(control, 2), { begun: 1, ended: false });
  }
});

test("WorkerPool.map() refuses a signal that cannot be left again", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const signal = { aborted: false, addEventListener() {} } as never;
  await assertRejects(
    () => pool.map((x: number) => x, [1], { signal }),
    TypeError,
    "'signal' must be an AbortSignal",
  );
});

test("WorkerPool rejects thousands of calls when the signal that they share aborts", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  const controller = new AbortController();
  const { signal } = controller;
  const square = (x: number) => x * x;
  let ended = 0;
  const calls = Array.from(
    { length: 10_000 },
    (_, x) =>
      pool.apply(square, [x], { signal }).then(
        () => ended++,
        (reason) => reason,
      ),
  );
  await until(() => ended > 1000, "the first results");
  controller.abort("stop");
  const outcomes = await soon(Promise.all(calls), "the others");
  const left = outcomes.filter((outcome) => outcome === "stop").length;
  assertEquals(left + ended, calls.length);
  assertEquals(await pool.apply(square, [4]), 16);
  const handles = calls.map((_, x) => pool.applyAsync(square, [x]));
  const cancelled = handles.filter((handle) => handle.cancel()).length;
  const rejected = await soon(Promise.allSettled(handles), "the handles");
  assertEquals(
    rejected.filter(({ status }) => status === "rejected").length,
    cancelled,
  );
  await pool.terminate();
});

test("each of many calls that are cancelled looks at few others", () => {
  let looks = 0;
  let settled = 0;
  const burst = {
    isSettled(index: number) {
      looks++;
      return index >= 1000 - settled;
    },
  };
  const entries = Array.from(
    { length: 1000 },
    (_, i) => ({ burst, first: i, start: i, length: 1 }),
  );
  const chunk = { entries, first: 0, elements: entries };
  const lane = new ApplyLane(1, undefined as never, false);
  for (; settled < 1000; settled++) assert(lane.wants(chunk as never));
  assertEquals(lane.wants(chunk as never), false);
  assert(looks <= 2001, `${looks} looks`);
});

test("WorkerPool does not run what a getter of an argument aborts", async () => {
  const runs = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({ nJobs: 1, sharedObjects: runs });
  await pool.apply(() => 0);
  const controller = new AbortController();
  const element = {
    get part() {
      controller.abort("stop");
      return 1;
    },
  };
  const call = pool.map((runs, _: object) => ++runs[0]!, [element], {
    signal: controller.signal,
  });
  assertEquals(await reasonOf(call), "stop");
  await pool.apply(() => 0);
  assertEquals(runs[0], 0);
});
