import { assertEquals } from "@std/assert";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { Pace } from "../src/pace.ts";
import type { Chunk } from "../src/task_source.ts";
import { testIf } from "./support/skip.ts";

/** Where there is one core, nobody stays awake. */
const hot = availableParallelism() > 1;
const onSeveralCores = testIf(hot, "nobody stays awake on one core");

function chunkOf(elements: unknown[], isolated = true, concurrency = 1): Chunk {
  return { elements, mode: { isolated, concurrency } } as unknown as Chunk;
}

const single = chunkOf([[1]]);

/** What each of so many calls, made at once after the last, is told. */
function callInTurn(pace: Pace, count: number, chunk = single): boolean[] {
  return Array.from(
    { length: count },
    () => pace.isHot(chunk, performance.now() + 1000),
  );
}

const four = [false, false, false, hot];

test("Pace.isHot() wants several single tasks one after the other", () => {
  assertEquals(callInTurn(new Pace(), 4), four);
  for (
    const other of [
      chunkOf([[1], [2]]),
      chunkOf([[1]], false),
      chunkOf([[1]], true, 2),
    ]
  ) {
    const pace = new Pace();
    assertEquals(callInTurn(pace, 20, other), new Array(20).fill(false));
    assertEquals(callInTurn(pace, 4), four);
  }
});

test("Pace.isHot() wants tasks that follow at once and are short", () => {
  const pace = new Pace();
  for (let i = 0; i < 20; i++) {
    assertEquals(pace.isHot(single, performance.now() - 10), false);
  }
  assertEquals(callInTurn(pace, 4), four);
  callInTurn(pace, 20);
  pace.noteEnd(1);
  assertEquals(callInTurn(pace, 1), [hot], "once may be by chance");
  for (let i = 0; i < 20; i++) {
    callInTurn(pace, 1);
    pace.noteEnd(1);
  }
  assertEquals(callInTurn(pace, 1), [false]);
});

test("Pace.isHot() is false while another worker is busy", () => {
  const [pace, other] = [new Pace(), new Pace()];
  callInTurn(pace, 4);
  other.setBusy(true);
  other.setBusy(true);
  assertEquals(callInTurn(pace, 1), [false]);
  other.setBusy(false);
  assertEquals(callInTurn(pace, 1), [hot]);
});

test("Pace.isHot() is false after several looks in vain", () => {
  const pace = new Pace();
  callInTurn(pace, 20);
  pace.noteLook(false);
  assertEquals(callInTurn(pace, 1), [hot], "once may be by chance");
  pace.noteLook(true);
  pace.noteLook(false);
  assertEquals(callInTurn(pace, 1), [hot], "the one between was in time");
  pace.noteLook(false);
  assertEquals(callInTurn(pace, 9), [...new Array(8).fill(false), hot]);
});

/** How many calls go by message after two looks in vain. */
function restOf(pace: Pace): number {
  pace.noteLook(false);
  pace.noteLook(false);
  return callInTurn(pace, 1000).indexOf(true);
}

onSeveralCores(
  "Pace.isHot() is false for longer where looks stay in vain",
  () => {
    const pace = new Pace();
    callInTurn(pace, 20);
    const rests = Array.from({ length: 6 }, () => restOf(pace));
    assertEquals(rests, [8, 16, 32, 64, 128, 128]);
    pace.noteLook(true);
    assertEquals(restOf(pace), 64);
    for (let i = 0; i < 20; i++) pace.noteLook(true);
    assertEquals(restOf(pace), 8);
  },
);
