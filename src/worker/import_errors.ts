/** What runtimes call the script of a worker: of a thread, of a process. */
const IMPORTER =
  / imported from (?:\/?data:text\/javascript;base64,\S*|.*\[eval\d*\])$/gm;

/**
 * Takes out of the error of a module that is missing that a worker's own
 * script has imported it, which is the text of that script or no file at all.
 */
export function withoutImporter(error: unknown): unknown {
  try {
    const { message, stack } = error as Error;
    const shorter = message.replace(IMPORTER, "");
    if (shorter === message) return error;
    // Bun's own class has no setters.
    const set = (key: string, value: string) =>
      Object.defineProperty(error, key, {
        value,
        writable: true,
        configurable: true,
      });
    if (typeof stack === "string") {
      set("stack", stack.replace(message, () => shorter));
    }
    set("message", shorter);
  } catch {
    // A module may throw anything.
  }
  return error;
}
