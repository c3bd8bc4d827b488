import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import {
  Barrier,
  BrokenBarrierError,
  LockAbandonedError,
  sharedArray,
  TimeoutError,
} from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { pause, soon, until } from "./support/waiting.ts";

test("Barrier.wait() resolves for all when the last has come, again and again", async () => {
  const barrier = new Barrier(3);
  assertEquals([barrier.parties, barrier.nWaiting], [3, 0]);
  for (let round = 0; round < 5; round++) {
    const places = [barrier.wait(), barrier.wait()];
    assertEquals(barrier.nWaiting, 2);
    places.push(barrier.wait());
    assertEquals(await soon(Promise.all(places), "all"), [0, 1, 2]);
    assertEquals(barrier.nWaiting, 0);
  }
  assertEquals(new Barrier(1).waitSync(), 0);
});

test("Barrier.wait() breaks the barrier when the time is over or its signal aborts", async () => {
  const barrier = new Barrier(3);
  const other = assertRejects(() => barrier.wait(), BrokenBarrierError);
  const error = await assertRejects(
    () => barrier.wait({ timeout: 20 }),
    TimeoutError,
  );
  assertEquals(error.stage, "wait");
  await other;
  assertEquals([barrier.broken, barrier.nWaiting], [true, 0]);
  assertThrows(() => barrier.waitSync(), BrokenBarrierError);
  barrier.reset();
  assertEquals(barrier.broken, false);
  const abort = new AbortController();
  const waiting = barrier.wait({ signal: abort.signal });
  abort.abort(new Error("no more"));
  await assertRejects(() => waiting, Error, "no more");
  assertEquals(barrier.broken, true);
});

test("Barrier.abort() and reset() end the waiting", async () => {
  const barrier = new Barrier(2);
  const first = assertRejects(() => barrier.wait(), BrokenBarrierError);
  barrier.abort();
  await soon(first, "the first");
  await assertRejects(() => barrier.wait(), BrokenBarrierError);
  barrier.reset();
  const second = assertRejects(() => barrier.wait(), BrokenBarrierError);
  barrier.reset();
  assertEquals(barrier.broken, false);
  const all = Promise.all([barrier.wait(), barrier.wait()]);
  await soon(second, "the second");
  assertEquals(await soon(all, "all"), [0, 1]);
});

test("Barrier refuses bad input", () => {
  assertThrows(() => new Barrier(undefined as never), TypeError, "'parties'");
  assertThrows(() => new Barrier("2" as never), TypeError, "'parties'");
  assertThrows(() => new Barrier(0), RangeError, "'parties'");
  assertThrows(() => new Barrier(40_000), RangeError, "at most 32767");
});

testShared("Barrier keeps workers and the main thread in step", async () => {
  const barrier = new Barrier(4);
  const counts = sharedArray(Int32Array, 1);
  await using pool = new WorkerPool({
    nJobs: 3,
    sharedObjects: { barrier, counts },
  });
  const rounds = 300;
  const tasks = pool.map(
    ({ barrier, counts }, rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        Atomics.add(counts, 0, 1);
        barrier.waitSync();
        if (Atomics.load(counts, 0) !== (round + 1) * 4) {
          throw new Error("out of step");
        }
        barrier.waitSync();
      }
    },
    [rounds, rounds, rounds],
    { chunkSize: 1 },
  );
  for (let round = 0; round < rounds; round++) {
    Atomics.add(counts, 0, 1);
    await soon(barrier.wait(), "the others");
    assertEquals(counts[0], (round + 1) * 4);
    await soon(barrier.wait(), "the others");
  }
  await tasks;
});

testShared(
  "Barrier is broken for the others when a worker dies that waits there",
  async () => {
    const barrier = new Barrier(3);
    const pool = new WorkerPool({ nJobs: 1, sharedObjects: barrier });
    const task = assertRejects(() =>
      pool.apply(async (barrier) => void await barrier.wait())
    );
    const mine = barrier.wait().catch((error) => error);
    await until(() => barrier.nWaiting === 2, "both");
    await pool.terminate();
    await task;
    const error = await soon(mine, "the death");
    assertInstanceOf(error, LockAbandonedError);
    assertEquals(error.workerId, 0);
    assertEquals(barrier.broken, true);
    assertThrows(() => barrier.waitSync(), LockAbandonedError);
    barrier.reset();
    const all = [barrier.wait(), barrier.wait(), barrier.wait()];
    assertEquals(await soon(Promise.all(all), "all"), [0, 1, 2]);
  },
);

testShared(
  "Barrier is not broken by the end of a worker that waits no more",
  async () => {
    const barrier = new Barrier(2);
    const pool = new WorkerPool({ nJobs: 1, sharedObjects: barrier });
    const task = pool.apply((barrier) => barrier.waitSync());
    const place = await soon(barrier.wait(), "the task");
    assertEquals(await task + place, 1);
    const mine = barrier.wait();
    await pool.terminate();
    await pause(20);
    assert(!barrier.broken);
    await soon(Promise.all([mine, barrier.wait()]), "both");
  },
);
