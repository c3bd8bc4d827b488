import { clock } from "../runtime/detect.ts";
import type { WorkerMeter } from "../insights/worker_meter.ts";
import { timeoutError } from "../timeouts.ts";
import {
  beginTask,
  beginTaskLoosely,
  type ControlBlock,
} from "../wire/control.ts";
import type { ChunkMode } from "../wire/messages.ts";
import type { Announcer } from "./announcer.ts";
import type { ChunkReport } from "./chunk_report.ts";
import type { Gate } from "./gate.ts";
import { isThenable, runQuickly } from "./quick_run.ts";
import { inTime } from "./in_time.ts";
import { callSoon } from "../timers.ts";

/** A task function as it is called with an element. */
export type ElementTask = (element: unknown) => unknown;

// deno-lint-ignore ban-types
type Callable = Function;

/**
 * Calls a function, and not as part of the caller: where V8 has compiled a
 * small function into its caller by Maglev, a loop in it stays slow, four times
 * on Node 26, as nothing replaces the caller's code while it runs. What is
 * called like this is compiled for itself.
 */
function call(callable: Callable, argument: unknown): unknown {
  return Reflect.apply(callable, undefined, [argument]);
}

/** Calls a task function; an array gives its arguments. */
export function callTask(callable: Callable, element: unknown): unknown {
  return Array.isArray(element)
    ? Reflect.apply(callable, undefined, element)
    : call(callable, element);
}

/** The task function as it is called with each of the elements. */
export function elementTask(
  callable: Callable,
  elements: ArrayLike<unknown>,
): ElementTask {
  // Numbers need not be looked at.
  return elements instanceof Float64Array
    ? callable as ElementTask
    : (element) => callTask(callable, element);
}

/** What a chunk needs to run. */
export interface RunSetup {
  sequence: number;
  functionId: number;
  mode: ChunkMode;
  elements: ArrayLike<unknown>;
  task: ElementTask;
  control: ControlBlock;
  workerId: number;
  report: ChunkReport;
  /** When the chunk was begun, by the clock. */
  startedAt: number;
  meter: WorkerMeter | undefined;
  announcer: Announcer | undefined;
  drained: () => Promise<void> | undefined;
}

/** How long synchronous tasks may keep timers and messages waiting, in ms. */
const YIELD_INTERVAL = 8;

/** How long results may wait to be told together, in ms. */
const FLUSH_INTERVAL = 1;

/** Tasks that take less than this together are quick, in ms. */
const QUICK = 0.05;

/** Tasks between two looks at the clock, at most. */
const MAX_STRIDE = 256;

/** Runs the tasks of a chunk one after the other. */
export async function runInOrder(setup: RunSetup): Promise<void> {
  const { sequence, mode, elements, task, control, report, meter } = setup;
  const { announcer, drained } = setup;
  const { isolated, timesItself, taskTimeout = Infinity } = mode;
  const begin = isolated ? beginTask : beginTaskLoosely;
  const mayHurry = !isolated && !timesItself && !announcer;
  const count = elements.length;
  let lastLook = setup.startedAt;
  let lastYield = lastLook;
  let lastFlush = lastLook;
  let stride = meter?.beginTasks(elements, setup.functionId, lastLook) ??
    1;
  let untilLook = stride;
  let i = 0;
  for (; i < count; i++) {
    if (isolated) {
      report.flushUrgent();
      // A result must not get lost when the next task ends the worker.
      const leaving = drained();
      if (leaving) await leaving;
    }
    if (!begin(control, sequence, i)) break;
    if (announcer) await announcer.begin(sequence, i, isolated);
    let now: number | undefined;
    try {
      let result: unknown;
      if (mayHurry && untilLook > 1) {
        result = runQuickly(setup, i, Math.min(i + untilLook, count));
        untilLook -= report.next - i;
        i = report.next;
      } else {
        result = timesItself ? runTimed(setup, i) : call(task, elements[i]);
      }
      let value = result;
      if (isThenable(result)) {
        if (isolated) report.flushSoon();
        value = await result;
      }
      // Quick tasks need not pay for the clock.
      if (--untilLook === 0) {
        now = clock.now();
        // The owner may have been too busy to see it.
        if (stride === 1 && now - lastLook >= taskTimeout) {
          throw timeoutError("task", taskTimeout, setup.workerId);
        }
      }
      report.add(value);
    } catch (error) {
      meter?.addFailure();
      if (mayHurry) i = report.next;
      if (!isolated) {
        meter?.endTasks(i + 1);
        return report.fail(i, error);
      }
      report.addFailure(i, error);
      // After a failure the next task is looked at alone.
      now ??= clock.now();
    }
    if (now === undefined) continue;
    // The last ones are told with the end of the chunk.
    if (isolated && i + 1 < count && now - lastFlush > FLUSH_INTERVAL) {
      report.flush();
      lastFlush = now;
    }
    stride = meter?.look(i + 1, now) ??
      (now - lastLook < QUICK ? Math.min(stride * 2, MAX_STRIDE) : 1);
    untilLook = stride;
    if (now - lastYield > YIELD_INTERVAL) {
      meter?.pauseTasks(i + 1);
      await new Promise<void>(callSoon);
      meter?.resumeTasks();
      lastYield = now = clock.now();
    }
    lastLook = now;
  }
  meter?.endTasks(i);
  report.finish();
}

/**
 * Runs asynchronous tasks side by side, as far as the gate lets them.
 * Resolves when all have begun.
 */
export async function runSideBySide(
  setup: RunSetup,
  gate: Gate,
): Promise<void> {
  const { sequence, mode, elements, control, report, meter } = setup;
  const count = elements.length;
  let ended = 0;
  let lastFlush = setup.startedAt;
  function end(): void {
    if (++ended === count) return report.finish();
    const now = clock.now();
    // The next one may end the worker, or take long before it lets others run.
    if (mode.isolated || now - lastFlush > FLUSH_INTERVAL) {
      report.flush();
      lastFlush = now;
    } else report.flushSoon();
  }

  async function run(index: number): Promise<void> {
    const beganAt = meter?.enterTask();
    try {
      const value = await (mode.timesItself
        ? runTimed(setup, index)
        : call(setup.task, elements[index]));
      report.moveTo(index);
      report.add(value);
    } catch (error) {
      meter?.addFailure();
      if (mode.isolated) {
        report.moveTo(index);
        report.addFailure(index, error);
      } else report.fail(index, error);
    } finally {
      if (beganAt !== undefined) meter!.leaveTask(elements[index], beganAt);
      gate.leave();
    }
    end();
  }

  for (let i = 0; i < count; i++) {
    await gate.hasRoom(mode.concurrency);
    if (!beginTask(control, sequence, i)) {
      ended += count - i;
      if (ended === count) report.finish();
      return;
    }
    gate.enter();
    if (setup.announcer) await setup.announcer.begin(sequence, i, true);
    void run(i);
  }
}

/** Runs a task and rejects when it has taken, or takes, too long. */
function runTimed(setup: RunSetup, index: number): Promise<unknown> {
  const timeout = setup.mode.taskTimeout!;
  return inTime(
    timeout,
    () => call(setup.task, setup.elements[index]),
    () => timeoutError("task", timeout, setup.workerId),
  );
}
