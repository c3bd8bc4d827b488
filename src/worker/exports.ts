// deno-lint-ignore ban-types
type Callable = Function;

/**
 * The function that a module at `url` exports as `name`. Of CommonJS not every
 * runtime sees the names of all exports, but its default has them.
 */
export function exportOf(
  module: Record<string, unknown>,
  url: string,
  name: string,
): Callable {
  const whole = Object(module["default"]) as Record<string, unknown>;
  const named = module[name];
  const found = typeof named !== "function" && Object.hasOwn(whole, name)
    ? whole[name]
    : named;
  if (typeof found === "function") return found;
  throw new TypeError(
    `Cannot run '${name}' of ${url} as it is not an exported function: ` +
      `current value is ${String(found)}`,
  );
}
