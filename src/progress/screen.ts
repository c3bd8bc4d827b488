/**
 * The lines of a terminal that bars are drawn on, one screen for all bars of
 * a stream.
 *
 * Between two writes the cursor is at the end of the text on line 0, the
 * uppermost. What a program prints meanwhile is never overwritten: all lines
 * are drawn relative to the cursor, thus below it from then on. A line that
 * fills the width even makes the terminal start a new one for such text. The
 * cursor is never hidden, so nothing must be restored after Ctrl-C.
 *
 * A bar that was closed and left stays on its line until all bars are closed,
 * or until a new one needs the line: then its text moves up, above line 0,
 * and is the screen's no longer. So any number of short bars can follow each
 * other below a long one.
 *
 * @module
 */

import type { ProgressHost } from "./host.ts";
import type { BarPlace } from "./place.ts";
import type { ProgressTerminal } from "./terminal.ts";
import { textWidth, trimToWidth } from "./text_width.ts";

interface Line {
  text: string;
  isOpen: boolean;
}

const CLEAR_LINE_REST = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

function up(lines: number): string {
  return lines === 0 ? "" : `\x1b[${lines}A`;
}

/** The lines of a terminal that bars are drawn on. */
export class Screen {
  readonly #terminal: ProgressTerminal;
  readonly #atExit: ProgressHost["atExit"];
  readonly #lines = new Map<number, Line>();
  #columns: number;
  #cancelExit: (() => void) | undefined;

  /** A screen that starts at the line of the cursor. */
  constructor(terminal: ProgressTerminal, atExit: ProgressHost["atExit"]) {
    this.#terminal = terminal;
    this.#atExit = atExit;
    this.#columns = terminal.columns();
  }

  /** Takes the first line from `position` on that has no open bar. */
  open(position = 0): BarPlace {
    while (this.#lines.get(position)?.isOpen) position++;
    const left = this.#lines.get(position);
    const line: Line = { text: "", isOpen: true };
    this.#lines.set(position, line);
    if (left) this.#terminal.write(`${this.#paint(left)}\n${this.#paintAll()}`);
    this.#cancelExit ??= this.#atExit(() => this.#end());
    return {
      isLive: true,
      columns: () => this.#terminal.columns(),
      draw: (text) => {
        line.text = text;
        this.#draw(position);
      },
      close: (text) => {
        line.text = text;
        line.isOpen = false;
        const others = [...this.#lines.values()];
        if (!others.some(({ isOpen }) => isOpen)) return this.#end();
        this.#draw(position);
        if (text === "") this.#lines.delete(position);
      },
    };
  }

  /** Leaves the cursor below the lines that stay. */
  #end(): void {
    this.#cancelExit?.();
    this.#cancelExit = undefined;
    const lines = [...this.#lines].sort(([a], [b]) => a - b);
    this.#lines.clear();
    const left = lines.filter(([, { text }]) => text !== "")
      .map(([, line]) => `${this.#paint(line)}\n`);
    this.#terminal.write(`${left.join("")}\r${CLEAR_BELOW}`);
  }

  #draw(position: number): void {
    const columns = this.#terminal.columns();
    if (columns !== this.#columns) {
      // The terminal may have broken lines that no longer fitted.
      this.#columns = columns;
      this.#terminal.write(`\r${CLEAR_BELOW}${this.#paintAll()}`);
      return;
    }
    if (position > 0 && position >= this.#terminal.rows()) return;
    const first = this.#paint(this.#lines.get(0));
    this.#terminal.write(
      position === 0
        ? first
        : "\n".repeat(position) + this.#paint(this.#lines.get(position)) +
          up(position) + first,
    );
  }

  #paintAll(): string {
    const height = Math.max(0, ...this.#lines.keys()) + 1;
    const shown = Math.min(height, this.#terminal.rows());
    const lines = Array.from(
      { length: shown },
      (_, position) => this.#paint(this.#lines.get(position)),
    );
    return lines.join("\n") + up(shown - 1) + lines[0];
  }

  #paint(line: Line | undefined): string {
    // Maybe it is a line of another program's, such as a worker's.
    if (line === undefined) return "\r";
    const columns = this.#terminal.columns();
    const text = trimToWidth(line.text, columns);
    // At the end of a full line, clearing would take its last character.
    return `\r${text}${textWidth(text) < columns ? CLEAR_LINE_REST : ""}`;
  }
}
