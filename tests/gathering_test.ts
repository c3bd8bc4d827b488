import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { AdaptiveSizer } from "../src/chunking.ts";
import type { FunctionHandle } from "../src/functions/registry.ts";
import { Gathering } from "../src/gathering.ts";
import type { Chunk } from "../src/task_source.ts";
import { pause, until } from "./support/waiting.ts";

const handle = { id: 1 } as FunctionHandle;
const other = { id: 2 } as FunctionHandle;

function chunkOf(length: number, of = handle): Chunk {
  return {
    handle: of,
    elements: new Array(length).fill(0),
  } as unknown as Chunk;
}

/** A gathering that has seen calls that take so many us each. */
function createGathering(us: number, nJobs = 2) {
  const sizer = new AdaptiveSizer();
  const state = { fed: 0 };
  const gathering = new Gathering(nJobs, sizer, () => state.fed++);
  for (let i = 0; i < 8; i++) {
    sizer.ran(1, us / 1000);
    gathering.noteEnded(chunkOf(1), 0);
  }
  return { gathering, sizer, state };
}

test("Gathering holds quick calls while one of them runs", () => {
  const { gathering } = createGathering(5);
  assertEquals(gathering.holds(handle, 1), false, "none runs");
  const chunk = chunkOf(1);
  gathering.noteSent(chunk);
  assertEquals(gathering.holds(handle, 1), true);
  assertEquals(gathering.holds(other, 1), false, "nobody knows whether quick");
  gathering.noteEnded(chunk, 1);
  assertEquals(gathering.holds(handle, 1), false, "it has ended");
  gathering.noteSent(chunkOf(1, other));
  assertEquals(gathering.holds(handle, 1), false, "another function runs");
});

test("Gathering holds no calls before one has ended", () => {
  const gathering = new Gathering(2, new AdaptiveSizer(), () => {});
  gathering.noteSent(chunkOf(1));
  assertEquals(gathering.holds(handle, 1), false);
});

test("Gathering holds calls only if several workers would not be quicker", () => {
  for (
    const [us, nJobs, expected] of [
      [5, 1, true],
      [30, 1, true],
      [100, 1, false],
      [30, 2, true],
      [50, 2, false],
      [15, 3, true],
      [20, 3, false],
      [8, 64, true],
      [10, 64, false],
    ] as const
  ) {
    const { gathering } = createGathering(us, nJobs);
    gathering.noteSent(chunkOf(1));
    assertEquals(gathering.holds(handle, 1), expected, `${us} us, ${nJobs}`);
  }
});

test("Gathering holds no more calls than one worker does in a moment", () => {
  const { gathering, sizer } = createGathering(2);
  gathering.noteSent(chunkOf(1));
  assertEquals(gathering.holds(handle, 50), true, "0.1 ms");
  assertEquals(gathering.limit(50), 64);
  assertEquals(gathering.holds(handle, 51), false);
  assertEquals(gathering.limit(51), Infinity);
  sizer.ran(1000, 1);
  assertEquals(gathering.holds(handle, 51), true);
  for (let i = 0; i < 10; i++) sizer.ran(1, 1);
  assertEquals(gathering.holds(handle, 1), false, "they take long now");
});

test("Gathering lets calls go when one that runs is slow for once", async () => {
  const { gathering, state } = createGathering(5);
  const slow = chunkOf(1);
  gathering.noteSent(slow);
  assertEquals(gathering.holds(handle, 1), true);
  await until(() => state.fed > 0, "the others to be let go");
  assertEquals(gathering.holds(handle, 1), false);
  // They wait for each other, and no longer than for the first.
  gathering.noteSent(chunkOf(1));
  assertEquals(gathering.holds(handle, 1), true);
  gathering.noteSent(chunkOf(1));
  await until(() => state.fed > 1, "the others to be let go again");
  assertEquals(gathering.holds(handle, 1), false);
  gathering.noteEnded(slow, 0);
});

test("Gathering feeds nobody when nothing runs any more", async () => {
  const { gathering, state } = createGathering(5);
  const chunk = chunkOf(1);
  gathering.noteSent(chunk);
  gathering.holds(handle, 1);
  gathering.noteEnded(chunk, 0);
  await pause(20);
  assertEquals(state.fed, 0);
});

test("Gathering knows of nothing that runs after all calls are settled", async () => {
  const { gathering, state } = createGathering(5);
  gathering.noteSent(chunkOf(1));
  gathering.holds(handle, 1);
  gathering.clear();
  assertEquals(gathering.holds(handle, 1), false);
  await pause(20);
  assertEquals(state.fed, 0);
});

test("Gathering lets callers who got results together call again first", async () => {
  const { gathering, state } = createGathering(5);
  const chunk = chunkOf(3);
  gathering.noteSent(chunk);
  gathering.noteEnded(chunk, 0);
  assertEquals(gathering.holds(handle, 1), true);
  await pause(0);
  assertEquals(state.fed, 1);
  assertEquals(gathering.holds(handle, 1), false);
  // Two take turns.
  gathering.noteEnded(chunkOf(1), 1);
  assertEquals(gathering.holds(handle, 1), false);
});
