import { checkFlag, checkObject, checkTimeout, show } from "../options.ts";
import type { ProgressStream } from "./terminal.ts";

/** Options of a progress bar. */
export interface ProgressBarOptions {
  /**
   * The text before the bar.
   *
   * @default {""}
   */
  desc?: string;
  /**
   * The name of one task.
   *
   * @default {"it"}
   */
  unit?: string;
  /**
   * The number of tasks to expect, where the input does not tell its length.
   *
   * @default {iterableLen}
   */
  total?: number;
  /**
   * The line of the bar: 0, 1 for the one below, and so on. The next line
   * without a bar is taken if another bar is there.
   *
   * @default {0}
   */
  position?: number;
  /**
   * Whether the bar stays when the call ends.
   *
   * @default {true}
   */
  leave?: boolean;
  /**
   * The least number of milliseconds between two drawings.
   *
   * @default {100}
   */
  mininterval?: number;
  /**
   * Where the bar goes: a Node-style writable stream. If it is no terminal it
   * gets a plain line each ten seconds, and one at the end.
   *
   * @default {process.stderr}
   */
  stream?: ProgressStream;
}

const NAMES: readonly (keyof ProgressBarOptions)[] = [
  "desc",
  "unit",
  "total",
  "position",
  "leave",
  "mininterval",
  "stream",
];

function message(
  action: string,
  option: string,
  rule: string,
  value: unknown,
): string {
  return `Cannot ${action} as '${option}' must be ${rule}: ` +
    `current value is ${show(value)}`;
}

function checkCount(action: string, option: string, value: unknown): void {
  if (value === undefined) return;
  const rule = "a non-negative integer";
  if (typeof value !== "number") {
    throw new TypeError(message(action, option, rule, value));
  }
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(message(action, option, rule, value));
  }
}

function checkText(action: string, option: string, value: unknown): void {
  if (value === undefined || typeof value === "string") return;
  throw new TypeError(message(action, option, "a string", value));
}

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
  for (const name of Object.keys(options)) {
    if ((NAMES as readonly string[]).includes(name)) continue;
    throw new RangeError(
      `Cannot ${action} as the option '${prefix}.${name}' is unknown, unlike ` +
        `${NAMES.join(", ")}: current value is ${show(options[name])}`,
    );
  }
  checkText(action, `${prefix}.desc`, options.desc);
  checkText(action, `${prefix}.unit`, options.unit);
  checkCount(action, `${prefix}.total`, options.total);
  checkCount(action, `${prefix}.position`, options.position);
  checkFlag(`${prefix}.leave`, options.leave, action);
  if (options.mininterval !== undefined) {
    checkTimeout(action, `${prefix}.mininterval`, options.mininterval);
  }
  checkStream(action, `${prefix}.stream`, options.stream);
}
