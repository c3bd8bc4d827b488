import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, soon, startMethods, until } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/** Holds the worker that runs it until the gate opens; tells that it has. */
const held = (gate: Int32Array) => {
  Atomics.add(gate, 1, 1);
  while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
};

for (const startMethod of startMethods) {
  test(`WorkerPool runs several calls at once [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const gather = async (results: AsyncIterable<number>) => {
      const all: number[] = [];
      for await (const result of results) all.push(result);
      return all;
    };
    const data = range(200);
    const results = await soon(
      Promise.all([
        pool.map((x: number) => x + 1, data),
        pool.mapUnordered((x: number) => x + 2, data),
        gather(pool.imap((x: number) => x + 3, data.values())),
        gather(pool.imapUnordered((x: number) => x + 4, data)),
        pool.apply((x: number) => x + 5, [0]),
        pool.mapChunks((xs: number[]) => xs.map((x) => x + 6), data),
        pool.map((x: number) => x + 7, new Set(data)),
        pool.map(() => 8, []),
      ]),
      "all calls",
    );
    const sorted = (xs: number[]) => xs.sort((a, b) => a - b);
    assertEquals(results[0], range(200, 1));
    assertEquals(sorted(results[1]), range(200, 2));
    assertEquals(results[2], range(200, 3));
    assertEquals(sorted(results[3]), range(200, 4));
    assertEquals(results[4], 5);
    assertEquals(results[5], range(200, 6));
    assertEquals(results[6], range(200, 7));
    assertEquals(results[7], []);
  });

  test(`WorkerPool.apply() takes 2000 tasks at once [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = await Promise.all(
      range(2000).map((x) =>
        pool.apply((x: number, y: number) => x + y, [x, 1])
      ),
    );
    assertEquals(results, range(2000, 1));
    const mixed = await Promise.allSettled(
      range(2000).map((x) =>
        pool.apply((x: number) => {
          if (x % 2) throw new RangeError(`${x}`);
          return x;
        }, [x])
      ),
    );
    mixed.forEach((outcome, x) => {
      if (x % 2) {
        assert(outcome.status === "rejected");
        assertEquals(outcome.reason.message, `${x}`);
      } else {
        assertEquals(outcome, { status: "fulfilled", value: x });
      }
    });
  });

  test(`A call that fails leaves the others alone [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const bad = assertRejects(
      () =>
        pool.map((x: number) => {
          if (x === 30) throw new RangeError("thirty");
          return x;
        }, range(100)),
      RangeError,
      "thirty",
    );
    const good = pool.map((x: number) => -x, range(300));
    const lazy = pool.imap((x: number) => x, range(50).values());
    const single = pool.apply((x: number) => x, [1]);
    await bad;
    assertEquals(await good, range(300).map((x) => -x));
    const seen = [];
    for await (const x of lazy) seen.push(x);
    assertEquals(seen, range(50));
    assertEquals(await single, 1);
  });
}

test("A short call is not stuck behind a long one", async () => {
  // One worker: of two, one could run on while the other is not let run.
  await using pool = new WorkerPool({ nJobs: 1 });
  const begun = sharedArray(Int32Array, 1);
  const work = (begun: Int32Array) => {
    Atomics.add(begun, 0, 1);
    const end = performance.now() + 2;
    while (performance.now() < end) { /* busy */ }
  };
  const tasks = range(200).map((): [Int32Array] => [begun]);
  const long = pool.map(work, tasks, { chunkSize: 1 });
  await until(() => begun[0]! > 4, "the long call to run");
  const begunByThen = (begun: Int32Array) => Atomics.load(begun, 0);
  const before = begun[0]!;
  const seen = await pool.map(begunByThen, tasks.slice(0, 4), { chunkSize: 1 });
  // Calls take turns: some chunks were with the worker, then one each.
  assert(seen[3]! - before <= 14, `${seen[3]! - before} of the long call`);
  const then = begun[0]!;
  const seenLast = await pool.apply(begunByThen, [begun]);
  assert(seenLast - then <= 8, `${seenLast - then} tasks of the long call`);
  await long;
  assertEquals(begun[0], 200);
});

test("A chunk does not wait behind one that takes long (MPIRE bug 19)", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const done = sharedArray(Int32Array, 1);
  const task = (done: Int32Array, i: number) => {
    if (i > 0) {
      Atomics.add(done, 0, 1);
      Atomics.notify(done, 0);
      return i;
    }
    // Ends when all others have, wherever they run.
    for (let seen = 0; seen < 19; seen = Atomics.load(done, 0)) {
      const until = Date.now() + 10_000;
      while (Atomics.load(done, 0) === seen) {
        if (Date.now() > until) return -1;
        Atomics.wait(done, 0, seen, 2);
      }
    }
    return i;
  };
  const data = range(20).map((i): [Int32Array, number] => [done, i]);
  assertEquals(await pool.map(task, data, { chunkSize: 1 }), range(20));
  done[0] = 0;
  assertEquals(await pool.map(task, data.values()), range(20), "adaptive");
  done[0] = 0;
  const applied = await Promise.all(data.map((args) => pool.apply(task, args)));
  assertEquals(applied, range(20), "apply");
});

test("A short apply() is not stuck in a chunk with one that takes long", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  // The pool has learnt that tasks are quick.
  const task = (done: Int32Array, i: number, last: number) => {
    if (i !== 60) {
      Atomics.add(done, 0, 1);
      Atomics.notify(done, 0);
      return i;
    }
    for (let seen = 0; seen < last; seen = Atomics.load(done, 0)) {
      const until = Date.now() + 5_000;
      while (Atomics.load(done, 0) === seen) {
        if (Date.now() > until) return -1;
        Atomics.wait(done, 0, seen, 2);
      }
    }
    return i;
  };
  const done = sharedArray(Int32Array, 1);
  const none = range(5000).map(() => pool.apply(task, [done, 0, 0]));
  await Promise.all(none);
  done[0] = 0;
  const results = await Promise.all(
    range(200).map((i) => pool.apply(task, [done, i, 199])),
  );
  assertEquals(results, range(200));
});

test("WorkerPool.apply() runs while both a map() and an imap() do", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const lazy = pool.imap((x: number) => x, range(100).values());
  await lazy.next();
  const long = pool.map(async (x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return x;
  }, range(200));
  for (let i = 0; i < 20; i++) {
    assertEquals(await pool.apply((x: number) => x * 2, [i]), i * 2);
    assertEquals((await lazy.next()).value, i + 1);
  }
  await lazy.return!();
  assertEquals(await long, range(200));
});

test("An empty call ends at once though all workers are busy", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 2);
  const long = pool.map(held, range(6).map((): [Int32Array] => [gate]), {
    chunkSize: 1,
  });
  await until(() => gate[1] === 2, "the workers to be held");
  try {
    assertEquals(
      await soon(pool.map((x: number) => x, [] as number[]), "[]"),
      [],
    );
    const none = (function* (): Generator<number> {})();
    assertEquals(
      await soon(pool.map((x: number) => x, none), "a generator"),
      [],
    );
  } finally {
    open(gate);
    await long;
  }
});

test("A call ends with its last result though others keep the workers busy", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  // Tasks of the other calls end one by one, as they are let.
  const gate = sharedArray(Int32Array, 2);
  const step = (gate: Int32Array) => {
    const turn = Atomics.add(gate, 1, 1);
    for (let now = 0; now <= turn; now = Atomics.load(gate, 0)) {
      while (Atomics.load(gate, 0) === now) Atomics.wait(gate, 0, now, 2);
    }
  };
  const let1 = () => {
    Atomics.add(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  const steps = function* (): Generator<[Int32Array]> {
    for (let i = 0; i < 8; i++) yield [gate];
  };
  const options = { chunkSize: 1 };
  const calls = [pool.map(step, steps(), options)];
  await until(() => gate[1] === 1, "the first task");
  const ran = sharedArray(Int32Array, 1);
  const short = pool.map(
    (ran: Int32Array) => {
      Atomics.add(ran, 0, 1);
    },
    (function* (): Generator<[Int32Array]> {
      yield [ran];
    })(),
    options,
  );
  calls.push(
    pool.map(step, steps(), options),
    pool.map(step, steps(), options),
  );
  let ended = false;
  short.then(() => ended = true);
  while (ran[0] === 0) {
    const { 1: turn } = gate;
    let1();
    await until(() => gate[1]! > turn! || ran[0] === 1, "the next task");
  }
  try {
    await soon(short, "the short call, whose only task has run");
    assert(ended);
  } finally {
    Atomics.store(gate, 0, 1000);
    Atomics.notify(gate, 0);
    await Promise.all(calls);
  }
});

test("Calls with other settings wait for no one and do not mix", async () => {
  await using pool = new WorkerPool({ nJobs: 2, sharedObjects: "old" });
  const gate = sharedArray(Int32Array, 2);
  const long = pool.map(
    (shared: string, gate: Int32Array) => {
      Atomics.add(gate, 1, 1);
      while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
      return shared;
    },
    range(4).map((): [Int32Array] => [gate]),
    { chunkSize: 1 },
  );
  await until(() => gate[1] === 2, "the workers to be held");
  const renewed = pool.setSharedObjects("new");
  const short = renewed.map((shared: string, x: number) => shared + x, [1, 2]);
  try {
    assertEquals(await soon(short, "the new call"), ["new1", "new2"]);
  } finally {
    open(gate);
  }
  assertEquals(await long, new Array(4).fill("old"));
});

test("WorkerPool starts once for calls made at the same time", async () => {
  await using pool = new WorkerPool({
    nJobs: 2,
    passWorkerId: true,
    useWorkerState: true,
  });
  const mark = (id: number, state: { key?: string }, _x: number) =>
    state.key ??= `${id} ${Math.random()}`;
  const keys = await Promise.all([
    pool.map(mark, range(100)),
    pool.map(mark, range(100)),
    pool.mapUnordered(mark, range(100)),
  ]);
  assert(new Set(keys.flat()).size <= 2, "no more than two workers");
});
