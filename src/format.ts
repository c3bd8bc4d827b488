/** The most characters shown of one argument. */
const ARGUMENT_LENGTH = 60;
/** The most characters shown of all arguments. */
const TOTAL_LENGTH = 200;
/** The most elements or properties shown of a container. */
const MEMBERS = 5;

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function formatMembers(
  parts: string[],
  count: number,
  [open, close]: [string, string],
): string {
  if (count > parts.length) parts.push("…");
  return open + parts.join(", ") + close;
}

function formatObject(value: object, depth: number): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (ArrayBuffer.isView(value) && "length" in value) {
    return `${value.constructor.name}(${value.length})`;
  }
  if (Array.isArray(value)) {
    if (depth > 1) return `[… ${value.length}]`;
    const parts = value.slice(0, MEMBERS).map((v) => format(v, depth + 1));
    return formatMembers(parts, value.length, ["[", "]"]);
  }
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag !== "Object") {
    const { size } = value as { size?: unknown };
    return typeof size === "number" ? `${tag}(${size})` : tag;
  }
  if (depth > 1) return "{…}";
  const keys = Object.keys(value);
  const parts = keys.slice(0, MEMBERS).map((key) =>
    `${key}: ${format((value as Record<string, unknown>)[key], depth + 1)}`
  );
  return formatMembers(parts, keys.length, ["{", "}"]);
}

/** Whether it is an array. Of a revoked Proxy nobody can say. */
function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

function format(value: unknown, depth: number): string {
  try {
    if (typeof value === "string") {
      return JSON.stringify(shorten(value, ARGUMENT_LENGTH));
    }
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "object" && value !== null) {
      return shorten(formatObject(value, depth), ARGUMENT_LENGTH);
    }
    return shorten(String(value), ARGUMENT_LENGTH);
  } catch {
    // A getter or a proxy of the user's may throw.
    return typeof value;
  }
}

/** The arguments of a task, shortened, as they stand in an error's stack. */
export function formatArguments(element: unknown): string {
  const args = isArray(element) ? element : [element];
  return shorten(
    args.map((argument) => format(argument, 0)).join(", "),
    TOTAL_LENGTH,
  );
}
