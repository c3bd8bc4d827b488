/**
 * Where it is to keep names, esbuild has each function passed to a helper,
 * which has some short name in a minified bundle: the text of a user's function
 * does not say what that is. A function of this library that is in the same
 * bundle does.
 *
 * @module
 */

const probe = () => {
  const keptName = () => 0;
  return keptName;
};

const HELPER = /([\w$]+)\(\s*\(\)\s*=>\s*0,\s*["'`]keptName["'`]\s*\)/;

/** What the helper does. */
const SET_NAME = '(value,name)=>Object.defineProperty(value,"name",' +
  "{value:name,configurable:true})";

const helper = HELPER.exec(Function.prototype.toString.call(probe))?.[1];

/** The helper's text by its name, if one of the texts refers to it. */
export function keptNames(texts: string[]): Record<string, string> {
  // Workers know its usual name.
  if (helper === undefined || helper === "__name") return {};
  return texts.some((text) => text.includes(`${helper}(`))
    ? { [helper]: SET_NAME }
    : {};
}
