import type { TaskDefinition } from "../wire/messages.ts";
import type { RegisteredTask } from "./scope.ts";

/**
 * Finds a function among all that its module has wrapped with `task()` here,
 * where another one, or none, has its place. Never gives one with another text,
 * unless all have other texts, as a tool has compiled the module once more.
 */
export function matchTask(
  { url, name, ordinal, prints }: TaskDefinition,
  tasks: readonly RegisteredTask[],
  // deno-lint-ignore ban-types
): Function {
  const isCompiledAnew = !tasks.some(({ print }) => prints.includes(print));
  const matches = tasks.filter((task) =>
    task.name === name &&
    (isCompiledAnew ? task.ordinal === ordinal : task.print === prints[ordinal])
  );
  if (matches.length === 1) return matches[0]!.task;
  throw new ReferenceError(
    `Cannot find task ${name ? `'${name}'` : `number ${ordinal + 1}`} in ` +
      `${url}: call task() at the top level of the module, in the same ` +
      `order in every worker`,
  );
}
