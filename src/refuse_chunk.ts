import { leadOn, movedError } from "./task_errors.ts";
import { type Chunk, partOf, restOf } from "./task_source.ts";
import { withoutFrames } from "./timeouts.ts";
import type { Codec } from "./wire/codec.ts";

/**
 * What becomes of a chunk that could not be sent for `reason`: tasks whose
 * arguments cannot be sent fail, and the others go back to be sent one by one.
 */
export function refuseChunk(
  chunk: Chunk,
  reason: unknown,
  workerId: number,
  codec: Codec,
): void {
  const { source, elements } = chunk;
  const refusals = codec.refusalsOf(
    elements,
    (index) =>
      Array.isArray(elements[index])
        ? (position: number) => `argument ${position}`
        : "argument 0",
    reason,
  );
  const isSentAlone = !chunk.moves || elements.length === 1;
  if (isSentAlone && !refusals.some((refusal) => refusal)) {
    // It is the function that cannot be sent, with its closure.
    source.failChunk(chunk, reason);
  }
  for (let i = 0; i < elements.length && source.wants(chunk); i++) {
    const refusal = refusals[i];
    if (refusal) {
      const error = leadOn(withoutFrames(refusal), workerId, chunk, i);
      source.failTask(chunk, i, error);
    } else source.putBack(partOf(chunk, i, i + 1));
  }
}

/** The worker is gone: what it had begun of a chunk, and not reported, fails. */
export function failBegun(
  begun: number,
  chunk: Chunk,
  errorOf: () => unknown,
  workerId: number,
): void {
  for (let i = 0; i < begun; i++) {
    if (chunk.reported?.[i]) continue;
    chunk.source.failTask(chunk, i, leadOn(errorOf(), workerId, chunk, i));
  }
}

/**
 * Lets other workers have what the worker has not begun of a chunk, if it is
 * wanted; what has been moved there fails.
 */
export function putBackFrom(
  begun: number,
  chunk: Chunk,
  workerId: number,
): void {
  const { source } = chunk;
  if (begun >= chunk.elements.length || !source.wants(chunk)) return;
  const rest = restOf(chunk, begun);
  const { elements } = rest;
  if (!rest.moves) return source.putBack(rest);
  for (let i = 0; i < elements.length; i++) {
    if (!source.wants(rest)) return;
    source.failTask(rest, i, leadOn(movedError(workerId), workerId, rest, i));
  }
}
