import { show } from "../check.ts";
import { BoundedMap } from "./bounded_map.ts";
import {
  asExpression,
  compiles,
  evaluate,
  formOf,
  syntaxErrorOf,
} from "./evaluate.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** What is known of a function's text: how to send it, or why it cannot be. */
type Verdict = { text: string } | { reason: string };

const BY_REFERENCE = "mark it with task() or import it with importTasks()";
const NO_CODE = "the program may not generate code from text " +
  `(--disallow-code-generation-from-strings): ${BY_REFERENCE}`;
const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;

/** The function's name; none where the user has made it something else. */
export function nameOf(fn: Callable): string {
  return typeof fn.name === "string" ? fn.name : "";
}

/** Texts whose check is remembered: inline functions come anew each time. */
const verdicts = new BoundedMap<string, Verdict>(500);

/**
 * The source text by which a function can be made anew in a worker.
 *
 * @param fn The function.
 * @param label The option or parameter that holds it, for error messages.
 * @throws {TypeError} If it is not a function, or not one that can be told by
 * its text.
 */
export function functionText(fn: unknown, label: string): string {
  if (typeof fn !== "function") {
    throw new TypeError(
      `Cannot send '${label}' to a worker as it must be a function: ` +
        `current value is ${show(fn)}`,
    );
  }
  // Not the function's own toString(), which may be anything.
  const text = Function.prototype.toString.call(fn);
  const verdict = verdicts.get(text, () => check(text, fn));
  if ("reason" in verdict) {
    throw new TypeError(
      `Cannot send '${label}' to a worker as ${verdict.reason}`,
    );
  }
  return verdict.text;
}

function check(source: string, fn: Callable): Verdict {
  if (NATIVE.test(source)) {
    return {
      reason: "it is a native or bound function: wrap it in an arrow function",
    };
  }
  if (isClass(source, fn)) {
    return {
      reason: "it is a class, and only functions can be sent: use it in a " +
        "function that defines or imports it, or in one sent by reference " +
        "with task() or importTasks()",
    };
  }
  try {
    return checkText(withPlainName(source, nameOf(fn)));
  } catch (error) {
    if (error instanceof EvalError) return { reason: NO_CODE };
    throw error;
  }
}

function checkText(text: string): Verdict {
  const form = formOf(text);
  if (form === "none") return { reason: reasonAgainst(text) };
  if (form === "expression" && usesArguments(text)) {
    return {
      reason: "it uses 'arguments' of the function around it: give it " +
        "parameters of its own (...args), or pass an array of them as 'closure'",
    };
  }
  if (form === "method" && isAccessor(text)) {
    return { reason: "it is a getter or setter: wrap it in an arrow function" };
  }
  if (form === "method" && usesSuper(text)) {
    return {
      reason: `it uses 'super', which only a method has: ${BY_REFERENCE}`,
    };
  }
  return { text };
}

/** Whether an arrow function uses what only a function around it has. */
function usesArguments(text: string): boolean {
  if (!/\barguments\b/.test(text)) return false;
  try {
    // Code there may use it only in functions that have it themselves.
    evaluate(`()=>class{static field=${asExpression(text, "expression")}}`);
    return false;
  } catch {
    return true;
  }
}

/** The text of a method up to its parameters. */
const HEAD =
  /^(async\b\s*)?(\*\s*)?(?:[\w$\\{}\u0080-\uffff]+|"[^"]*")\s*(?=\()/;

/** Whether the method could not as well be a function. */
function usesSuper(text: string): boolean {
  if (!/\bsuper\b/.test(text)) return false;
  const asFunction = text.replace(HEAD, "$1function $2");
  return asFunction !== text && !compiles(asFunction, "expression");
}

/**
 * A class, and a frozen function, has a `prototype` that is fixed. Only the name
 * of a method, which has none, could be that word.
 */
function isClass(text: string, fn: Callable): boolean {
  return /^class\b/.test(text) &&
    Object.getOwnPropertyDescriptor(fn, "prototype")?.writable === false;
}

/** The text of a method up to its computed name. */
const COMPUTED = (() => {
  const gap = String.raw`(?:\s|/\*[^]*?\*/|//.*)*`;
  return new RegExp(String.raw`^(?:async\b${gap})?(?:\*${gap})?\[`);
})();

/**
 * A method whose name is computed, with its name as a string: the expression
 * may need variables that a worker does not have.
 */
function withPlainName(text: string, name: string): string {
  const start = COMPUTED.exec(text)?.[0];
  if (start === undefined) return text;
  const kind = start.slice(0, -1);
  for (let end = text.indexOf("]"); end > 0; end = text.indexOf("]", end + 1)) {
    const renamed = `${kind}${JSON.stringify(name)}${text.slice(end + 1)}`;
    if (compiles(renamed, "method")) return renamed;
  }
  return text;
}

/** Whether the text of a method is of a getter or setter. Runs none of it. */
function isAccessor(text: string): boolean {
  const object = evaluate(asExpression(text, "method")) as object;
  return Reflect.ownKeys(object).some((key) =>
    Object.getOwnPropertyDescriptor(object, key)!.value === undefined
  );
}

/** Why text that does not compile does not. */
function reasonAgainst(text: string): string {
  const withoutMeta = text.replace(/\bimport\s*\.\s*meta\b/g, "importMeta");
  if (formOf(withoutMeta) !== "none") {
    return `it uses 'import.meta', which only a module has: ${BY_REFERENCE}`;
  }
  const withoutPrivate = text.replace(/#(?=[\p{ID_Start}$_])/gu, "_");
  if (formOf(withoutPrivate) !== "none") {
    return `it uses private names of the class around it: ${BY_REFERENCE}`;
  }
  const { message } = syntaxErrorOf(text, "expression")!;
  return `its source text does not compile by itself (${message}): ` +
    BY_REFERENCE;
}
