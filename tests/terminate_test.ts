import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { test } from "node:test";
import { PoolTerminatedError, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { runProgram } from "./support/program.ts";
import { pause, soon } from "./support/waiting.ts";

const programs = new URL("./fixtures/terminate/programs.ts", import.meta.url);

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function* endless(): Generator<number> {
  for (let i = 0;; i++) yield i;
}

/** A task that yields, and takes its time. */
async function slow(x: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2));
  return x;
}

/** A task that takes an hour, unless it is stopped. */
async function sleep(_x: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
}

// --- terminate ---

test("WorkerPool.terminate() rejects all pending calls with a PoolTerminatedError", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  await pool.map(slow, [1, 2]);
  const imap = pool.imap(sleep, upTo(4));
  const imapUnordered = pool.imapUnordered(slow, endless());
  const first = await imapUnordered.next();
  assertEquals(first.done, false);
  const calls = {
    map: pool.map(slow, endless()),
    mapUnordered: pool.mapUnordered(sleep, upTo(4)),
    mapChunks: pool.mapChunks(async (slice: number[]) => {
      await new Promise((resolve) => setTimeout(resolve, 3_600_000));
      return slice;
    }, upTo(10)),
    imap: imap.next(),
    apply: pool.apply(sleep, [1]),
    applyAsync: pool.applyAsync(sleep, [1]),
  };
  const outcomes = Promise.allSettled(Object.values(calls));
  await pool.terminate();
  for (const outcome of await outcomes) {
    assert(outcome.status === "rejected");
    assertInstanceOf(outcome.reason, PoolTerminatedError);
    assertEquals(outcome.reason.name, "PoolTerminatedError");
  }
  assertEquals(await imap.next(), { done: true, value: undefined });
  await assertRejects(async () => {
    for await (const _ of imapUnordered);
  }, PoolTerminatedError);
  assertEquals(await pool.map(slow, upTo(5)), upTo(5));
  await pool.join();
});

test("WorkerPool.terminate() rejects a pending start() with a PoolTerminatedError", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  const outcome = pool.start().then(() => undefined, (error) => error);
  await pool.terminate();
  assertInstanceOf(await outcome, PoolTerminatedError);
  assertEquals(await pool.map(slow, upTo(3)), upTo(3));
  await pool.join();
});

test("WorkerPool.terminate() rejects calls whose workers still start", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  for (let round = 0; round < 3; round++) {
    const calls = [pool.map(slow, upTo(3)), pool.apply(slow, [1])];
    const outcomes = Promise.allSettled(calls);
    await pool.terminate();
    for (const outcome of await outcomes) {
      assert(outcome.status === "rejected");
      assertInstanceOf(outcome.reason, PoolTerminatedError);
    }
  }
  await pool.join();
});

test("WorkerPool.terminate() rejects calls that wait for stale workers to stop", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: () => new Promise((resolve) => setTimeout(resolve, 3_600_000)),
  });
  await pool.apply(slow, [1]);
  pool.setUseWorkerState();
  const outcome = pool.apply(() => 1).then(() => undefined, (error) => error);
  await pool.terminate();
  assertInstanceOf(await outcome, PoolTerminatedError);
});

test("WorkerPool.terminate() lets a join() that waits settle", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  const call = pool.map(sleep, upTo(4)).catch((error) => error);
  const joined = pool.join();
  await Promise.resolve();
  await pool.terminate();
  assertInstanceOf(await call, PoolTerminatedError);
  await Promise.allSettled([joined]);
  assertEquals(await pool.map(slow, upTo(3)), upTo(3));
  await pool.join();
});

test("WorkerPool.terminate() lets a join() settle that waits for a 'workerExit'", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    workerExit: () => new Promise((resolve) => setTimeout(resolve, 3_600_000)),
  });
  await pool.map(slow, upTo(4), { chunkSize: 1 });
  const joined = pool.join();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await pool.terminate();
  await Promise.allSettled([joined]);
  assertEquals(await pool.apply(slow, [3]), 3);
  await pool.terminate();
});

test("WorkerPool.terminate() is idempotent", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  await pool.terminate();
  const call = pool.map(sleep, [1, 2]).catch((error) => error);
  await Promise.all([pool.terminate(), pool.terminate()]);
  await pool.terminate();
  assertInstanceOf(await call, PoolTerminatedError);
  assertEquals(await pool.map(slow, [1]), [1]);
  await pool.terminate();
  await pool.join();
});

test("WorkerPool settles calls made while terminate() is under way", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  await pool.map(slow, [1, 2]);
  const terminated = pool.terminate();
  const results = await Promise.allSettled([
    pool.map(slow, [1, 2]),
    pool.apply(slow, [3]),
    pool.start(),
  ]);
  await terminated;
  for (const result of results) {
    if (result.status === "rejected") {
      assertInstanceOf(result.reason, PoolTerminatedError);
    }
  }
  assertEquals(await pool.map(slow, [1, 2]), [1, 2]);
  await pool.join();
});

test("WorkerPool.terminate() gives up the input of a call", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  let closed = 0;
  const input: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: () => {
        closed++;
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
  const call = pool.map(slow, input).catch((error) => error);
  await pool.apply(slow, [1]);
  await pool.terminate();
  assertInstanceOf(await call, PoolTerminatedError);
  assertEquals(closed, 1);
});

for (const program of ["terminate", "parked"]) {
  test(`WorkerPool.terminate() ends calls, and lets the program end, when workers never yield: ${program}`, async () => {
    const { code, stdout, stderr, timedOut } = await runProgram(programs, {
      args: [program],
      timeout: 20_000,
    });
    assertEquals(
      { code, stdout, stderr, timedOut },
      { code: 0, stdout: "true\n1 4 9\nend\n", stderr: "", timedOut: false },
    );
  });
}

test("WorkerPool rejects an aborted call, and lets the program end, when its task never yields", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(programs, {
    args: ["abort"],
    timeout: 20_000,
  });
  assertEquals(
    { code, stdout, stderr, timedOut },
    { code: 0, stdout: "enough\nend\n", stderr: "", timedOut: false },
  );
});

// --- join ---

test("WorkerPool.join() finishes calls that run and stops the workers", async () => {
  const exits = sharedArray(Int32Array, 1);
  const pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: exits,
    workerExit: (exits) => {
      Atomics.add(exits, 0, 1);
    },
  });
  const task = async (_exits: Int32Array, x: number) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return x;
  };
  const calls = [
    pool.map(task, upTo(30), { chunkSize: 1 }),
    pool.mapUnordered(task, upTo(10)),
    ...upTo(10).map((x) => pool.apply(task, [x])),
  ];
  let settled = 0;
  for (const call of calls) call.then(() => settled++);
  await pool.join();
  assertEquals(settled, calls.length);
  assertEquals(await calls[0], upTo(30));
  assertEquals(exits[0], 2);
});

test("WorkerPool.join() is idempotent and leaves the pool usable", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  await pool.join();
  assertEquals(await pool.map(slow, upTo(5)), upTo(5));
  await Promise.all([pool.join(), pool.join(), pool.stopAndJoin()]);
  await pool.join();
  assertEquals(await pool.map(slow, upTo(5)), upTo(5));
  await pool.join();
});

test("WorkerPool settles calls made while join() is under way", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  const early = pool.map(slow, upTo(10));
  const joined = pool.join();
  const late = [pool.map(slow, upTo(5)), pool.map(slow, upTo(6))];
  assertEquals(await early, upTo(10));
  await joined;
  assertEquals(await Promise.all(late), [upTo(5), upTo(6)]);
  await pool.join();
});

test("WorkerPool settles calls made while join() waits for a 'workerExit'", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    workerExit: () => new Promise((resolve) => setTimeout(resolve, 50)),
  });
  await pool.map(slow, upTo(4), { chunkSize: 1 });
  const joined = pool.join();
  await new Promise((resolve) => setTimeout(resolve, 10));
  const late = [pool.map(slow, upTo(5)), pool.apply(slow, [7])] as const;
  assertEquals(await late[0], upTo(5));
  assertEquals(await late[1], 7);
  await joined;
  await pool.join();
});

test("WorkerPool.join() does not hang on an imap() that nobody reads on", async () => {
  for (const verb of ["imap", "imapUnordered"] as const) {
    const pool = new WorkerPool({ nJobs: 2 });
    const results = pool[verb](slow, endless(), {
      chunkSize: 1,
      maxTasksActive: 4,
    });
    const untouched = pool[verb](slow, upTo(3));
    assertEquals((await results.next()).done, false);
    await pool.join();
    assertEquals(await pool.map(slow, [1]), [1]);
    // Whoever reads on after all gets an answer.
    await Promise.allSettled([results.next(), untouched.next()]);
    await results.return?.();
    await untouched.return?.();
    await pool.join();
  }
});

test("WorkerPool.join() lets an imap() that is read go on to its end", async () => {
  const pool = new WorkerPool({ nJobs: 2 });
  const results = pool.imap(slow, upTo(50), {
    chunkSize: 1,
    maxTasksActive: 3,
  });
  const seen = [(await results.next()).value!];
  const joined = pool.join();
  for await (const result of results) seen.push(result);
  await joined;
  assertEquals(seen, upTo(50));
  await pool.join();
});

// --- await using ---

test("WorkerPool finishes pending work at the end of an 'await using' block", async () => {
  const exits = sharedArray(Int32Array, 1);
  let results: number[] | undefined;
  {
    await using pool = new WorkerPool({
      nJobs: 2,
      sharedObjects: exits,
      workerExit: (exits) => {
        Atomics.add(exits, 0, 1);
      },
    });
    pool.map(
      async (_exits, x: number) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return x;
      },
      upTo(20),
      { chunkSize: 1 },
    ).then((all) => results = all);
  }
  assertEquals(results, upTo(20));
  assertEquals(exits[0], 2);
});

test("WorkerPool ends an 'await using' block with the block's own error", async () => {
  await assertRejects(
    async () => {
      await using pool = new WorkerPool({ nJobs: 2 });
      await pool.map(slow, [1]);
      throw new RangeError("from the block");
    },
    RangeError,
    "from the block",
  );
});

test("WorkerPool settles an 'await using' block that is left with an imap() half read", async () => {
  let seen = 0;
  {
    await using pool = new WorkerPool({ nJobs: 2 });
    for await (const _ of pool.imap(slow, endless())) if (++seen === 3) break;
  }
  assertEquals(seen, 3);
});

test("WorkerPool.terminate() resolves while a module that never ends is imported", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    preload: [new URL("./fixtures/terminate/never.ts", import.meta.url)],
  });
  const call = pool.apply(() => 1).then(() => "ended", (error) => error.name);
  await pause(500);
  await soon(pool.terminate(), "terminate()");
  assertEquals(await call, "PoolTerminatedError");
});
