import { clock } from "../runtime/detect.ts";
import { LONGEST_TIMER } from "../timeouts.ts";
import { isThenable } from "./quick_run.ts";
import { clearTimeout, setTimeout, type Timer } from "../timers.ts";

/** What `run` gives. Rejects when it has taken, or takes, longer than `ms`. */
export async function inTime(
  ms: number,
  run: () => unknown,
  late: () => Error,
): Promise<unknown> {
  const start = clock.now();
  const value = run();
  const left = ms - (clock.now() - start);
  if (left <= 0) {
    // Nobody will look at what comes late.
    if (isThenable(value)) value.then(undefined, () => {});
    throw late();
  }
  if (!isThenable(value)) return value;
  let timer: Timer;
  const timeIsUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.min(left, LONGEST_TIMER));
  });
  try {
    return await Promise.race([value, timeIsUp]);
  } finally {
    clearTimeout(timer);
  }
}
