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

/** What the clock says, in ms. */
let time = 0;

function createPace(): Pace {
  return new Pace(() => time);
}

/** What each of so many calls, made at once after the last, is told. */
function callInTurn(pace: Pace, count: number, chunk = single): boolean[] {
  return Array.from(
    { length: count },
    () => pace.isHot(chunk),
  );
}

const four = [false, false, false, hot];

test("Pace.isHot() wants several short chunks one after the other", () => {
  assertEquals(callInTurn(createPace(), 4), four);
  for (
    const other of [
      chunkOf(new Array(65).fill(1)),
      chunkOf([[1]], false),
      chunkOf([[1]], true, 2),
    ]
  ) {
    const pace = createPace();
    assertEquals(callInTurn(pace, 20, other), new Array(20).fill(false));
    assertEquals(callInTurn(pace, 4), four);
  }
  assertEquals(callInTurn(createPace(), 4, chunkOf([[1], [2]])), four);
});

test("Pace.isHot() wants tasks that follow at once and are short", () => {
  const pace = createPace();
  for (let i = 0; i < 20; i++) {
    time += 0.1;
    assertEquals(pace.isHot(single), false);
  }
  time = 0;
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

/** Whether each of so many calls, `gap` ms after the last, is hot. */
function callWithGaps(pace: Pace, count: number, gap: number): boolean[] {
  return Array.from({ length: count }, () => {
    pace.setBusy(false);
    time += gap;
    const isHot = pace.isHot(single);
    pace.setBusy(true);
    return isHot;
  });
}

onSeveralCores("Pace.isHot() reads the clock for some hot calls", () => {
  const pace = createPace();
  callWithGaps(pace, 20, 0.01);
  const late = callWithGaps(pace, 40, 0.1);
  const end = late.indexOf(false);
  assertEquals(end < 8, true, `${end}`);
  // Once may be by chance, but others are looked at closely then.
  assertEquals(late.lastIndexOf(true) < end, true, `${late}`);
  assertEquals(time - pace.idleSince < 0.2, true);
  pace.setBusy(false);
});

onSeveralCores("Pace reads the clock after a message", () => {
  const pace = createPace();
  for (let i = 0; i < 10; i++) {
    callWithGaps(pace, 20 + i, 0.01);
    pace.noteMessage();
    time += 5;
    pace.setBusy(false);
    assertEquals(pace.idleSince, time);
    time += 0.1;
    assertEquals(pace.isHot(single), false);
  }
});

test("Pace.isHot() is false while another worker is busy", () => {
  const [pace, other] = [createPace(), createPace()];
  callInTurn(pace, 4);
  other.setBusy(true);
  other.setBusy(true);
  assertEquals(callInTurn(pace, 1), [false]);
  other.setBusy(false);
  assertEquals(callInTurn(pace, 1), [hot]);
});

test("Pace.isHot() is false after several looks in vain", () => {
  const pace = createPace();
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
    const pace = createPace();
    callInTurn(pace, 20);
    const rests = Array.from({ length: 6 }, () => restOf(pace));
    assertEquals(rests, [8, 16, 32, 64, 128, 128]);
    pace.noteLook(true);
    assertEquals(restOf(pace), 64);
    for (let i = 0; i < 20; i++) pace.noteLook(true);
    assertEquals(restOf(pace), 8);
  },
);
