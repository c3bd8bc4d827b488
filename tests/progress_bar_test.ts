import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { PassThrough, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { ProgressBar } from "../src/progress/bar.ts";
import { type Progress, ProgressMeter } from "../src/progress/meter.ts";
import { checkProgressBarOptions } from "../src/progress/options.ts";
import { renderBar } from "../src/progress/render.ts";
import { textWidth } from "../src/progress/text_width.ts";
import {
  FakeFile,
  FakeHost,
  FakeTerminal,
} from "./fixtures/progress_terminal.ts";
import { runProgram } from "./support/program.ts";

function progress(
  completed: number,
  total: number | undefined,
  seconds: number,
  rate?: number,
): Progress {
  const remaining = rate === undefined || total === undefined
    ? undefined
    : (total - completed) / rate * 1000;
  return { completed, total, elapsed: seconds * 1000, rate, remaining };
}

/** A host with a terminal, and how to start a bar there. */
function start(columns?: number, rows?: number) {
  const terminal = new FakeTerminal(columns, rows);
  const host = new FakeHost(terminal);
  return { terminal, host };
}

test("renderBar() draws what tqdm draws", () => {
  // Each line is what tqdm.format_meter() returned for the same numbers.
  const table: [string, Progress, string, string, number?][] = [
    ["  0%|          | 0/42 [00:00<?, ?it/s]", progress(0, 42, 0), "", "it"],
    [
      "desc:  42%|████▏     | 42/100 [00:03<00:04, 13.52it/s]",
      progress(42, 100, 3.1, 13.52),
      "desc",
      "it",
    ],
    [
      " 50%|█████     | 1/2 [00:04<00:04,  4.00s/file]",
      progress(1, 2, 4, 0.25),
      "",
      "file",
    ],
    [
      " 10%|█         | 10/100 [1:02:03<9:18:27, 372.30s/it]",
      progress(10, 100, 3723, 10 / 3723),
      "",
      "it",
    ],
    [
      "100%|██████████| 3/3 [00:59<00:00,  1.00it/s]",
      progress(3, 3, 59.9, 1),
      "",
      "it",
    ],
    ["42it [00:03, 13.52it/s]", progress(42, undefined, 3.1, 13.52), "", "it"],
    ["a: 0it [00:00, ?it/s]", progress(0, 0, 0), "a", "it"],
    ["5it [00:01,  5.00it/s]", progress(5, 4, 1, 5), "", "it"],
    [
      "日本語:  50%|█▌ | 1/2 [00:01<00:01,  1.00it/s]",
      progress(1, 2, 1, 1),
      "日本語",
      "it",
      46,
    ],
    [" 50%|▌| 1/2 [00:01<0", progress(1, 2, 1, 1), "", "it", 20],
    ["", progress(1, 2, 1, 1), "", "it", 0],
  ];
  for (const [line, numbers, desc, unit, columns] of table) {
    assertEquals(renderBar(numbers, { desc, unit }, columns), line);
  }
});

test("renderBar() fills the columns exactly and never more", () => {
  for (const desc of ["", "desc", "日本語", "e\u0301 🚀"]) {
    for (let columns = 0; columns < 100; columns++) {
      const line = renderBar(progress(7, 9, 61, 3), { desc }, columns);
      const width = textWidth(line);
      assert(width <= columns);
      if (columns > 50) assertEquals(width, columns);
    }
  }
});

test("renderBar() makes one line of any description", () => {
  const desc = "a\r\nb\x1b[31mred\x1b[0m\u2028c\t";
  assertEquals(
    renderBar(progress(1, undefined, 0), { desc }),
    "a bred c : 1it [00:00, ?it/s]",
  );
});

test("ProgressMeter smooths the rate as tqdm does", () => {
  let now = 1000;
  const meter = new ProgressMeter(100, 100, () => now);
  assertEquals(meter.progress(), {
    completed: 0,
    total: 100,
    elapsed: 0,
    rate: undefined,
    remaining: undefined,
  });
  now += 1000;
  assertEquals(meter.update(10), true);
  assertEquals(Math.round(meter.progress().rate! * 1e6), 10e6);
  now += 1000;
  assertEquals(meter.update(30), true);
  // (0.3 * 20 + 0.7 * 0.3 * 10) / (1 - 0.7 ** 2), over one second
  const { rate, remaining } = meter.progress();
  assertEquals(Math.round(rate! * 1000), 15882);
  assertEquals(Math.round(remaining!), Math.round(70 / rate! * 1000));
  meter.end(false);
  now += 5000;
  assertEquals(meter.progress().rate, 15);
  assertEquals(meter.progress().elapsed, 2000);
  assertEquals(meter.progress().total, 100);
});

test("ProgressMeter.update() tells at most once an interval that there is news", () => {
  let now = 0;
  const meter = new ProgressMeter(undefined, 100, () => now);
  let news = 0;
  for (let completed = 1; completed <= 1000; completed++) {
    now += 1;
    if (meter.update(completed)) news++;
  }
  assertEquals(news, 10);
  now += 1000;
  assertEquals(meter.update(1000), false);
  assertEquals(meter.progress().remaining, undefined);
});

test("ProgressBar.update() draws at most once each mininterval", () => {
  const { terminal, host } = start();
  const bar = new ProgressBar({ mininterval: 200 }, 1000, host);
  assertEquals(terminal.lines(), ["  0%|          | 0/1000 [00:00<?, ?it/s]"]);
  terminal.writes = 0;
  for (let i = 1; i <= 400; i++) {
    host.wait(1);
    bar.update(i);
  }
  assertEquals(terminal.writes, 2);
  bar.close("finished");
});

test("ProgressBar shows the time that passes while nothing is done", () => {
  const { terminal, host } = start();
  const bar = new ProgressBar({}, 10, host);
  host.wait(2000);
  assertStringIncludes(terminal.lines()[0]!, "0/10 [00:02<?, ?it/s]");
  bar.close("finished");
  assertEquals(host.timers.size, 0);
});

test("ProgressBar.close() shows 100 % and leaves the cursor below", () => {
  const { terminal, host } = start();
  const bar = new ProgressBar({ desc: "a" }, 10, host);
  host.wait(1000);
  bar.update(4);
  bar.close("finished");
  assertEquals(terminal.lines(), ["a: 100%|██| 4/4 [00:01<00:00,  4.00it/s]"]);
  assertEquals(terminal.cursor(), [1, 0]);
  assertEquals(host.exits.size, 0);
  bar.update(5);
  bar.setTotal(5);
  bar.close("failed");
  host.wait(1000);
  assertEquals(terminal.lines(), ["a: 100%|██| 4/4 [00:01<00:00,  4.00it/s]"]);
});

for (
  const [desc, label] of [
    ["a", "a (failed)"],
    ["a: ", "a (failed)"],
    [undefined, "failed"],
  ] as const
) {
  test(`ProgressBar.close() shows of '${desc}' that the call failed`, () => {
    const { terminal, host } = start(60);
    const bar = new ProgressBar({ desc }, 10, host);
    host.wait(1000);
    bar.update(5);
    bar.close("failed");
    const line = terminal.lines()[0]!;
    assertStringIncludes(line, `${label}:  50%|`);
    assertStringIncludes(line, "| 5/10 [00:01<00:01,  5.00it/s]");
    assertEquals(line.indexOf(label), 0);
  });
}

test("ProgressBar.close() leaves a stopped bar as it is", () => {
  const { terminal, host } = start(60);
  const bar = new ProgressBar({ desc: "a" }, 10, host);
  bar.close("stopped");
  assertStringIncludes(terminal.lines()[0]!, "a:   0%|");
});

test("ProgressBar.close() clears the bar with leave false", () => {
  const { terminal, host } = start();
  terminal.write("before\n");
  const bar = new ProgressBar({ leave: false }, 10, host);
  bar.close("finished");
  terminal.write("after");
  assertEquals(terminal.lines(), ["before", "after"]);
});

test("ProgressBar shows a bar from the moment that the total is known", () => {
  const { terminal, host } = start();
  const bar = new ProgressBar({}, undefined, host);
  assertEquals(terminal.lines(), ["0it [00:00, ?it/s]"]);
  host.wait(1000);
  bar.update(5);
  assertEquals(terminal.lines(), ["5it [00:01,  5.00it/s]"]);
  bar.setTotal(10);
  assertStringIncludes(terminal.lines()[0]!, "| 5/10 [00:01<00:01,");
  bar.close("finished");
});

test("ProgressBar takes the total of its options when the call has none", () => {
  const { terminal, host } = start();
  new ProgressBar({ total: 7 }, undefined, host).close("stopped");
  new ProgressBar({ total: 7 }, 8, host).close("stopped");
  assertStringIncludes(terminal.lines()[0]!, "0/7");
  assertStringIncludes(terminal.lines()[1]!, "0/8");
});

test("ProgressBar shows an empty call", () => {
  const { terminal, host } = start();
  new ProgressBar({}, 0, host).close("finished");
  new ProgressBar({}, undefined, host).close("finished");
  assertEquals(terminal.lines(), ["0it [00:00, ?it/s]", "0it [00:00, ?it/s]"]);
});

test("ProgressBars have lines of their own, by position", () => {
  const { terminal, host } = start();
  const descs = () => terminal.lines().map((line) => line.slice(0, 7));
  terminal.write("before\n");
  const c = new ProgressBar({ desc: "c", position: 2 }, 5, host);
  const a = new ProgressBar({ desc: "a" }, 5, host);
  const b = new ProgressBar({ desc: "b" }, 5, host);
  const d = new ProgressBar({ desc: "d", position: 2 }, 5, host);
  assertEquals(descs(), ["before", "a:   0%", "b:   0%", "c:   0%", "d:   0%"]);
  assertEquals(terminal.cursor(), [1, 40]);
  b.close("finished");
  a.close("failed");
  c.close("finished");
  d.close("finished");
  terminal.write("after");
  const left = ["before", "a (fail", "b: 0it ", "c: 0it ", "d: 0it ", "after"];
  assertEquals(descs(), left);
});

test("ProgressBars that follow each other below another move up", () => {
  const { terminal, host } = start();
  const outer = new ProgressBar({ desc: "outer" }, 3, host);
  for (let i = 1; i <= 3; i++) {
    const inner = new ProgressBar({ desc: `inner ${i}` }, 1, host);
    inner.close("finished");
    outer.update(i);
  }
  outer.close("finished");
  terminal.write("after");
  assertEquals(terminal.lines().map((line) => line.split(":")[0]), [
    "inner 1",
    "inner 2",
    "outer",
    "inner 3",
    "after",
  ]);
});

test("ProgressBars with leave false leave no gap", () => {
  const { terminal, host } = start();
  const a = new ProgressBar({ desc: "a", leave: false }, 3, host);
  const b = new ProgressBar({ desc: "b" }, 3, host);
  const c = new ProgressBar({ desc: "c", leave: false }, 3, host);
  a.close("finished");
  assertEquals(terminal.lines().map((line) => line[0]), [undefined, "b", "c"]);
  c.close("finished");
  b.close("finished");
  terminal.write("after");
  assertEquals(terminal.lines().map((line) => line[0]), ["b", "a"]);
});

test("ProgressBars never overwrite what is printed meanwhile", () => {
  const { terminal, host } = start();
  const a = new ProgressBar({ desc: "a" }, 3, host);
  terminal.write("hello\n");
  const b = new ProgressBar({ desc: "b" }, 3, host);
  terminal.write("world\n");
  host.wait(500);
  a.close("finished");
  b.close("finished");
  assertEquals(terminal.lines().map((line) => line.slice(0, 5)), [
    "a:   ",
    "hello",
    "a:   ",
    "world",
    "a: 0i",
    "b: 0i",
  ]);
});

test("ProgressBars follow the width of the terminal", () => {
  const { terminal, host } = start(60);
  const a = new ProgressBar({ desc: "a" }, 3, host);
  const b = new ProgressBar({ desc: "b" }, 3, host);
  terminal.columns = 30;
  host.wait(500);
  assertEquals(terminal.lines().map((line) => line.length), [30, 30]);
  a.close("finished");
  b.close("finished");
});

test("ProgressBars below the terminal are hidden", () => {
  const { terminal, host } = start(40, 2);
  const bars = [0, 1, 2, 3].map(() => new ProgressBar({}, 3, host));
  host.wait(500);
  assertEquals(terminal.lines().length, 2);
  for (const bar of bars) bar.close("stopped");
  assertEquals(terminal.lines().length, 4);
});

test("ProgressBars leave the cursor below them when the program exits", () => {
  const { terminal, host } = start();
  new ProgressBar({}, 3, host);
  new ProgressBar({}, undefined, host);
  for (const callback of host.exits) callback();
  assertEquals(terminal.cursor(), [2, 0]);
  assertEquals(terminal.lines().length, 2);
});

test("ProgressBar writes few plain lines where there is no terminal", () => {
  const file = new FakeFile();
  const host = new FakeHost(file);
  const bar = new ProgressBar({ desc: "a" }, 250, host);
  for (let i = 1; i <= 250; i++) {
    host.wait(100);
    bar.update(i);
  }
  bar.close("finished");
  assertEquals(file.text.split("\n"), [
    "a:  40%|████      | 100/250 [00:10<00:15, 10.00it/s]",
    "a:  80%|████████  | 200/250 [00:20<00:05, 10.00it/s]",
    "a: 100%|██████████| 250/250 [00:25<00:00, 10.00it/s]",
    "",
  ]);
  assertEquals(host.timers.size + host.exits.size, 0);
  new ProgressBar({ leave: false }, 1, host).close("finished");
  assertEquals(file.text.split("\n").length, 4);
});

test("ProgressBar survives a stream that fails", async () => {
  const stream = new Writable({
    write: (_chunk, _encoding, callback) => callback(new Error("EPIPE")),
  });
  // As Node does with the output of a worker; its listener does not help.
  new PassThrough().pipe(stream);
  const host = new FakeHost(Object.assign(stream, { isTTY: true }));
  const bar = new ProgressBar({}, 2, host);
  await sleep(10);
  host.wait(500);
  await sleep(10);
  bar.close("finished");
  await sleep(10);

  const throwing = {
    write: () => {
      throw new Error("Closed");
    },
  };
  new ProgressBar({ stream: throwing }, 2, host).close("finished");
});

test("ProgressBar does not keep a program alive", async () => {
  const program = new URL("fixtures/progress_program.ts", import.meta.url);
  const { code, stdout, stderr, timedOut } = await runProgram(program, {
    timeout: 30_000,
  });
  assertEquals({ code, timedOut }, { code: 0, timedOut: false });
  assertMatch(
    stderr,
    /^closed: 100%\|█{10}\| 3\/3 \[00:00<00:00, .*it\/s\]\n$/,
  );
  assert(stdout.endsWith("\n\r\x1b[J"));
});

test("checkProgressBarOptions() takes valid options", () => {
  checkProgressBarOptions("map", {});
  checkProgressBarOptions("map", {
    desc: undefined,
    unit: "file",
    total: 0,
    position: 1,
    leave: false,
    mininterval: 0,
    stream: new FakeFile(),
  });
});

test("checkProgressBarOptions() throws for invalid options", () => {
  const table: [object | null, typeof TypeError, string][] = [
    [
      null,
      TypeError,
      "'progressBarOptions' must be an object: current value is null",
    ],
    [
      { desc: 1 },
      TypeError,
      "'progressBarOptions.desc' must be a string: current value is 1",
    ],
    [{ unit: 1 }, TypeError, "'progressBarOptions.unit' must be a string"],
    [
      { total: "1" },
      TypeError,
      "'progressBarOptions.total' must be a non-negative integer",
    ],
    [
      { total: -1 },
      RangeError,
      "'progressBarOptions.total' must be a non-negative integer",
    ],
    [{ position: 0.5 }, RangeError, "'progressBarOptions.position' must be"],
    [{ leave: 1 }, TypeError, "'progressBarOptions.leave' must be a boolean"],
    [
      { mininterval: NaN },
      RangeError,
      "'progressBarOptions.mininterval' must be",
    ],
    [
      { mininterval: "1" },
      TypeError,
      "'progressBarOptions.mininterval' must be",
    ],
    [
      { stream: "stderr" },
      TypeError,
      "'progressBarOptions.stream' must be a writable stream",
    ],
    [
      { color: "red" },
      RangeError,
      "the option 'progressBarOptions.color' is unknown",
    ],
  ];
  for (const [options, errorClass, text] of table) {
    assertThrows(
      () => checkProgressBarOptions("map", options),
      errorClass,
      `Cannot map as ${text}`,
    );
  }
});
