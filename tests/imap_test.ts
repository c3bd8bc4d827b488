import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { test } from "node:test";
import { sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { open, pause, soon, startMethods, until } from "./support/waiting.ts";

function range(count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/** An input that tells how far it has been read and how it was left. */
class Watched {
  read = 0;
  returned = 0;
  iterators = 0;
  readonly #count: number;
  readonly #onRead: (read: number) => void;

  constructor(count = Infinity, onRead: (read: number) => void = () => {}) {
    this.#count = count;
    this.#onRead = onRead;
  }

  [Symbol.iterator](): Iterator<number> {
    this.iterators++;
    return {
      next: () => {
        if (this.read >= this.#count) return { done: true, value: undefined };
        this.#onRead(this.read + 1);
        return { done: false, value: this.read++ };
      },
      return: () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

for (const startMethod of startMethods) {
  for (const verb of ["imap", "imapUnordered"] as const) {
    test(`WorkerPool.${verb}() gives all results [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const results: number[] = [];
      for await (const x of pool[verb]((x: number) => x * 2, range(500))) {
        results.push(x);
      }
      if (verb === "imapUnordered") results.sort((a, b) => a - b);
      assertEquals(results, range(500).map((x) => x * 2));
    });

    test(`WorkerPool.${verb}() starts and reads nothing before the first next() [${startMethod}]`, async () => {
      const ran = sharedArray(Int32Array, 1);
      const pool = new WorkerPool({
        nJobs: 2,
        startMethod,
        sharedObjects: ran,
      });
      const input = new Watched(3);
      const results = pool[verb]((ran: Int32Array, x: number) => {
        Atomics.add(ran, 0, 1);
        return x;
      }, input);
      await pause();
      assertEquals([input.iterators, input.read, ran[0]], [0, 0, 0]);
      await results.next();
      assert(input.read > 0);
      await results.return!();
      await pool.join();
    });

    test(`WorkerPool.${verb}() touches nothing when left before the first next() [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const input = new Watched(3);
      const results = pool[verb]((x: number) => x, input);
      assertEquals(await results.return!(), { done: true, value: undefined });
      assertEquals(await results.next(), { done: true, value: undefined });
      assertEquals([input.iterators, input.read], [0, 0]);
    });

    test(`WorkerPool.${verb}() reads no more than maxTasksActive beyond what was taken [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      for (
        const [chunkSize, maxTasksActive] of [[1, 3], [1, 1], [3, 7], [4, 2]]
      ) {
        let asked = 0;
        const input = new Watched(60, (read) => {
          assert(
            read <= asked + maxTasksActive!,
            `${read} read, ${asked} asked for, of ${maxTasksActive} allowed`,
          );
        });
        const results = pool[verb]((x: number) => x, input, {
          chunkSize,
          maxTasksActive,
        } as { chunkSize: number; maxTasksActive: number });
        let count = 0;
        for (;;) {
          asked++;
          const step = await soon(results.next(), `result ${count}`);
          if (step.done) break;
          count++;
        }
        assertEquals(count, 60);
      }
    });

    test(`WorkerPool.${verb}() stops reading when its consumer stops [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const input = new Watched();
      const results = pool[verb]((x: number) => x, input, {
        chunkSize: 2,
        maxTasksActive: 8,
      });
      for (const taken of [1, 2, 3, 4, 9]) {
        while (results && input.read === 0) await results.next();
        for (let i = taken === 1 ? 1 : takenBefore(taken); i < taken; i++) {
          await results.next();
        }
        await pause();
        // As many chunks of two as there is room for.
        assertEquals(input.read, Math.floor((taken + 8) / 2) * 2, `${taken}`);
      }
      await results.return!();
      assertEquals(input.returned, 1);

      function takenBefore(taken: number): number {
        const steps = [1, 2, 3, 4, 9];
        return steps[steps.indexOf(taken) - 1]!;
      }
    });

    test(`WorkerPool.${verb}() reads nJobs * chunkSize * 2 ahead by default [${startMethod}]`, async () => {
      const nJobs = 2;
      await using pool = new WorkerPool({ nJobs, startMethod });
      const workers = startMethod === "serial" ? 1 : nJobs;
      for (
        const [options, ahead] of [
          [{ chunkSize: 1 }, workers * 2],
          [{ chunkSize: 3 }, workers * 3 * 2],
          [{ iterableLen: 64 * workers * 10 }, workers * 10 * 2],
          [{ chunkSize: 1, concurrency: 5 }, workers * 5 * 2],
        ] as const
      ) {
        const input = new Watched();
        const results = pool[verb]((x: number) => x, input, options);
        await results.next();
        await pause();
        const size = "chunkSize" in options ? options.chunkSize : 10;
        const expected = Math.floor((1 + ahead) / size) * size;
        assertEquals(input.read, expected, JSON.stringify(options));
        await results.return!();
      }
    });

    test(`WorkerPool.${verb}() closes its input when the loop is left [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const leaves = {
        break: async (input: Watched) => {
          for await (const _ of pool[verb]((x: number) => x, input)) break;
        },
        return: async (input: Watched) => {
          for await (const x of pool[verb]((x: number) => x, input)) return x;
        },
        throw: async (input: Watched) => {
          const error = new Error("left");
          const caught = await assertRejects(async () => {
            for await (const _ of pool[verb]((x: number) => x, input)) {
              throw error;
            }
          });
          assertStrictEquals(caught, error);
        },
        "return()": async (input: Watched) => {
          const results = pool[verb]((x: number) => x, input);
          await results.next();
          await results.return!();
        },
        dispose: async (input: Watched) => {
          await using results = pool[verb]((x: number) => x, input);
          await results.next();
        },
      };
      for (const [how, leave] of Object.entries(leaves)) {
        const input = new Watched();
        await leave(input);
        assertEquals(input.returned, 1, how);
        const { read } = input;
        await pause(20);
        assertEquals(input.read, read, how);
        assertEquals(await pool.map((x: number) => x, [1, 2]), [1, 2], how);
      }
    });

    test(`WorkerPool.${verb}() does not close an input that has ended [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const input = new Watched(10);
      for await (const _ of pool[verb]((x: number) => x, input)) { /* all */ }
      assertEquals(input.returned, 0);
    });

    test(`WorkerPool.${verb}() closes its input on an error and tells it once [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const input = new Watched();
      const results = pool[verb]((x: number) => {
        if (x === 20) throw new RangeError("twenty");
        return x;
      }, input);
      await assertRejects(
        async () => {
          for await (const _ of results) { /* until the error */ }
        },
        RangeError,
        "twenty",
      );
      assertEquals(input.returned, 1);
      assertEquals(await results.next(), { done: true, value: undefined });
      assertEquals(await results.return!(), { done: true, value: undefined });
      assertEquals(await pool.map((x: number) => x, [1]), [1]);
    });

    test(`WorkerPool.${verb}() closes its input when its signal aborts [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const input = new Watched();
      const controller = new AbortController();
      const reason = new Error("enough");
      const results = pool[verb]((x: number) => x, input, {
        signal: controller.signal,
      });
      await results.next();
      controller.abort(reason);
      const caught = await assertRejects(async () => {
        for await (const _ of results) { /* until it rejects */ }
      });
      assertStrictEquals(caught, reason);
      assertEquals(input.returned, 1);
      const { read } = input;
      await pause(20);
      assertEquals(input.read, read);
    });

    test(`WorkerPool.${verb}() reads nothing when its signal has aborted before [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const input = new Watched();
      const results = pool[verb]((x: number) => x, input, {
        signal: AbortSignal.abort(new Error("before")),
      });
      await assertRejects(() => results.next(), Error, "before");
      assertEquals([input.iterators, input.read], [0, 0]);
      assertEquals(await results.next(), { done: true, value: undefined });
    });

    test(`WorkerPool.${verb}() answers several next() at once [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const results = pool[verb]((x: number) => x, range(5), { chunkSize: 1 });
      const steps = await soon(
        Promise.all(range(8).map(() => results.next())),
        "all next()",
      );
      const values = steps.slice(0, 5).map((step) => step.value);
      if (verb === "imapUnordered") values.sort();
      assertEquals(values, range(5));
      for (const step of steps.slice(5)) {
        assertEquals(step, { done: true, value: undefined });
      }
    });

    test(`WorkerPool.${verb}() answers more next() than maxTasksActive [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const results = pool[verb]((x: number) => x, new Watched(100), {
        maxTasksActive: 3,
      });
      const steps = await soon(
        Promise.all(range(101).map(() => results.next())),
        "all next()",
      );
      assertEquals(steps.filter((step) => !step.done).length, 100);
    });

    test(`WorkerPool.${verb}() settles every waiting next() when a task throws [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const results = pool[verb](() => {
        throw new RangeError("no");
      }, [1]);
      const steps = await soon(
        Promise.allSettled(range(3).map(() => results.next())),
        "all next()",
      );
      assertEquals(steps.map((step) => step.status), [
        "rejected",
        "fulfilled",
        "fulfilled",
      ]);
    });

    test(`WorkerPool.${verb}() ends a waiting next() when it is left [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      // An input that has nothing to give for now.
      const never = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise<IteratorResult<number>>(() => {}),
        }),
      };
      const results = pool[verb]((x: number) => x, never);
      const waiting = results.next();
      await pause(20);
      await soon(results.return!(), "return()");
      assertEquals(await soon(waiting, "next()"), {
        done: true,
        value: undefined,
      });
    });

    test(`WorkerPool.${verb}() gives results that are undefined or promises [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const steps: unknown[] = [];
      for await (const x of pool[verb](async () => await undefined, range(4))) {
        steps.push(x);
      }
      assertEquals(steps, new Array(4).fill(undefined));
    });

    test(`WorkerPool.${verb}() settles with onError [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 1, startMethod });
      const outcomes = [];
      const results = pool[verb](
        (x: number) => {
          if (x % 2) throw x;
          return x;
        },
        range(4),
        { onError: "settle" },
      );
      for await (const outcome of results) outcomes.push(outcome);
      assertEquals(outcomes, [
        { status: "fulfilled", value: 0 },
        { status: "rejected", reason: 1 },
        { status: "fulfilled", value: 2 },
        { status: "rejected", reason: 3 },
      ]);
    });

    test(`WorkerPool.join() does not wait for an unfinished ${verb}() [${startMethod}]`, async () => {
      await using pool = new WorkerPool({ nJobs: 2, startMethod });
      const results = pool[verb]((x: number) => x, new Watched(100));
      const seen = [(await results.next()).value];
      await soon(pool.join(), "join()");
      for await (const x of results) seen.push(x);
      assertEquals(seen.length, 100, "it goes on afterwards");
      assertEquals(new Set(seen).size, 100);
    });
  }

  test(`WorkerPool runs other calls while an imap() waits for its consumer [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const results = pool.imap((x: number) => x, new Watched(50));
    const seen = [(await results.next()).value];
    assertEquals(await soon(pool.apply((x: number) => -x, [1]), "apply"), -1);
    assertEquals(await soon(pool.map((x: number) => -x, [1, 2]), "map"), [
      -1,
      -2,
    ]);
    const other = pool.imapUnordered((x: number) => x, [7]);
    assertEquals((await soon(other.next(), "imap")).value, 7);
    for await (const x of results) seen.push(x);
    assertEquals(seen, range(50));
  });

  test(`WorkerPool.terminate() rejects an unfinished imap() [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const input = new Watched();
    const results = pool.imap((x: number) => x, input);
    await results.next();
    await pool.terminate();
    const error = await assertRejects(async () => {
      for await (const _ of results) { /* until it rejects */ }
    }) as Error;
    assertEquals(error.name, "PoolTerminatedError");
    assertEquals(input.returned, 1);
    assertEquals(await pool.map((x: number) => x, [1]), [1]);
  });
}

test("WorkerPool.imapUnordered() gives a result while an earlier task still runs", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 1);
  const results = pool.imapUnordered(
    (gate: Int32Array, i: number) => {
      if (i === 0) {
        while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
      }
      return i;
    },
    range(6).map((i): [Int32Array, number] => [gate, i]),
    { chunkSize: 1 },
  );
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) {
    seen.push((await soon(results.next(), `result ${i}`)).value!);
  }
  assertEquals(seen.sort(), [1, 2, 3, 4, 5]);
  open(gate);
  assertEquals((await results.next()).value, 0);
  assert((await results.next()).done);
});

test("WorkerPool.imap() holds back the reading behind a slow first task", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 1);
  const input = new Watched();
  const results = pool.imap(
    (gate: Int32Array, i: number) => {
      if (i === 0) {
        while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
      }
      return i;
    },
    atGate(gate, input),
    { chunkSize: 1, maxTasksActive: 6 },
  );

  const first = results.next();
  await until(() => input.read >= 6, "six to be read");
  await pause();
  assertEquals(input.read, 6);
  open(gate);
  assertEquals((await first).value, 0);
  await results.return!();
  assertEquals(input.returned, 1);
});

/** Gives each number when the gate is open, in chunks of one. */
async function mapAtGate(
  pool: WorkerPool,
  gate: Int32Array,
  input: Iterable<number>,
  maxTasksActive: number | undefined,
): Promise<number[]> {
  return await pool.map(
    (gate: Int32Array, i: number) => {
      while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
      return i;
    },
    atGate(gate, input),
    { chunkSize: 1, maxTasksActive },
  );
}

/** Gives each task its gate. */
function* atGate(
  gate: Int32Array,
  input: Iterable<number>,
): Generator<[Int32Array, number]> {
  for (const i of input) yield [gate, i];
}

test("WorkerPool.map() has no more than maxTasksActive tasks without results", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const gate = sharedArray(Int32Array, 1);
  for (const maxTasksActive of [1, 2, 3, 4]) {
    gate[0] = 0;
    const input = new Watched(12);
    const results = mapAtGate(pool, gate, input, maxTasksActive);
    await until(() => input.read >= maxTasksActive, "the input to be read");
    await pause(30);
    assertEquals(input.read, maxTasksActive);
    open(gate);
    assertEquals(await results, range(12));
  }
});

for (const maxTasksActive of [undefined, 20]) {
  test(`WorkerPool.map() reads its input no further than workers take chunks [maxTasksActive ${maxTasksActive}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const gate = sharedArray(Int32Array, 1);
    const input = new Watched(20);
    const results = mapAtGate(pool, gate, input, maxTasksActive);
    // Also where something fails, or the pool would wait for ever.
    using _ = { [Symbol.dispose]: () => open(gate) };
    // One chunk to run and one so that it need not wait, for each worker; and
    // one, if it may be read, that tells whether the input has ended.
    const expected = maxTasksActive === undefined ? 4 : 5;
    await until(() => input.read >= expected, "two chunks for each worker");
    await pause(30);
    assertEquals(input.read, expected);
    // Whatever else is asked for has the pool look for what to hand out.
    const others = range(3).map((i) => pool.apply((x: number) => x + 5, [i]));
    const more = pool.map((x: number) => x + 1, range(3));
    await pause(30);
    assertEquals(input.read, expected);
    open(gate);
    assertEquals(await results, range(20));
    assertEquals(await Promise.all(others), [5, 6, 7]);
    assertEquals(await more, [1, 2, 3]);
  });
}

test("WorkerPool.imap() starts no task after its consumer has left", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const [begun, gate] = [
    sharedArray(Int32Array, 1),
    sharedArray(Int32Array, 1),
  ];
  const results = pool.imap(
    (begun: Int32Array, gate: Int32Array, i: number) => {
      Atomics.add(begun, 0, 1);
      if (i > 0) {
        while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 2);
      }
      return i;
    },
    range(40).map((i): [Int32Array, Int32Array, number] => [begun, gate, i]),
    { chunkSize: 5, maxTasksActive: 40 },
  );
  const first = results.next();
  // Both workers hold at a task, each with a chunk more.
  await until(() => begun[0] === 3, "the workers to be held");
  const left = results.return!();
  open(gate);
  await left;
  await first;
  await pool.join();
  assertEquals(begun[0], 3);
});

test("WorkerPool.imap() of 200000 lazy tasks holds few at a time", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const input = new Watched(200_000);
  let taken = 0;
  let most = 0;
  for await (const x of pool.imap((x: number) => x + 1, input)) {
    most = Math.max(most, input.read - taken);
    taken++;
    if (x !== taken) assert(false, `${x} at ${taken}`);
  }
  assertEquals(taken, 200_000);
  // Two chunks a worker, of 14,000 tasks at most.
  assert(most <= 2 * 2 * 14_000 + 1, `${most}`);
});
