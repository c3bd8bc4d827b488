// deno-lint-ignore ban-types
type Callable = Function;

/** The function that a module at `url` exports as `name`. */
export function exportOf(
  module: Record<string, unknown>,
  url: string,
  name: string,
): Callable {
  const found = module[name];
  if (typeof found === "function") return found;
  throw new TypeError(
    `Cannot run '${name}' of ${url} as it is not an exported function: ` +
      `current value is ${String(found)}`,
  );
}
