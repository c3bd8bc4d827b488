// Shows how a function gets to the workers, and what it can see there: its
// text is sent (1, 2, 3), or the workers import its module (4, 5).
import { importTasks, isMainThread, task, WorkerPool } from "../mod.ts"; // for you: "polypool"

const words = ["cat", "horse", "bee", "giraffe"];
const limit = 4;

// 4. With task() the workers import this very file and run this function, so
// it sees the variables and imports of the module. Everything else at the top
// level of the file runs again in each worker: guard it with isMainThread.
const isLong = task((word: string) => word.length > limit);

// 5. The functions of another module, which only the workers import.
const text = importTasks<typeof import("./tasks/text.ts")>(
  new URL("./tasks/text.ts", import.meta.url),
);

if (isMainThread) {
  await using pool = new WorkerPool({ nJobs: 2 });

  // 1. Any inline function. It sees its arguments and globals, nothing else.
  const upper = await pool.map((word: string) => word.toUpperCase(), words);
  console.log(`1. by value: ${upper}`);

  // 2. Variables around it come by the closure option.
  const inClosure = (word: string) => word.length > limit;
  const long = await pool.map(inClosure, words, { closure: { limit } });
  console.log(`2. closure: ${long}`);

  // 3. Modules come by import() inside it. Relative names are relative to
  // this file, and a worker loads a module once.
  const prints = await pool.map(async (word: string) => {
    const { fingerprint } = await import("./tasks/text.ts");
    return fingerprint(word);
  }, words);
  console.log(`3. import() inside: ${prints}`);

  console.log(`4. task(): ${await pool.map(isLong, words)}`);
  console.log(`5. importTasks(): ${await pool.map(text.countVowels, words)}`);

  // What a function cannot see is named in the error, with the ways out.
  await pool.map((word: string) => word.length > limit, words).catch((error) =>
    console.log(`${error.name}: ${error.message}`)
  );
}
