import {
  assert,
  assertEquals,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { WorkerPool } from "./support/pool.ts";
import { inTime, reasonOf, upTo } from "./fixtures/life/wait.ts";
import { FakeFile, FakeTerminal } from "./fixtures/progress_terminal.ts";
import { runProgram } from "./support/program.ts";

interface Told {
  completed: number;
  total: number | undefined;
  elapsed: number;
  rate: number | undefined;
  remaining: number | undefined;
}

/** Gathers what a call tells of its progress. */
function listener() {
  const told: Told[] = [];
  return { told, onProgress: (progress: Told) => void told.push(progress) };
}

function assertGrows(told: Told[]): void {
  assert(told.length > 0, "nothing was told");
  for (const [i, progress] of told.entries()) {
    const before = told[i - 1];
    assertEquals(Object.keys(progress).sort(), [
      "completed",
      "elapsed",
      "rate",
      "remaining",
      "total",
    ]);
    assert(progress.elapsed >= (before?.elapsed ?? 0));
    assert(progress.completed >= (before?.completed ?? 0));
  }
}

async function slow(x: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 8));
  return x;
}

function* generated(n: number): Generator<number> {
  for (let i = 0; i < n; i++) yield i;
}

const verbs = ["map", "mapUnordered", "imap", "imapUnordered"] as const;

for (const verb of verbs) {
  test(`WorkerPool.${verb}() tells 'onProgress' how far it is, and its end`, async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const { told, onProgress } = listener();
    const call = pool[verb](slow, upTo(80), { onProgress, chunkSize: 1 });
    if (call instanceof Promise) await inTime(call);
    else for await (const _ of call);
    assertGrows(told);
    assert(told.length > 1, "only the end was told");
    assert(told.slice(0, -1).every(({ completed }) => completed > 0));
    assert(told.every(({ total }) => total === 80));
    const last = told.at(-1)!;
    assertEquals([last.completed, last.remaining], [80, 0]);
    assert(last.rate! > 0);
    // Not for each task.
    assert(told.length < 70, `told ${told.length} times`);
  });
}

test("WorkerPool.mapChunks() tells 'onProgress' about slices", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const { told, onProgress } = listener();
  const doubled = await inTime(pool.mapChunks(
    (slice: Float64Array) => slice.map((x) => x * 2),
    Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    { onProgress, chunkSize: 2 },
  ));
  assertEquals([...doubled], [2, 4, 6, 8, 10, 12, 14, 16]);
  assertGrows(told);
  assertEquals([told.at(-1)!.completed, told.at(-1)!.total], [4, 4]);
});

for (const array of [[1, 2, 3, 4, 5, 6, 7], new Int8Array(7)]) {
  test(`WorkerPool.mapChunks() knows the number of slices of ${array.constructor.name}`, async () => {
    await using pool = new WorkerPool({ nJobs: 2 });
    const sizes = { iterableLen: [7, 5], chunkSize: [2.5, 3], nSplits: [3, 2] };
    for (const [i, slices] of [3, 2].entries()) {
      for (const option of ["chunkSize", "nSplits"] as const) {
        const stream = new FakeTerminal(60);
        const call = pool.mapChunks((slice: typeof array) => slice, array, {
          iterableLen: sizes.iterableLen[i],
          [option]: sizes[option][i],
          progressBar: true,
          progressBarOptions: { stream },
        });
        // Before any result has come.
        assertMatch(stream.lines()[0]!, new RegExp(`\\| 0/${slices} \\[`));
        await inTime(call);
        assertMatch(stream.lines()[0]!, new RegExp(`${slices}/${slices} \\[`));
      }
    }
  });
}

test("WorkerPool.map() tells 'onProgress' no total before the end of input of unknown length", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { told, onProgress } = listener();
  await inTime(
    pool.map(slow, generated(60), {
      onProgress,
      maxTasksActive: 2,
      chunkSize: 1,
    }),
  );
  assertGrows(told);
  assertEquals(told[0]!.total, undefined);
  assertEquals([told.at(-1)!.completed, told.at(-1)!.total], [60, 60]);
});

test("WorkerPool.map() tells 'onProgress' the 'iterableLen' as total", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const cut = listener();
  await pool.map(slow, generated(60), {
    onProgress: cut.onProgress,
    iterableLen: 40,
    chunkSize: 1,
  });
  assert(cut.told.every(({ total }) => total === 40));
  assertEquals(cut.told.at(-1)!.completed, 40);
  // Of input that ends earlier, all is done at the end.
  const short = listener();
  await pool.map(slow, generated(3), {
    onProgress: short.onProgress,
    iterableLen: 40,
  });
  const { completed, total } = short.told.at(-1)!;
  assertEquals([completed, total], [3, 3]);
});

test("WorkerPool.map() tells 'onProgress' once about empty input", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (const input of [[], generated(0)]) {
    const { told, onProgress } = listener();
    assertEquals(await inTime(pool.map(slow, input, { onProgress })), []);
    assertEquals(told.map(({ completed, total }) => [completed, total]), [
      [0, 0],
    ]);
  }
});

test("WorkerPool.map() tells 'onProgress' where it stood when a task throws", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { told, onProgress } = listener();
  await reasonOf(pool.map(
    (x: number) => {
      if (x === 5) throw new Error("five");
      return x;
    },
    upTo(10),
    { onProgress, chunkSize: 1 },
  ));
  const { completed, total } = told.at(-1)!;
  assertEquals([completed, total], [5, 10]);
});

test("WorkerPool.map() counts failed tasks as done when onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const { told, onProgress } = listener();
  await inTime(pool.map(
    (x: number) => {
      if (x % 2 === 0) throw new Error("even");
    },
    upTo(10),
    { onProgress, onError: "settle" },
  ));
  assertEquals([told.at(-1)!.completed, told.at(-1)!.total], [10, 10]);
});

test("WorkerPool.imap() tells 'onProgress' where it stood when its loop is left", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { told, onProgress } = listener();
  for await (const _ of pool.imap(slow, upTo(100), { onProgress })) break;
  const { completed, total } = told.at(-1)!;
  assert(completed >= 1 && completed < 100, `${completed}`);
  assertEquals(total, 100);
});

test("WorkerPool.imap() tells 'onProgress' nothing before the first next()", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { told, onProgress } = listener();
  const stream = new FakeFile();
  pool.imap(slow, upTo(100), {
    onProgress,
    progressBar: true,
    progressBarOptions: { stream },
  });
  await slow(1);
  assertEquals([told, stream.text], [[], ""]);
});

for (const tasks of [1, 60]) {
  test(`WorkerPool.map() rejects with what 'onProgress' throws, with ${tasks} tasks`, async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const error = new Error("mine");
    const onProgress = () => {
      throw error;
    };
    const options = { onProgress, chunkSize: 1 };
    const reason = await reasonOf(pool.map(slow, upTo(tasks), options));
    assertStrictEquals(reason, error);
    const iterate = async () => {
      for await (const _ of pool.imap(slow, upTo(tasks), options));
    };
    assertStrictEquals(await reasonOf(iterate()), error);
    assertEquals(await inTime(pool.map(slow, [1, 2])), [1, 2]);
  });
}

test("WorkerPool.map() rejects with the task's error when 'onProgress' throws as well", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const reason = await reasonOf(pool.map(
    () => {
      throw new RangeError("task");
    },
    [1],
    {
      onProgress() {
        throw new Error("callback");
      },
    },
  ));
  assert(reason instanceof RangeError);
});

// --- bars ---

test("WorkerPool.map() draws a bar in a terminal", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const stream = new FakeTerminal(60);
  const options = { desc: "Squares", unit: "sq", stream };
  await inTime(pool.map(slow, upTo(50), {
    progressBar: true,
    progressBarOptions: options,
    chunkSize: 1,
  }));
  assertEquals(stream.lines().length, 1);
  assertMatch(
    stream.lines()[0]!,
    /^Squares: 100%\|█+\| 50\/50 \[00:0\d<00:00, +[\d.]+sq\/s\]$/,
  );
  assertEquals(stream.cursor(), [1, 0]);
  assert(stream.writes > 2, "the bar did not move");
  assertEquals(options, { desc: "Squares", unit: "sq", stream });
});

for (const verb of verbs) {
  test(`WorkerPool.${verb}() writes plain lines where there is no terminal`, async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const stream = new FakeFile();
    const call = pool[verb](slow, upTo(6), {
      progressBar: true,
      progressBarOptions: { stream, desc: verb },
    });
    if (call instanceof Promise) await inTime(call);
    else for await (const _ of call);
    const lines = stream.text.trimEnd().split("\n");
    assertMatch(lines.at(-1)!, new RegExp(`^${verb}: 100%.* 6/6 \\[`));
    assert(lines.length <= 3, stream.text);
    // deno-lint-ignore no-control-regex
    assert(!/[\r\x1b]/.test(stream.text));
  });
}

test("WorkerPool.map() draws a count while the number of tasks is unknown, and a percentage at the end", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const stream = new FakeTerminal(60);
  let middle = "";
  function* input() {
    for (let i = 0; i < 40; i++) {
      if (i === 35) middle = stream.lines()[0]!;
      yield i;
    }
  }
  await inTime(pool.map(slow, input(), {
    progressBar: true,
    progressBarOptions: { stream, mininterval: 10 },
    maxTasksActive: 2,
    chunkSize: 1,
  }));
  assertMatch(middle, /^\d+it \[00:0\d, /);
  assertMatch(stream.lines()[0]!, /^100%\|█+\| 40\/40 /);
});

test("WorkerPool.map() takes the total of the bar's options when it knows no better", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const stream = new FakeTerminal(60);
  const results = pool.imap(slow, generated(10), {
    progressBar: true,
    progressBarOptions: { stream, total: 10 },
  });
  await results.next();
  assertMatch(stream.lines()[0]!, /\/10 \[/);
  for await (const _ of results);
  assertMatch(stream.lines()[0]!, /10\/10 \[/);
});

test("WorkerPool.map() draws an empty call", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const stream = new FakeTerminal(60);
  await inTime(pool.map(slow, [], {
    progressBar: true,
    progressBarOptions: { stream },
  }));
  assertEquals(stream.lines().length, 1);
  assertMatch(stream.lines()[0]!, /^0it \[/);
});

test("WorkerPool.map() draws that it failed", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const stream = new FakeTerminal(100);
  await reasonOf(pool.map(
    (x: number) => {
      if (x === 2) throw new Error("two");
    },
    upTo(4),
    {
      progressBar: true,
      progressBarOptions: { stream, desc: "Squares" },
      chunkSize: 1,
    },
  ));
  assertMatch(stream.lines()[0]!, /^Squares \(failed\): +50%\|.*\| 2\/4 \[/);
  assertEquals(stream.cursor(), [1, 0]);
});

test("WorkerPool.map() leaves the bar as it is when the call is cancelled", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const controller = new AbortController();
  const cancels = [() => controller.abort(), () => pool.terminate()];
  for (const cancel of cancels) {
    const stream = new FakeTerminal(100);
    const call = reasonOf(pool.map(slow, upTo(1000), {
      progressBar: true,
      progressBarOptions: { stream, desc: "Squares" },
      signal: controller.signal.aborted ? undefined : controller.signal,
    }));
    await cancel();
    await inTime(call);
    assertMatch(stream.lines()[0]!, /^Squares: +\d+%\|.*\| \d+\/1000 \[/);
    assertEquals(stream.cursor(), [1, 0]);
  }
});

test("WorkerPool draws the bars of several calls below each other", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const stream = new FakeTerminal(70);
  const calls = ["first", "second", "third"].map((desc, position) =>
    pool.map(slow, upTo(20 + position), {
      progressBar: true,
      progressBarOptions: { stream, desc, position },
    })
  );
  await inTime(Promise.all(calls));
  assertEquals(stream.lines().map((line) => line.split("|")[0]), [
    "first: 100%",
    "second: 100%",
    "third: 100%",
  ]);
  assertMatch(stream.lines()[2]!, / 22\/22 \[/);
  assertEquals(stream.cursor(), [3, 0]);
});

test("WorkerPool draws no bar when progressBarStyle is dashboard", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const stream = new FakeTerminal();
  const { told, onProgress } = listener();
  await inTime(pool.map(slow, upTo(20), {
    progressBar: true,
    progressBarStyle: "dashboard",
    progressBarOptions: { stream },
    onProgress,
  }));
  assertEquals(stream.writes, 0);
  assertEquals(told.at(-1)!.completed, 20);
});

test("WorkerPool draws no bar unless 'progressBar' is true", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const stream = new FakeTerminal();
  const progressBarOptions = { stream };
  await pool.map(slow, [1], { progressBarOptions });
  await pool.map(slow, [1], { progressBarOptions, progressBar: false });
  assertEquals(stream.writes, 0);
});

test("WorkerPool draws a bar when startMethod is serial", async () => {
  const pool = new WorkerPool({ startMethod: "serial" });
  const stream = new FakeTerminal(60);
  const { told, onProgress } = listener();
  await inTime(pool.map(slow, upTo(10), {
    progressBar: true,
    progressBarOptions: { stream },
    onProgress,
  }));
  assertMatch(stream.lines()[0]!, /10\/10/);
  assertEquals(told.at(-1)!.completed, 10);
});

test("WorkerPool.map() writes its bar to stderr", async () => {
  const { code, stdout, stderr } = await runProgram(
    new URL("./fixtures/life/bar.ts", import.meta.url),
  );
  assertEquals({ code, stdout }, { code: 0, stdout: "0 1 4 9\n" });
  assertMatch(stderr, /(^|\n)Squares: 100%\|.*\| 4\/4 \[.*\]\n$/);
});

test("WorkerPool throws for wrong progress options before anything starts", async () => {
  await using pool = new WorkerPool({ nJobs: 1, enableInsights: true });
  let read = 0;
  function* input() {
    read++;
    yield 1;
  }
  const wrong: [options: object, kind: typeof TypeError, part: string][] = [
    [{ progressBar: 1 }, TypeError, "progressBar"],
    [{ onProgress: true }, TypeError, "onProgress"],
    [{ progressBarStyle: 5 }, TypeError, "progressBarStyle"],
    [{ progressBarStyle: "rich" }, RangeError, "rich"],
    [{ progressBarOptions: 3 }, TypeError, "progressBarOptions"],
    [{ progressBarOptions: { colour: "red" } }, RangeError, "colour"],
    [{ progressBarOptions: { desc: 1 } }, TypeError, "desc"],
    [{ progressBarOptions: { total: -1 } }, RangeError, "total"],
    [{ progressBarOptions: { position: 0.5 } }, RangeError, "position"],
    [{ progressBarOptions: { leave: "no" } }, TypeError, "leave"],
    [{ progressBarOptions: { mininterval: "1" } }, TypeError, "mininterval"],
    [{ progressBarOptions: { stream: {} } }, TypeError, "stream"],
  ];
  for (const [options, kind, part] of wrong) {
    const reason = await reasonOf(pool.map(slow, input(), options));
    assert(reason instanceof kind, `${part}: ${reason}`);
    assert(reason.message.includes(part), reason.message);
    assertThrows(() => pool.imap(slow, input(), options), kind, part);
  }
  assertEquals([read, pool.getInsights()], [0, {}]);
});
