import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { Event, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { pause, soon, until } from "./support/waiting.ts";

test("Event.wait() resolves when the event is set, or the time is over", async () => {
  const event = new Event();
  assertEquals(event.isSet(), false);
  assertEquals(await event.wait({ timeout: 10 }), false);
  assertEquals(event.waitSync({ timeout: 10 }), false);
  const waiters = [event.wait(), event.wait(), event.wait({ timeout: 9_000 })];
  event.set();
  event.set();
  assertEquals(await soon(Promise.all(waiters), "all"), [true, true, true]);
  assertEquals(event.isSet(), true);
  assertEquals(event.waitSync(), true);
  assertEquals(await event.wait({ timeout: 0 }), true);
  event.clear();
  assertEquals(event.isSet(), false);
  assertEquals(await event.wait({ timeout: 0 }), false);
});

test("Event.set() wakes those who wait even if it is cleared at once", async () => {
  const event = new Event();
  const waiting = event.wait();
  await pause(10);
  event.set();
  event.clear();
  assertEquals(await soon(waiting, "the event"), true);
});

test("Event.wait() rejects with the reason when its signal aborts", async () => {
  const event = new Event();
  const abort = new AbortController();
  const waiting = event.wait({ signal: abort.signal });
  abort.abort(new Error("no more"));
  await assertRejects(() => waiting, Error, "no more");
});

testShared(
  "Event wakes all workers and the main thread, round after round",
  async () => {
    const rounds = Array.from({ length: 200 }, () => new Event());
    const arrived = sharedArray(Int32Array, 200);
    await using pool = new WorkerPool({
      nJobs: 3,
      sharedObjects: { rounds, arrived },
    });
    const tasks = pool.map(
      async ({ rounds, arrived }, x: number) => {
        let woken = 0;
        for (const [i, event] of rounds.entries()) {
          Atomics.add(arrived, i, 1);
          woken += Number(x === 0 ? await event.wait() : event.waitSync());
        }
        return woken;
      },
      [0, 1, 2],
      { chunkSize: 1 },
    );
    for (const [i, event] of rounds.entries()) {
      const mine = event.wait();
      await until(() => arrived[i] === 3, "all");
      event.set();
      await soon(mine, "the event");
    }
    assertEquals(await tasks, [200, 200, 200]);
  },
);
