import { leadOn } from "./task_errors.ts";
import type { Chunk } from "./task_source.ts";
import type { Codec } from "./wire/codec.ts";
import { lengthOf } from "./wire/list.ts";
import type { PackedError } from "./wire/errors.ts";
import type { FromWorker, RESULTS } from "./wire/messages.ts";

/** A worker tells of results of consecutive tasks. */
export type ResultsMessage = Extract<
  FromWorker,
  [typeof RESULTS, ...unknown[]]
>;

/** An error of a worker's, its stack led on to where the task was called. */
export function readError(
  packed: PackedError,
  chunk: Chunk,
  index: number | undefined,
  codec: Codec,
  workerId: number,
): unknown {
  return leadOn(codec.unpackError(packed), workerId, chunk, index);
}

/** The results in a message, and the errors of tasks that failed, by index. */
export function readResults(
  [, , offset, payload, packedFailures]: ResultsMessage,
  chunk: Chunk,
  codec: Codec,
  workerId: number,
): {
  results: ArrayLike<unknown>;
  failures: Map<number, unknown> | undefined;
} {
  try {
    const failures = packedFailures && new Map(
      packedFailures.map((
        [index, packed],
      ) => [index, readError(packed, chunk, index, codec, workerId)]),
    );
    return { results: codec.unpackList(payload), failures };
  } catch (error) {
    // Memory in them went with the worker: none of them can be had.
    const led = leadOn(error, workerId, chunk, offset);
    if (!chunk.mode.isolated) chunk.source.failTask(chunk, offset, led);
    const results = new Array<unknown>(lengthOf(payload));
    const failures = Array.from(results, (_, i) => [offset + i, led] as const);
    return { results, failures: new Map(failures) };
  }
}
