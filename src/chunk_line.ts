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
    do this.#sequence++; while (this.length > 0 && this.#isTaken());
    return this.#sequence;
  }

  #isTaken(): boolean {
    const { items } = this;
    return this.#sequence - items[0]!.sequence >= SLOTS &&
      items.some(({ sequence }) => (this.#sequence - sequence) % SLOTS === 0);
  }
}
