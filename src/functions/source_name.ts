/**
 * Functions revived from text appear in stacks and debuggers under a file
 * name of their own. It tells nothing of the machine, and from it the module
 * is found that the function came from.
 *
 * @module
 */

const PREFIX = "polypool-task-";

const key = Symbol.for("polypool.sources");

// A worker's entry and the copy of this library that the user's modules import
// there are two programs.
const sources: Map<string, string | undefined> =
  (globalThis as { [key]?: Map<string, string | undefined> })[key] ??=
    new Map();

/** The name for a function of the module at `base`. */
export function sourceName(name: string, base: string | undefined): string {
  const readable = name.replace(/[^\w$.-]+/g, "_").slice(0, 60) || "anonymous";
  for (let count = 1;; count++) {
    const suffix = count === 1 ? "" : `-${count}`;
    const source = `${PREFIX}${readable}${suffix}.js`;
    if (!sources.has(source)) sources.set(source, base);
    if (sources.get(source) === base) return source;
  }
}

/** Whether the text names a revived function. */
export function mentionsSource(text: string): boolean {
  return text.includes(PREFIX);
}

/** Whether the name is that of a revived function. */
export function isSource(name: string): boolean {
  return sources.has(name);
}

/** The module that a revived function came from, if it is known. */
export function baseOfSource(source: string): string | undefined {
  return sources.get(source);
}
