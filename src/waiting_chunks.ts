import { Queue } from "./queue.ts";
import type { Chunk } from "./task_source.ts";

/** Chunks that wait: in one line, or in one for each worker that must run them. */
export class WaitingChunks {
  readonly #lines: Queue<Chunk>[];
  #length = 0;

  /** With one line, or with as many as there are workers. */
  constructor(lines: number) {
    this.#lines = Array.from({ length: lines }, () => new Queue<Chunk>());
  }

  /** The number of chunks. */
  get length(): number {
    return this.#length;
  }

  /** Adds a chunk. */
  push(chunk: Chunk): void {
    this.#lines[chunk.workerId ?? 0]!.push(chunk);
    this.#length++;
  }

  /** Takes the first chunk of a line, if there is one. */
  shift(line: number): Chunk | undefined {
    const chunk = this.#lines[line]!.shift();
    if (chunk) this.#length--;
    return chunk;
  }

  /** Drops all chunks. */
  clear(): void {
    for (const line of this.#lines) line.clear();
    this.#length = 0;
  }
}
