import { BackgroundTimer } from "./background_timer.ts";
import type { Line } from "./line.ts";
import { type Chunk, endsOneByOne } from "./task_source.ts";
import { hasBegun } from "./wire/control.ts";
import { UntoldResults } from "./wire/untold.ts";
import type { WorkerLink } from "./worker_link.ts";

/** How long results that are ready may wait behind a busy worker, in ms. */
const INTERVAL = 8;

/**
 * Passes results of consecutive tasks on, less those that have arrived before.
 * With `isLast` no others will follow.
 */
export function addResults(
  chunk: Chunk,
  offset: number,
  results: ArrayLike<unknown>,
  failures: Map<number, unknown> | undefined,
  isLast: boolean,
): void {
  const { source, elements, reported } = chunk;
  const end = offset + results.length;
  let first = offset;
  while (first < end && reported?.[first]) first++;
  if (first === end) return;
  if (!isLast || reported) {
    chunk.reported ??= new Uint8Array(elements.length);
    chunk.reported.fill(1, first, end);
  }
  if (!source.wants(chunk)) return;
  const rest = first === offset
    ? results
    : Array.prototype.slice.call(results, first - offset);
  source.addResults(chunk, first, rest, failures);
}

/**
 * Fetches results that a worker has computed and, being busy, not told: now
 * and then while there may be some, so that a chunk costs no timer of its own.
 */
export class UntoldWatch {
  readonly #link: WorkerLink;
  readonly #chunks: Line<Chunk>;
  readonly #untold: UntoldResults;
  // What waits for results keeps the program alive.
  readonly #timer = new BackgroundTimer(() => this.#look());

  constructor(link: WorkerLink, chunks: Line<Chunk>) {
    this.#link = link;
    this.#chunks = chunks;
    this.#untold = new UntoldResults(link.control);
  }

  /** The worker is being sent the chunk. */
  watch(chunk: Chunk): void {
    // Where words are not shared, the worker tells each result at once.
    if (!this.#link.sharesControl) return;
    if (endsOneByOne(chunk)) this.#timer.start(INTERVAL);
  }

  /** Fetches what there is of a chunk. */
  fetch(chunk: Chunk): void {
    const { control, sharesControl } = this.#link;
    if (!sharesControl || !endsOneByOne(chunk)) return;
    const untold = hasBegun(control, chunk.sequence)
      ? this.#untold.fetch(chunk.sequence)
      : undefined;
    if (!untold) return;
    addResults(chunk, untold.first, untold.results, undefined, false);
  }

  /** Watches nothing any more. */
  stop(): void {
    this.#timer.stop();
  }

  #look(): void {
    for (const chunk of [...this.#chunks.items]) {
      this.watch(chunk);
      this.fetch(chunk);
    }
  }
}
