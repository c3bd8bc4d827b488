import {
  checkBoolean,
  checkInteger,
  checkNames,
  checkObject,
  checkString,
  checkTimeout,
  message,
} from "../check.ts";
import type { ProgressStream } from "./terminal.ts";

/** Options of a progress bar. */
export interface ProgressBarOptions {
  /**
   * The text before the bar.
   *
   * @default {""}
   */
  desc?: string | undefined;
  /**
   * The name of one task.
   *
   * @default {"it"}
   */
  unit?: string | undefined;
  /**
   * The number of tasks to expect, where the input does not tell its length.
   *
   * @default {iterableLen}
   */
  total?: number | undefined;
  /**
   * The line of the bar: 0, 1 for the one below, and so on. The next line
   * without a bar is taken if another bar is there.
   *
   * @default {0}
   */
  position?: number | undefined;
  /**
   * Whether the bar stays when the call ends.
   *
   * @default {true}
   */
  leave?: boolean | undefined;
  /**
   * The least number of milliseconds between two drawings.
   *
   * @default {100}
   */
  mininterval?: number | undefined;
  /**
   * Where the bar goes: a Node-style writable stream. If it is no terminal it
   * gets a plain line each ten seconds, and one at the end.
   *
   * @default {process.stderr}
   */
  stream?: ProgressStream | undefined;
}

/** How a progress bar looks. More are to come. */
export type ProgressBarStyle = "std";

/** The names of the styles. */
export const PROGRESS_BAR_STYLES: readonly ProgressBarStyle[] = ["std"];

const NAMES: readonly (keyof ProgressBarOptions)[] = [
  "desc",
  "unit",
  "total",
  "position",
  "leave",
  "mininterval",
  "stream",
];

function checkStream(action: string, option: string, value: unknown): void {
  if (value === undefined) return;
  const { write } = Object(value) as Partial<ProgressStream>;
  if (typeof write === "function") return;
  throw new TypeError(message(action, option, "a writable stream", value));
}

/** Checks the options of a progress bar. */
export function checkProgressBarOptions(action: string, value: unknown): void {
  const prefix = "progressBarOptions";
  checkObject(action, prefix, value);
  const options = value as Record<string, unknown>;
  checkNames(action, options, NAMES, `${prefix}.`);
  checkString(action, `${prefix}.desc`, options.desc);
  checkString(action, `${prefix}.unit`, options.unit);
  checkInteger(action, `${prefix}.total`, options.total, 0);
  checkInteger(action, `${prefix}.position`, options.position, 0);
  checkBoolean(action, `${prefix}.leave`, options.leave);
  if (options.mininterval !== undefined) {
    checkTimeout(action, `${prefix}.mininterval`, options.mininterval);
  }
  checkStream(action, `${prefix}.stream`, options.stream);
}
