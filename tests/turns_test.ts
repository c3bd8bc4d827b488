import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import {
  PoolTerminatedError,
  sharedArray,
  TimeoutError,
  transfer,
  WorkerDiedError,
} from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { soon } from "./support/waiting.ts";

const same = {};
const increment = (x: number) => x + 1;

/** Calls one after the other, until both sides stay awake for the next. */
async function heat(pool: WorkerPool): Promise<void> {
  for (let i = 0; i < 200; i++) {
    assertEquals(await pool.apply(increment, [i]), i + 1);
  }
}

const title = (text: string) => `WorkerPool.apply(), called in turn, ${text}`;

test(title("carries all kinds of values"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const values = [
    [0, -0, NaN, 1e300, undefined, null, true],
    { a: 1, b: [{ c: "ü\0\ud800" }] },
    "",
    new Date(5),
    10n,
    new Map([[1, { a: 2 }]]),
    new Float64Array([1, 2]),
    [same, same],
    "x".repeat(5000),
    Array.from({ length: 1000 }, (_, i) => i),
  ];
  for (let round = 0; round < 20; round++) {
    for (const value of values) {
      assertEquals(await pool.apply((x: unknown) => x, [value]), value);
      assertEquals(await pool.apply(increment, [round]), round + 1);
    }
  }
  const buffer = new ArrayBuffer(8);
  await heat(pool);
  assertEquals(
    await pool.apply((b: ArrayBuffer) => b.byteLength, [transfer(buffer)]),
    8,
  );
});

test(
  title("runs each task once, in order, whatever comes between"),
  async () => {
    await using pool = new WorkerPool({
      nJobs: 1,
      useWorkerState: true,
    });
    type State = { runs?: number };
    const count = (state: State) => state.runs = (state.runs ?? 0) + 1;
    const fail = (state: State) => {
      throw new RangeError(`no ${state.runs = (state.runs ?? 0) + 1}`);
    };
    for (let i = 1; i <= 2000; i++) {
      if (i % 97 === 0) {
        await assertRejects(() => pool.apply(fail), RangeError, `no ${i}`);
      } else if (i % 89 === 0) {
        // A function that the worker does not know yet.
        const closure = { i };
        const task = (
          state: State,
        ) => [state.runs = (state.runs ?? 0) + 1, i];
        assertEquals(await pool.apply(task, [], { closure }), [i, i]);
      } else if (i % 83 === 0) {
        const later = async (state: State) => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          return state.runs = (state.runs ?? 0) + 1;
        };
        assertEquals(await pool.apply(later), i);
      } else assertEquals(await pool.apply(count), i);
    }
  },
);

test(title("leaves timers their turn, here and in workers"), async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  await pool.apply(() => {
    const scope = globalThis as { ticks?: number };
    scope.ticks = 0;
    const timer = setInterval(() => {
      if (++scope.ticks! === 5) clearInterval(timer);
    }, 1);
  });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  let inWorker = 0;
  for (let i = 0; i < 1e6 && (ticks < 5 || inWorker < 5); i++) {
    inWorker = await pool.apply(() =>
      (globalThis as { ticks?: number }).ticks!
    );
  }
  clearInterval(timer);
  assert(ticks >= 5, `${ticks} here`);
  assertEquals(inWorker, 5);
});

test(
  title("rejects when the worker ends, and goes on with the next"),
  async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    for (let i = 0; i < 3; i++) {
      await heat(pool);
      await assertRejects(
        () => pool.apply(() => globalThis.process.exit(3)),
        WorkerDiedError,
      );
    }
    await heat(pool);
  },
);

test(title("rejects what takes too long"), async () => {
  await using pool = new WorkerPool({
    nJobs: 1,
    taskTimeout: 400,
  });
  await heat(pool);
  await assertRejects(
    () => pool.apply(() => new Promise(() => {})),
    TimeoutError,
  );
  await heat(pool);
  const controller = new AbortController();
  const { signal } = controller;
  const call = pool.apply(() => new Promise(() => {}), [], { signal });
  controller.abort(new RangeError("enough"));
  await assertRejects(() => call, RangeError, "enough");
});

test(title("rejects when the pool is terminated"), async () => {
  const pool = new WorkerPool({ nJobs: 1 });
  await heat(pool);
  const call = pool.apply(increment, [1]);
  const terminated = pool.terminate();
  await assertRejects(() => call, PoolTerminatedError);
  await terminated;
  await heat(pool);
  await pool.join();
});

test(title("works from several places at once"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  await using other = new WorkerPool({ nJobs: 1 });
  await Promise.all([heat(pool), heat(pool), heat(other), heat(pool)]);
});

/** So many callers, each of whom calls when its last call has ended. */
async function callers(
  count: number,
  calls: number,
  call: (caller: number, i: number) => Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, caller) => {
    for (let i = 0; i < calls; i++) await call(caller, i);
  }));
}

for (const count of [2, 3, 10, 100]) {
  test(title(`gives each of ${count} callers its own results`), async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const echo = (x: unknown) => x;
    const half = (x: number, y: number) => {
      if (x % 2) throw new RangeError(`odd ${x} ${y}`);
      return x / 2;
    };
    await callers(count, count > 10 ? 40 : 200, async (caller, i) => {
      const number = caller * 1000 + i;
      switch (i % 8) {
        case 5: {
          const call = () => pool.apply(half, [i, caller]);
          return void await assertRejects(
            call,
            RangeError,
            `odd ${i} ${caller}`,
          );
        }
        case 6:
          return assertEquals(await pool.apply(half, [i, caller]), i / 2);
        case 7: {
          const value = { number, text: "a".repeat(i), list: [caller] };
          return assertEquals(await pool.apply(echo, [value]), value);
        }
        default:
          return assertEquals(
            await pool.apply(increment, [number]),
            number + 1,
          );
      }
    });
  });
}

test(title("loses no result where chunks overtake each other"), async () => {
  // Calls that travel together take other turns than one that comes meanwhile.
  const half = (x: number) => {
    if (x % 2) throw new RangeError(`odd ${x}`);
    return x / 2;
  };
  for (let round = 0; round < 5; round++) {
    await using pool = new WorkerPool({ nJobs: 2 });
    const calls = callers(3, 60, async (caller, i) => {
      if (i % 8 === 5) {
        await assertRejects(() => pool.apply(half, [i]), RangeError);
      } else if (i % 8 === 6) {
        assertEquals(await pool.apply(half, [i]), i / 2);
      } else {
        const number = caller * 1000 + i;
        assertEquals(await pool.apply(increment, [number]), number + 1);
      }
    });
    await soon(calls, `the calls of round ${round}`);
  }
});

test(title("lets other callers go on while a call takes long"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 1);
  // Most are quick; one blocks its worker until another opens the gate.
  const task = (gate: Int32Array, action: string) => {
    while (action === "wait" && Atomics.load(gate, 0) === 0) {
      Atomics.wait(gate, 0, 0, 2);
    }
    if (action === "open") Atomics.store(gate, 0, 1);
    return Atomics.load(gate, 0);
  };
  for (let round = 0; round < 3; round++) {
    gate[0] = 0;
    await callers(3, 300, async () => {
      assertEquals(await pool.apply(task, [gate, ""]), 0);
    });
    const results = [
      pool.apply(task, [gate, "wait"]),
      pool.apply(task, [gate, ""]),
      pool.apply(task, [gate, ""]),
    ];
    assertEquals(await results[1], 0);
    assertEquals(await results[2], 0);
    assertEquals(await pool.apply(task, [gate, "open"]), 1);
    assertEquals(await results[0], 1);
  }
});

test(title("loses no other caller's call when a worker ends"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const task = (x: number) => {
    if (x === 13) globalThis.process.exit(3);
    return x + 1;
  };
  let deaths = 0;
  await callers(10, 100, async (caller, i) => {
    if (caller === 5 && i % 40 === 39) {
      await assertRejects(() => pool.apply(task, [13]), WorkerDiedError);
      deaths++;
    } else assertEquals(await pool.apply(task, [100 + i]), 101 + i);
  });
  assertEquals(deaths, 2);
});

test(title("makes again what a worker that ends had not begun"), async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 40; i++) {
      assertEquals(await pool.apply(increment, [i]), i + 1);
    }
    // A task that has ended, and whose worker ends a moment later.
    const end = pool.apply(async (steps: number) => {
      (async () => {
        for (let i = 0; i < steps; i++) await null;
        globalThis.process.exit(0);
      })();
      return await "done";
    }, [round * 4]);
    const next = [1, 2].map((x) => pool.apply(increment, [x]));
    try {
      assertEquals(await end, "done");
    } catch (error) {
      assert(error instanceof WorkerDiedError, `${error}`);
    }
    assertEquals(await pool.apply(increment, [3]), 4);
    assertEquals(await Promise.all(next), [2, 3]);
  }
});

test(title("leaves timers their turn with several callers"), async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await callers(10, 1, async () => {
    for (let i = 0; i < 1e5 && ticks < 5; i++) {
      assertEquals(await pool.apply(increment, [i]), i + 1);
    }
  });
  clearInterval(timer);
  assert(ticks >= 5, `${ticks}`);
});

test("WorkerPool.apply() works in turn inside of a worker", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const url = new URL("../mod.ts", import.meta.url).href;
  const sum = await pool.apply(async (url: string) => {
    const { WorkerPool } = await import(url) as typeof import("../mod.ts");
    await using inner = new WorkerPool({ nJobs: 1 });
    let sum = 0;
    for (let i = 0; i < 300; i++) {
      sum += await inner.apply((x: number) => x, [i]);
    }
    return sum;
  }, [url]);
  assertEquals(sum, 300 * 299 / 2);
});
