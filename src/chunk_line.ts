import { Line } from "./line.ts";
import type { Chunk } from "./task_source.ts";
import { SLOTS } from "./wire/control.ts";

/** The chunks that a worker has been sent and has not ended, oldest first. */
export class ChunkLine extends Line<Chunk> {
  #sequence = 0;

  /** The chunk of a number. */
  find(sequence: number): Chunk | undefined {
    return this.items.find((chunk) => chunk.sequence === sequence);
  }

  /** A number for a chunk. No other one that is held has the same words. */
  nextSequence(): number {
    const first = this.items[0]?.sequence ?? Infinity;
    do this.#sequence++; while (
      this.#sequence - first >= SLOTS && this.#isTaken(this.#sequence)
    );
    return this.#sequence;
  }

  #isTaken(number: number): boolean {
    return this.items.some(({ sequence }) => (number - sequence) % SLOTS === 0);
  }
}
