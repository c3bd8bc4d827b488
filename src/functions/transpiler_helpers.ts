import { loweredSyntax } from "./lowered_syntax.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** How names of other helpers begin, and few names of a user's own. */
const OTHERS = /\b(?:__(?!name\b|polypool)|_using|_ts_|_interop|cov_|tslib_1)/;

/**
 * The variables that transpilers have the text refer to and define elsewhere
 * in its module. What names functions and classes is in much that tsx and
 * esbuild make; all else is rare.
 */
export function transpilerVariables(text: string): Record<string, unknown> {
  // Most texts do without compiling what looks for more.
  if (!text.includes("_")) return {};
  const variables = OTHERS.test(text) ? loweredSyntax(text) : {};
  if (text.includes("__name(")) variables["__name"] = setName;
  return variables;
}

function setName(value: Callable, name: string): Callable {
  return Object.defineProperty(value, "name", {
    value: name,
    configurable: true,
  });
}
