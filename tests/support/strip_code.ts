/** What may stand before a slash that begins a regular expression. */
const BEFORE_REGEXP =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|yield|void|delete))\s*$/;

const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`|\/|\}|\{/g;

const REGEXP = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

const TEMPLATE_PART = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y;

/**
 * Returns the code of a module with its comments and the contents of its
 * strings, templates and regular expressions removed; line breaks stay.
 */
export function stripCode(source: string): string {
  let code = "";
  let at = 0;
  // For each open brace, whether it is the `${` of a template.
  const braces: boolean[] = [];

  function skipTemplate(from: number): number {
    TEMPLATE_PART.lastIndex = from;
    const part = TEMPLATE_PART.exec(source)![0];
    code += part.replaceAll(/[^\n]/g, "");
    if (part.endsWith("{")) {
      braces.push(true);
      code += "(";
    } else {
      code += '"';
    }
    return from + part.length;
  }

  while (at < source.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (!match) return code + source.slice(at);
    const [token] = match;
    code += source.slice(at, match.index);
    at = match.index + token.length;
    if (token === "`") {
      code += '"';
      at = skipTemplate(at);
    } else if (token === "{") {
      braces.push(false);
      code += token;
    } else if (token === "}") {
      if (braces.pop()) {
        code += ")";
        at = skipTemplate(at);
      } else {
        code += token;
      }
    } else if (token === "/") {
      REGEXP.lastIndex = match.index;
      const regexp = BEFORE_REGEXP.test(code) ? REGEXP.exec(source) : null;
      code += "/";
      if (regexp) at = match.index + regexp[0].length;
    } else if (token.startsWith("/")) {
      code += token.replaceAll(/[^\n]/g, "") || " ";
    } else {
      code += '""';
    }
  }
  return code;
}
