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
  #lines: (Line | undefined)[] = [];
  #cancelExit: (() => void) | undefined;

  /** A screen that starts at the line of the cursor. */
  constructor(terminal: ProgressTerminal, atExit: ProgressHost["atExit"]) {
    this.#terminal = terminal;
    this.#atExit = atExit;
  }

  /** Takes the first line from `position` on that has no open bar. */
  open(position = 0): BarPlace {
    while (this.#lines[position]?.isOpen) position++;
    const left = this.#lines[position];
    const line: Line = { text: "", isOpen: true };
    while (this.#lines.length < position) this.#lines.push(undefined);
    this.#lines[position] = line;
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
        if (!this.#lines.some((line) => line?.isOpen)) return this.#end();
        this.#draw(position);
        if (text === "") this.#lines[position] = undefined;
      },
    };
  }

  /** Leaves the cursor below the lines that stay. */
  #end(): void {
    this.#cancelExit?.();
    this.#cancelExit = undefined;
    const left = this.#lines.filter((line) => line && line.text !== "");
    this.#lines = [];
    const text = left.map((line) => `${this.#paint(line)}\n`).join("");
    this.#terminal.write(`${text}\r${CLEAR_BELOW}`);
  }

  #draw(position: number): void {
    if (position > 0 && position >= this.#terminal.rows()) return;
    const first = this.#paint(this.#lines[0]);
    this.#terminal.write(
      position === 0
        ? first
        : "\n".repeat(position) + this.#paint(this.#lines[position]) +
          up(position) + first,
    );
  }

  #paintAll(): string {
    const lines = this.#lines.slice(0, this.#terminal.rows());
    return lines.map((line) => this.#paint(line)).join("\n") +
      up(lines.length - 1) + this.#paint(lines[0]);
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
