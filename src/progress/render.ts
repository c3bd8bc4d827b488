import type { Progress } from "./meter.ts";
import { textWidth, toOneLine, trimToWidth } from "./text_width.ts";

/** What a bar shows besides the numbers. */
export interface BarTexts {
  /** The text before the bar. */
  desc?: string | undefined;
  /** The name of one task. */
  unit?: string | undefined;
}

/** From nothing to a full block, by eighths. */
const BLOCKS = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"] as const;
const EIGHTHS = BLOCKS.length - 1;

/** The length of a bar where the width of the line is unknown. */
const DEFAULT_LENGTH = 10;

/** Formats milliseconds as `mm:ss`, or `h:mm:ss` from an hour on. */
export function formatInterval(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? clock : `${Math.floor(seconds / 3600)}:${clock}`;
}

function formatRate(rate: number | undefined, unit: string): string {
  if (rate === undefined) return `?${unit}/s`;
  const two = (value: number) => value.toFixed(2).padStart(5);
  return rate < 1 ? `${two(1 / rate)}s/${unit}` : `${two(rate)}${unit}/s`;
}

function drawBlocks(fraction: number, length: number): string {
  const eighths = Math.floor(fraction * length * EIGHTHS);
  const full = Math.floor(eighths / EIGHTHS);
  const bar = BLOCKS[EIGHTHS]!.repeat(full);
  return full < length ? (bar + BLOCKS[eighths % EIGHTHS]).padEnd(length) : bar;
}

/**
 * Draws progress as one line, as tqdm does: as wide as `columns`, or with a
 * bar of ten characters where `columns` is `undefined`. The text has neither
 * line breaks nor control characters.
 *
 * @see {@link https://github.com/tqdm/tqdm tqdm, format_meter()}
 */
export function renderBar(
  progress: Progress,
  { desc = "", unit = "it" }: BarTexts = {},
  columns?: number,
): string {
  const { completed, total, rate } = progress;
  const shownUnit = toOneLine(unit);
  const label = toOneLine(desc);
  const prefix = label === "" || label.endsWith(": ") ? label : `${label}: `;
  const elapsed = formatInterval(progress.elapsed);
  const speed = formatRate(rate, shownUnit);
  const trim = (line: string) =>
    columns === undefined ? line : trimToWidth(line, columns);

  if (total === undefined || total === 0 || completed > total) {
    return trim(`${prefix}${completed}${shownUnit} [${elapsed}, ${speed}]`);
  }
  const fraction = completed / total;
  const remaining = progress.remaining === undefined
    ? "?"
    : formatInterval(progress.remaining);
  const left = `${prefix}${(fraction * 100).toFixed(0).padStart(3)}%|`;
  const right = `| ${completed}/${total} [${elapsed}<${remaining}, ${speed}]`;
  const length = columns === undefined
    ? DEFAULT_LENGTH
    : Math.max(1, columns - textWidth(left + right));
  return trim(left + drawBlocks(fraction, length) + right);
}
