/** The part of a Node-style writable stream that bars use. */
export interface ProgressStream {
  /** Writes text. */
  write(
    text: string,
    callback?: (error?: Error | null) => void,
  ): unknown;
  /** Whether it is a terminal. */
  isTTY?: boolean;
  /** Columns of the terminal. */
  columns?: number;
  /** Rows of the terminal. */
  rows?: number;
  /** Adds a listener for the next occurrence of an event. */
  once?(event: string, listener: () => void): unknown;
}

/** What bars are drawn on. */
export interface ProgressTerminal {
  /** Whether lines can be overwritten. */
  readonly isTerminal: boolean;
  /** The width, now. */
  columns(): number;
  /** The height, now. */
  rows(): number;
  /** Writes text. Never throws. */
  write(text: string): void;
}

const ignore = () => {};

/**
 * Makes a terminal of a stream such as stderr. A stream that fails, such as a
 * pipe that nobody reads any more, gets no more text and does not end the
 * program.
 */
export function terminalOf(stream: ProgressStream): ProgressTerminal {
  let hasFailed = false;
  const onWritten = (error?: Error | null) => {
    if (!error || hasFailed) return;
    hasFailed = true;
    // The event comes next, and would be thrown if nobody listened.
    stream.once?.("error", ignore);
  };
  return {
    isTerminal: stream.isTTY === true,
    // A pseudo terminal without a size has 0.
    columns: () => stream.columns || 80,
    rows: () => stream.rows || 24,
    write(text) {
      if (hasFailed) return;
      try {
        stream.write(text, onWritten);
      } catch {
        hasFailed = true;
      }
    },
  };
}
