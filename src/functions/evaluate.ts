/**
 * Whether text is valid is for the engine's own parser to say: an arrow
 * function around the text is compiled and never called.
 *
 * @module
 */

import { BoundedMap } from "./bounded_map.ts";

/** Evaluates strict code in the global scope. */
export function evaluate(code: string): unknown {
  // Not by name, which would give the code this function's scope.
  return globalThis.eval(`"use strict";${code}`);
}

/** How a function's own text can stand in an expression. */
export type TextForm = "expression" | "method";

/**
 * The text as an expression: the function, or an object with the method as
 * its one property. Ends with a line break where the text may end with a line
 * comment.
 */
export function asExpression(text: string, form: TextForm): string {
  return form === "expression" ? `(${text}\n)` : `({${text}\n})`;
}

/** Why the text does not compile in this form, if it does not. */
export function syntaxErrorOf(
  text: string,
  form: TextForm,
): SyntaxError | undefined {
  try {
    evaluate(`()=>${asExpression(text, form)}`);
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return error;
    throw error;
  }
}

/** Whether the text compiles in this form. */
export function compiles(text: string, form: TextForm): boolean {
  return syntaxErrorOf(text, form) === undefined;
}

/** Texts whose form is remembered. */
const forms = new BoundedMap<string, TextForm | "none">(500);

/** The form in which the text compiles, or `"none"`. */
export function formOf(text: string): TextForm | "none" {
  return forms.get(text, () => {
    // A method called `function` reads as a function, and works as one.
    if (compiles(text, "expression")) return "expression";
    return compiles(text, "method") ? "method" : "none";
  });
}
