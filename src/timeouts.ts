import { TimeoutError } from "./errors.ts";

/** The longest time that a timer of the runtimes can hold, in ms. */
export const LONGEST_TIMER: number = 2 ** 31 - 1;

/** The error for something that took too long. */
export function timeoutError(
  stage: "task" | "workerInit" | "workerExit",
  timeout: number,
  workerId: number,
): Error {
  const what = stage === "task" ? "The task" : `The function '${stage}'`;
  return withoutFrames(
    new TimeoutError(`${what} did not end in ${timeout} ms`, {
      stage,
      timeout,
      workerId,
    }),
  );
}

/** The frames in which the pool makes an error tell its user nothing. */
export function withoutFrames(error: Error): Error {
  error.stack = String(error);
  return error;
}
