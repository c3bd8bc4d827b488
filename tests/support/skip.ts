import { test } from "node:test";

type Test = (
  name: string,
  body: () => void | Promise<void>,
) => void;

/**
 * Returns `test` where the condition holds, and a function that skips the test
 * for the reason elsewhere. The reason becomes part of the name, as it is lost
 * by the reports of Deno and Bun otherwise.
 */
export function testIf(condition: boolean, reason: string): Test {
  return (name, body) => {
    if (condition) {
      test(name, body);
    } else {
      test.skip(`${name} [skipped: ${reason}]`, body);
    }
  };
}
