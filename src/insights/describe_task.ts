import { formatArguments } from "../format.ts";

/** The most arguments shown of one task. */
const MAX_ARGUMENTS = 10;

/**
 * The arguments of a task as insights show them, long ones shortened:
 * `Arg 0: 19 | Arg 1: "z"`. Empty for a task without arguments.
 */
export function describeTask(element: unknown): string {
  const args = Array.isArray(element) ? element : [element];
  const parts = args.slice(0, MAX_ARGUMENTS).map((argument, index) =>
    `Arg ${index}: ${formatArguments([argument])}`
  );
  if (args.length > MAX_ARGUMENTS) parts.push("…");
  return parts.join(" | ");
}
