import { isModuleName } from "./module_variables.ts";
import { mentionsSource } from "./source_name.ts";

/** What V8 and JavaScriptCore say of a variable that does not exist. */
const MISSING = /^(?:(\S+) is not defined|Can't find variable: (\S+))$/;

/** What they say of a property of `this` where that is undefined. */
const NO_THIS =
  /^(?:undefined is not an object \(evaluating 'this[.[].*|Cannot (?:read|set) properties of undefined \((?:reading|setting) '(.+)'\))$/;

/** What webpack has in the place of a module that is in the bundle. */
const BY_WEBPACK = /^__webpack_\w+$/;

/** What esbuild and `bun build` have there, and users may call something. */
const BUNDLED = /^(?:(?:init|require|exports)_\w+|\w+_exports)$/;

/** What these make of `import()`. */
const PROMISED = /\bPromise\.resolve\(\)\.then\(/;

/** A name so short may be a minifier's. */
const SHORT = 2;

/** What minified text does without, and what tsx makes of it. */
const SPACED = /\n|, | =>|=> /;

/** What a text has between the names of variables and the like. */
const NO_NAME = /[^\p{ID_Continue}$]+/u;

/**
 * Rewrites the message of an error that a function sent by value threw, if it
 * says that a variable is missing, or `this`: the same text on all runtimes,
 * which names the ways out. Leaves every other error alone. `text` is the
 * function's, `closureTexts` are those of the functions in its closure.
 */
export function helpfulReferenceError(
  error: unknown,
  text = "",
  closureTexts: Record<string, string> = {},
): void {
  try {
    if (!(error instanceof Error)) return;
    const hint = error instanceof ReferenceError
      ? hintForVariable(error, text, closureTexts)
      : error instanceof TypeError
      ? hintForThis(error, text)
      : undefined;
    if (hint === undefined || !isThrownByText(error)) return;
    const { message, stack } = error;
    error.message = hint;
    if (typeof stack === "string") {
      error.stack = stack.replace(message, () => hint);
    }
  } catch {
    // A frozen error, a getter of the user's: it stays as it is.
  }
}

/** Whether the error comes from revived text and not from a module. */
function isThrownByText({ stack }: Error): boolean {
  if (typeof stack !== "string") return true;
  const frame = /^ +at .*$/m.exec(stack);
  return !frame || mentionsSource(frame[0]);
}

function hintForThis({ message }: Error, text: string): string | undefined {
  const found = NO_THIS.exec(message);
  // V8 tells the property, but not of what.
  if (!found || found[1] && !text.includes(`this.${found[1]}`)) return;
  return "this is undefined: a function sent to a worker by value has no " +
    "'this' of the code around it. Pass what it needs as 'closure' or as " +
    "arguments, or send the function by reference with task() or importTasks()";
}

function hintForVariable(
  { message }: Error,
  text: string,
  closureTexts: Record<string, string>,
): string | undefined {
  const found = MISSING.exec(message);
  if (!found) return undefined;
  const name = found[1] ?? found[2]!;
  const mentions = (text: string) => text.split(NO_NAME).includes(name);
  const entry = mentions(text)
    ? undefined
    : Object.keys(closureTexts).find((key) => mentions(closureTexts[key]!));
  return entry === undefined
    ? hintFor(name, text)
    : hintFor(name, closureTexts[entry]!, entry);
}

/** `entry` is that of the closure whose text lacks the variable. */
function hintFor(name: string, text: string, entry?: string): string {
  if (
    BY_WEBPACK.test(name) || BUNDLED.test(name) && PROMISED.test(text)
  ) {
    return `${name} is not defined: a bundler has rewritten an import() in a ` +
      "function sent to a worker by value, which sees nothing of the bundle " +
      "around it. Send the function by reference with task(), or with " +
      "importTasks() from a file beside the bundle, or have the bundler " +
      "leave that module out of this file: by code splitting, as an " +
      "external, by /* webpackIgnore: true */";
  }
  const isGenerated = isModuleName(name, [text]);
  const passed = isGenerated
    ? "what it needs as 'closure'"
    : `it as closure: { ${name} }`;
  // No closure can hold that.
  const ways = name === "require"
    ? "Use await import() or process.getBuiltinModule()"
    : `Pass ${passed}, use await import()`;
  const [where, task, place] = entry === undefined
    ? ["", "function", ""]
    : [` in 'closure.${entry}'`, "task", ` in place of ${entry}`];
  const hint =
    `${name} is not defined${where}: a function sent to a worker by value ` +
    "sees its arguments, globals and 'closure', but neither variables nor " +
    `imports of the module around it. ${ways} inside the ${task}${place}, ` +
    `or send the ${task} by reference with task() or importTasks()`;
  return name.length <= SHORT && text !== "" && !SPACED.test(text)
    ? `${hint}. If a minifier has renamed variables, tell it to keep their ` +
      "names or use task()"
    : hint;
}
