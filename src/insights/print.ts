import type { WorkerPoolInsights } from "./insights.ts";

/** The working ratio below which a pool's workers are not well used. */
const EFFICIENT = 0.8;

const NOTHING = "No profiling stats available. " +
  "Try to run a function first with insights enabled ...";

/**
 * A time in ms as `H:MM:SS.mmm`, cut off after the millisecond, without the
 * fraction if there is none, and with the days in front: `1 day, 0:00:00`.
 */
export function formatTime(ms: number): string {
  // As MPIRE (Python's timedelta) does, to whole microseconds first: a sum of
  // binary fractions like 2.9 must not lose a millisecond.
  const micros = Math.round(ms * 1000);
  const seconds = Math.floor(micros / 1e6);
  const days = Math.floor(seconds / 86_400);
  const two = (value: number) => String(value % 60).padStart(2, "0");
  const hours = Math.floor(seconds / 3600) % 24;
  let text = `${hours}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
  if (days > 0) text = `${days} day${days === 1 ? "" : "s"}, ${text}`;
  const fraction = micros % 1e6;
  if (fraction === 0) return text;
  return `${text}.${String(Math.floor(fraction / 1000)).padStart(3, "0")}`;
}

function underline(title: string): string[] {
  return [title, "-".repeat(title.length)];
}

function total(
  name: string,
  figures: [time: number, mean: number, std: number, ratio: number],
): string {
  const [time, mean, std, ratio] = figures;
  return `Total ${name} time: ${formatTime(time)}s ` +
    `(mean: ${formatTime(mean)}, std: ${formatTime(std)}, ` +
    `ratio: ${(ratio * 100).toFixed(2)}%)`;
}

function totals(x: WorkerPoolInsights): string[] {
  return [
    total("start up", [
      x.totalStartUpTime,
      x.startUpTimeMean,
      x.startUpTimeStd,
      x.startUpRatio,
    ]),
    total("init", [
      x.totalInitTime,
      x.initTimeMean,
      x.initTimeStd,
      x.initRatio,
    ]),
    total("waiting", [
      x.totalWaitingTime,
      x.waitingTimeMean,
      x.waitingTimeStd,
      x.waitingRatio,
    ]),
    total("working", [
      x.totalWorkingTime,
      x.workingTimeMean,
      x.workingTimeStd,
      x.workingRatio,
    ]),
    total("exit", [
      x.totalExitTime,
      x.exitTimeMean,
      x.exitTimeStd,
      x.exitRatio,
    ]),
  ];
}

function worker(x: WorkerPoolInsights, id: number): string {
  const time = (times: number[]) => `${formatTime(times[id]!)}s`;
  return [
    `Worker ${id}`,
    `Tasks completed: ${x.nCompletedTasks[id]}`,
    `start up: ${time(x.startUpTime)}`,
    `init: ${time(x.initTime)}`,
    `waiting: ${time(x.waitingTime)}`,
    `working: ${time(x.workingTime)}`,
    `exit: ${time(x.exitTime)}`,
  ].join(" - ");
}

function longTask(duration: number, args: string, index: number): string {
  const line = `${index + 1}. Time: ${formatTime(duration)}`;
  return args === "" ? line : `${line} - ${args}`;
}

/** The insights as a report for people; says so if there are none. */
export function formatInsights(
  insights: WorkerPoolInsights | Record<string, never>,
): string {
  if (!isFilled(insights)) return NOTHING;
  const nCompleted = insights.nCompletedTasks.reduce((sum, n) => sum + n, 0);
  const lines = [
    ...underline("WorkerPool insights"),
    `Total number of tasks completed: ${nCompleted}`,
    ...totals(insights),
  ];
  if (insights.workingRatio < EFFICIENT) {
    const percent = EFFICIENT * 100;
    lines.push("", `Efficiency warning: working ratio is < ${percent}%!`);
  }
  lines.push("", ...underline("Stats per worker"));
  for (const id of insights.nCompletedTasks.keys()) {
    lines.push(worker(insights, id));
  }
  const durations = insights.top5MaxTaskDurations;
  if (durations.length > 0) {
    lines.push("", ...underline("Top 5 longest tasks"));
    durations.forEach((duration, index) =>
      lines.push(longTask(duration, insights.top5MaxTaskArgs[index]!, index))
    );
  }
  return lines.join("\n");
}

function isFilled(
  insights: WorkerPoolInsights | Record<string, never>,
): insights is WorkerPoolInsights {
  return "nCompletedTasks" in insights;
}
