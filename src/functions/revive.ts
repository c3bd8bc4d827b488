import { show } from "../check.ts";
import { BoundedMap } from "./bounded_map.ts";
import { asExpression, evaluate, type TextForm } from "./evaluate.ts";
import { type ImportFrom, importVariables } from "./imports.ts";
import { mentionsSource, sourceName } from "./source_name.ts";
import { transpilerVariables } from "./transpiler_helpers.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** What a function revived from text has around it. */
export interface ReviveOptions extends RevivalOptions {
  /** Free variables of the function by name. */
  scope: Scope;
}

/** Free variables by name. */
export type Scope = Record<string, unknown>;

/** What functions revived from one text have in common. */
export interface RevivalOptions {
  /** The function's name: what it can call itself, and what stacks show. */
  name: string;
  /** What `import()` inside the function does. */
  importFrom: ImportFrom;
  /** The module that the function came from. */
  base?: string | undefined;
}

/** Makes the function, or an object with the method, of its variables. */
interface Factory {
  form: TextForm;
  make: (...values: unknown[]) => unknown;
}

/** Compiled code that is remembered: a closure comes anew with every call. */
const factories = new BoundedMap<string, Factory>(500);

/**
 * Makes a function from text that `functionText()` and `rewriteImports()` have
 * prepared.
 *
 * @throws {TypeError} If a name in `scope` cannot name a variable.
 * @throws {SyntaxError} If the text is not that of a function.
 */
export function reviveFunction(text: string, options: ReviveOptions): Callable {
  const { scope } = options;
  return revival(text, Object.keys(scope), options)(scope);
}

/**
 * The same for many scopes, which have the same names: each makes a function
 * of its own, for little.
 */
export function revival(
  text: string,
  names: string[],
  { name, importFrom, base }: RevivalOptions,
): (scope: Scope) => Callable {
  checkNames(names);
  const variables: Scope = {
    ...transpilerVariables(text),
    ...importVariables(text, importFrom, base),
  };
  for (const name of names) variables[name] = undefined;
  const parameters = Object.keys(variables);
  // The text begins in line 1, so that stacks count its own lines.
  const codeAs = (form: TextForm) =>
    `(${parameters})=>{${body(text, form, name, variables)}}` +
    `\n//# sourceURL=${sourceName(name, base)}`;
  const { form, make } = factoryOf(codeAs);
  return (scope) => {
    const made = make(...Object.values({ ...variables, ...scope }));
    return form === "method" ? onlyValueOf(made as object) : made as Callable;
  };
}

/** Compiles code in the form in which it is that of a function. */
function factoryOf(codeAs: (form: TextForm) => string): Factory {
  const code = codeAs("expression");
  const compile = (form: TextForm, code: string): Factory => ({
    form,
    make: evaluate(code) as Factory["make"],
  });
  return factories.get(code, () => {
    // A method called `function` reads as a function, and works as one.
    try {
      return compile("expression", code);
    } catch (error) {
      try {
        return compile("method", codeAs("method"));
      } catch {
        throw error;
      }
    }
  });
}

function body(
  text: string,
  form: TextForm,
  name: string,
  variables: object,
): string {
  const expression = asExpression(text, form);
  if (form === "method" || name === "") return `return ${expression}`;
  // A function in a variable may call itself by it. Where the name has another
  // meaning, that one is more likely to be meant.
  if (isVariableName(name) && !(name in variables || name in globalThis)) {
    return `const ${name}=${expression};return ${name}`;
  }
  // An anonymous function takes the name of the property.
  const property = JSON.stringify(name);
  return `return {[${property}]:${expression}}[${property}]`;
}

/** The value of an object's only property, which may be a symbol. */
function onlyValueOf(object: object): Callable {
  return Reflect.get(object, Reflect.ownKeys(object)[0]!);
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

// Engines take milliseconds to compile the other.
const ASCII_IDENTIFIER = /^[A-Za-z$_][\w$]*$/;

/** Names that have been looked at. */
const variableNames = new BoundedMap<string, boolean>(500);

function isVariableName(name: string): boolean {
  return variableNames.get(name, () => {
    if (!ASCII_IDENTIFIER.test(name) && !IDENTIFIER.test(name)) return false;
    try {
      // Reserved words are for the engine to know.
      evaluate(`(${name})=>{}`);
      return true;
    } catch {
      return false;
    }
  });
}

function checkNames(names: string[]): void {
  for (const name of names) {
    if (isVariableName(name)) continue;
    throw new TypeError(
      "Cannot use 'closure' as its keys must be names of variables: " +
        `current value has ${JSON.stringify(name)}`,
    );
  }
}

/**
 * Checks the `closure` option.
 *
 * @throws {TypeError} If it is not a plain object, or a key of it cannot name
 * a variable.
 */
export function checkClosure(
  closure: unknown,
): asserts closure is Record<string, unknown> {
  if (!isPlainObject(closure)) {
    throw new TypeError(
      "Cannot use 'closure' as it must be a plain object: current value is " +
        show(closure),
    );
  }
  checkNames(Object.keys(closure));
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // The prototype of a plain object of another realm has none in turn.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What V8 and JavaScriptCore say of a variable that does not exist. */
const MISSING = /^(?:(\S+) is not defined|Can't find variable: (\S+))$/;

/** What vitest and esbuild make of the names of imports. */
const GENERATED = /^(?:__vite_ssr_import_|import_)/;

/**
 * Rewrites the message of an error that a function sent by value threw, if it
 * says that a variable is missing: the same text on all runtimes, which names
 * the ways out. Leaves every other error alone.
 */
export function helpfulReferenceError(error: unknown): void {
  try {
    if (!(error instanceof ReferenceError)) return;
    const found = MISSING.exec(error.message);
    if (!found || !isThrownByText(error)) return;
    const { message, stack } = error;
    const name = found[1] ?? found[2]!;
    const passed = GENERATED.test(name)
      ? "what it needs as 'closure'"
      : `it as closure: { ${name} }`;
    // No closure can hold that.
    const ways = name === "require"
      ? "Use await import() or process.getBuiltinModule()"
      : `Pass ${passed}, use await import()`;
    error.message =
      `${name} is not defined: a function sent to a worker by value sees its ` +
      "arguments, globals and 'closure', but neither variables nor imports " +
      `of the module around it. ${ways} inside ` +
      "the function, or send the function by reference with task() or " +
      "importTasks()";
    if (typeof stack === "string") {
      error.stack = stack.replace(message, () => error.message);
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
