import type { ProgressTerminal } from "./terminal.ts";

/** Where one bar is shown. */
export interface BarPlace {
  /** The width of the line, `undefined` where lines may be of any length. */
  columns(): number | undefined;
  /** Whether a line may be drawn again just to show the time that passed. */
  readonly isLive: boolean;
  /** Shows a line in place of the one before. */
  draw(text: string): void;
  /** Shows the last line, or none if it is empty, and gives up the place. */
  close(text: string): void;
}

/** Milliseconds between two lines of a bar in a log. */
const LOG_INTERVAL = 10_000;

/** A place in a file or a pipe, where a line stays: few are written. */
export class LogPlace implements BarPlace {
  readonly isLive = false;
  readonly #terminal: ProgressTerminal;
  readonly #now: () => number;
  #writtenAt: number;

  /** A place that writes to the end of `terminal`. */
  constructor(terminal: ProgressTerminal, now: () => number) {
    this.#terminal = terminal;
    this.#now = now;
    this.#writtenAt = now();
  }

  columns(): undefined {
    return undefined;
  }

  draw(text: string): void {
    const now = this.#now();
    if (now - this.#writtenAt < LOG_INTERVAL) return;
    this.#writtenAt = now;
    this.#terminal.write(`${text}\n`);
  }

  close(text: string): void {
    if (text !== "") this.#terminal.write(`${text}\n`);
  }
}
