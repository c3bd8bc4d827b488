import type { TaskDefinition } from "../wire/messages.ts";
import type { RegisteredTask } from "./scope.ts";

/**
 * Finds a function among all that its module has wrapped with `task()` here,
 * where one with another text, or none, has its place: some tools compile the
 * module anew for workers, and change the texts of some functions by that.
 */
export function matchTask(
  { url, name, ordinal, prints }: TaskDefinition,
  tasks: readonly RegisteredTask[],
  // deno-lint-ignore ban-types
): Function {
  // A text that stands elsewhere there shows that the order is another.
  const isReordered = tasks.some((task) =>
    task.print !== prints[task.ordinal] && prints.includes(task.print)
  );
  const matches = tasks.filter((task) =>
    task.name === name &&
    (isReordered ? task.print === prints[ordinal] : task.ordinal === ordinal)
  );
  if (matches.length === 1) return matches[0]!.task;
  throw new ReferenceError(
    `Cannot find task ${name ? `'${name}'` : `number ${ordinal + 1}`} in ` +
      `${url}: call task() at the top level of the module, in the same ` +
      `order in every worker`,
  );
}
