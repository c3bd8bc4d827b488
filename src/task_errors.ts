import { WorkerDiedError } from "./errors.ts";
import { printableStack } from "./wire/error_record.ts";
import { withoutFrames } from "./timeouts.ts";
import { formatArguments } from "./format.ts";
import type { WorkerEnd } from "./runtime/contract.ts";
import type { Chunk } from "./task_source.ts";

/**
 * Leads the stack of an error on to where its task was called: adds a line
 * for the worker and the arguments, and the frames of the call.
 */
export function leadOn(
  error: unknown,
  workerId: number,
  chunk: Chunk,
  index: number | undefined,
): unknown {
  try {
    if (!(error instanceof Error)) return error;
    const args = index === undefined
      ? ""
      : ` with arguments (${formatArguments(chunk.elements[index])})`;
    const { frames } = chunk.source.callerOf(chunk, index ?? 0);
    const { stack = String(error) } = error;
    const led = `${stack}\n    at worker ${workerId}${args}\n${frames}`;
    error.stack = printableStack(led.trimEnd());
  } catch {
    // A frozen error that passed by reference, or one whose stack cannot be
    // read: better without than lost.
  }
  return error;
}

/** The error for a task that no other worker can run. */
export function movedError(workerId: number): Error {
  return withoutFrames(
    new WorkerDiedError(
      `Worker ${workerId} ended before the task began, and transfer() had ` +
        "moved its arguments there",
      { workerId },
    ),
  );
}

/** The error for all calls when so many workers in a row died outside of tasks. */
export function deathsError(
  count: number,
  workerId: number,
  cause: Error,
): WorkerDiedError {
  const { exitCode, signal } = cause as Partial<WorkerDiedError>;
  return new WorkerDiedError(
    `${count} workers in a row died: ${cause.message}`,
    { workerId, exitCode, signal, cause },
  );
}

/** The error for tasks of a worker that is gone. */
export function deathError(workerId: number, end: WorkerEnd): Error {
  const { exitCode, signal, error, stderr } = end;
  const how = signal !== undefined
    ? `was ended by ${signal}`
    : exitCode !== undefined
    ? `ended with exit code ${exitCode}`
    : "ended";
  const why = error instanceof Error ? `: ${error.message}` : "";
  return withoutFrames(
    new WorkerDiedError(`Worker ${workerId} ${how}${why}`, {
      workerId,
      exitCode,
      signal,
      stderr,
      ...error !== undefined && { cause: error },
    }),
  );
}
