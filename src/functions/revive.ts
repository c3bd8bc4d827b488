import { show } from "../check.ts";
import { BoundedMap } from "./bounded_map.ts";
import { asExpression, evaluate, type TextForm } from "./evaluate.ts";
import { type ImportFrom, importVariables } from "./imports.ts";
import { sourceName } from "./source_name.ts";
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
  // The text begins in line 1, so that stacks count its own lines. In a function
  // that is called by itself, as an arrow function would take `this` of here.
  const codeAs = (form: TextForm) =>
    `(function(${parameters}){${body(text, form, name, variables)}})` +
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

function keyError(name: string): TypeError {
  return new TypeError(
    "Cannot use 'closure' as its keys must be names of variables: " +
      `current value has ${JSON.stringify(name)}`,
  );
}

function checkNames(names: string[]): void {
  for (const name of names) {
    if (!isVariableName(name)) throw keyError(name);
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
  // Whoever sets that property of an object gives it a prototype.
  if (Object.hasOwn(closure, "__proto__")) throw keyError("__proto__");
  checkNames(Object.keys(closure));
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // The prototype of a plain object of another realm has none in turn.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
