/**
 * Runs tasks of which many fit between two looks at the clock: here a
 * nanosecond counts.
 *
 * @module
 */

import { beginTaskQuickly, progressOf } from "../wire/control.ts";
import type { RunSetup } from "./chunk_run.ts";

/** Whether the value must be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === "object" &&
    typeof (value as { then?: unknown }).then === "function";
}

/**
 * Runs tasks up to the one at `end`, as long as they end at once and well. The
 * first has begun. Gives the result of the last that ran; those of the others
 * have been reported, also when it throws.
 */
export function runQuickly(
  setup: RunSetup,
  index: number,
  end: number,
): unknown {
  const { report, control, sequence } = setup;
  const numbers = report.buffer;
  if (numbers === undefined) return runAny(setup, index, end);
  try {
    return runNumbers(setup, numbers, index, end);
  } finally {
    report.fillTo(progressOf(control, sequence).begun - 1);
  }
}

function runAny(setup: RunSetup, index: number, end: number): unknown {
  const { elements, task, control, sequence, report } = setup;
  while (true) {
    const result = task(elements[index++]);
    if (
      index === end || isThenable(result) ||
      !beginTaskQuickly(control, sequence, index)
    ) return result;
    report.add(result);
  }
}

/** From numbers to numbers. The results take the place of the elements. */
function runNumbers(
  { task, control, sequence }: RunSetup,
  numbers: Float64Array,
  index: number,
  end: number,
): unknown {
  while (true) {
    const result = task(numbers[index++]);
    if (
      index === end || typeof result !== "number" ||
      !beginTaskQuickly(control, sequence, index)
    ) return result;
    numbers[index - 1] = result;
  }
}
