/**
 * Function text that is evaluated in a worker has no module: `import()` calls
 * inside it would resolve against the worker's own script. They are replaced
 * by calls of a variable that the worker provides.
 *
 * @module
 */

import { BoundedMap } from "./bounded_map.ts";
import { compiles, formOf } from "./evaluate.ts";

/** Imports a module as the module that called the pool would. */
export type ImportFrom = (
  specifier: string,
  options?: ImportCallOptions,
) => Promise<unknown>;

/** The variable that stands for `import` in rewritten text. */
const IMPORT = "__polypoolImport";

/** What vitest writes instead of `import`. */
const VITE_IMPORT = "__vite_ssr_dynamic_import__";

/** The word and what makes it a call: white space, comments, parenthesis. */
const CALL = /\bimport\b(?=(?:\s|\/\*[^]*?\*\/|\/\/.*)*\()/g;

/** Texts whose rewritten form is remembered. */
const rewritten = new BoundedMap<string, string>(500);

/** The function text with its `import()` calls replaced. */
export function rewriteImports(text: string): string {
  return text.includes("import")
    ? rewritten.get(text, () => replaceCalls(text))
    : text;
}

/** Whether text that has been rewritten imports modules. */
export function usesImports(text: string): boolean {
  return text.includes(IMPORT) || text.includes(VITE_IMPORT) ||
    usesRequire(text);
}

/** Whether text calls what TypeScript, swc and Babel may make of `import()`. */
export function usesRequire(text: string): boolean {
  return text.includes("require(");
}

function replaceCalls(text: string): string {
  const form = formOf(text);
  if (form === "none") return text;
  return text.replace(CALL, (word, index: number) => {
    const before = text.slice(0, index);
    const after = text.slice(index + word.length);
    // In a string, a comment or a regular expression any character may stand,
    // but nowhere in code a number sign before a parenthesis.
    const isCode = !compiles(`${before}#${after}`, form);
    // Nor can an operator and a number be a property, the name of a method or
    // the end of a longer name.
    return isCode && compiles(`${before} typeof 0${after}`, form)
      ? IMPORT
      : word;
  });
}

/** The variables through which rewritten text imports modules. */
export function importVariables(
  text: string,
  importFrom: ImportFrom,
  base: string | undefined,
): Record<string, unknown> {
  const variables: Record<string, unknown> = {};
  if (text.includes(IMPORT)) {
    // As of the operator, errors of all kinds are rejections.
    variables[IMPORT] = async (
      specifier: unknown,
      options?: ImportCallOptions,
    ) => await importFrom(`${specifier}`, options);
  }
  if (text.includes(VITE_IMPORT)) {
    variables[VITE_IMPORT] = async (specifier: unknown) =>
      await importForVite(`${specifier}`, importFrom, base);
  }
  return variables;
}

/**
 * Vite writes paths from the root of its project, which only it knows: a
 * folder above the module.
 */
async function importForVite(
  specifier: string,
  importFrom: ImportFrom,
  base: string | undefined,
): Promise<unknown> {
  if (specifier.startsWith("/@fs/")) {
    return await importFrom(new URL(specifier.slice(4), "file://").href);
  }
  if (!specifier.startsWith("/") || base === undefined) {
    return await importFrom(specifier);
  }
  let error: unknown;
  let folder = new URL(".", base);
  while (true) {
    const { href } = new URL(`.${specifier}`, folder);
    try {
      return await importFrom(href);
    } catch (reason) {
      // Another module that is missing, or an error in this one, is no reason
      // to look elsewhere.
      const { code, url } = Object(reason) as { code?: string; url?: string };
      if (code !== "ERR_MODULE_NOT_FOUND" || url !== href) throw reason;
      error ??= reason;
    }
    const parent = new URL("..", folder);
    if (parent.href === folder.href) throw error;
    folder = parent;
  }
}
