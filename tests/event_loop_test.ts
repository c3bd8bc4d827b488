import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { TimeoutError } from "../mod.ts";
import { withResolvers } from "../src/promises.ts";
import { WorkerPool } from "./support/pool.ts";
import { soon, startMethods } from "./support/waiting.ts";

/** Tasks until chunks are as large as they get. */
const TASKS_TO_GROW = 2e5;

/** Many more than there can be in the time that a timer may have to wait. */
const MOST_TASKS = 6e6;

/** Numbers that end as soon as a timer has fired that is set on the way. */
function untilTimer() {
  const state = { hasFired: false, count: 0 };
  function* numbers(): Generator<number, void, void> {
    for (; !state.hasFired && state.count < MOST_TASKS; state.count++) {
      if (state.count === TASKS_TO_GROW) {
        setTimeout(() => state.hasFired = true, 0);
      }
      yield state.count;
    }
  }
  return { state, numbers };
}

for (const startMethod of startMethods) {
  for (const verb of ["map", "mapUnordered"] as const) {
    test(`WorkerPool.${verb}() leaves timers their turn while results keep coming [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const { state, numbers } = untilTimer();
      await pool[verb]((x: number) => x, numbers());
      assert(state.hasFired, `not within ${state.count} tasks`);
    });
  }

  for (const verb of ["imap", "imapUnordered"] as const) {
    test(`WorkerPool.${verb}() leaves timers their turn while results keep coming [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const { state, numbers } = untilTimer();
      for await (const _ of pool[verb]((x: number) => x, numbers()));
      assert(state.hasFired, `not within ${state.count} tasks`);
    });
  }

  test(`WorkerPool.imap() has its consumer leave timers their turn [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = pool.imap((x: number) => x, Array(TASKS_TO_GROW).fill(1), {
      chunkSize: TASKS_TO_GROW,
    });
    await results.next();
    const begun = performance.now();
    // From here on, all results are at hand.
    let hasFired = false;
    setTimeout(() => hasFired = true, 0);
    for await (const _ of results) {
      if (hasFired) return;
      // It has work of its own.
      const end = performance.now() + 0.02;
      while (performance.now() < end) { /* busy */ }
    }
    assert(false, `not within ${performance.now() - begun} ms`);
  });
}

for (const startMethod of startMethods) {
  test(`WorkerPool goes on when others replace the timers [${startMethod}]`, async () => {
    const names = [
      "setTimeout",
      "clearTimeout",
      "setInterval",
      "setImmediate",
      "queueMicrotask",
    ] as const;
    const scope = globalThis as unknown as Record<string, unknown>;
    const real = names.map((name) => scope[name]);
    const pool = new WorkerPool({ nJobs: 2, startMethod });
    const begin = withResolvers<void>();
    async function use(): Promise<void> {
      await begin.promise;
      for (let i = 0; i < 300; i++) {
        assertEquals(await pool.apply((x: number) => x, [i]), i);
      }
      async function* input() {
        for (let i = 0; i < 100; i++) yield i;
      }
      for await (const _ of pool.imap((x: number) => x, input()));
      const late = pool.apply(() => new Promise(() => {}), [], {
        taskTimeout: 50,
      });
      await assertRejects(() => late, TimeoutError);
      const handle = pool.applyAsync(() => 1);
      assertEquals(await handle.get({ timeout: 1e5 }), 1);
      await pool.join();
    }
    // Its own timer is the real one.
    const used = soon(use(), "the pool");
    for (const name of names) scope[name] = () => 0;
    try {
      begin.resolve();
      await used;
    } finally {
      names.forEach((name, i) => scope[name] = real[i]);
      await pool.terminate();
    }
  });
}
