// Shows single tasks: apply() to await one, applyAsync() for a handle that can
// be asked, waited for and cancelled.
import { TimeoutError, WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2 });

console.log(
  `apply: ${await pool.apply((x: number, y: number) => x ** y, [2, 10])}`,
);

async function brew(tea: string, time: number): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, time));
  return `a cup of ${tea}`;
}

// A handle can be awaited like a promise ...
const green = pool.applyAsync(brew, ["green tea", 5]);
console.log(`applyAsync: ${await green}`);
console.log(`ready: ${green.ready()}, successful: ${green.successful()}`);

// ... or for some time only. The task goes on meanwhile.
const black = pool.applyAsync(brew, ["black tea", 800]);
console.log(`after a moment: ${await black.wait({ timeout: 20 })}`);
try {
  await black.get({ timeout: 20 });
} catch (error) {
  if (!(error instanceof TimeoutError)) throw error;
  console.log(`${error.name}, stage "${error.stage}"`);
}
console.log(`in the end: ${await black.get()}`);

// A task that is not wanted any more. One that waits for a worker never runs;
// one that runs is left to end, and its result is dropped.
const mate = pool.applyAsync(brew, ["mate", 100]);
console.log(`cancel: ${mate.cancel()}`);
await mate.catch((error) => console.log(`mate: ${(error as Error).name}`));
console.log(`cancel again: ${mate.cancel()}`);

// The same by a signal, as elsewhere in JavaScript.
const controller = new AbortController();
const coffee = pool.apply(brew, ["coffee", 100], { signal: controller.signal });
controller.abort(new Error("the guests have left"));
await coffee.catch((error) => console.log(`coffee: ${error.message}`));
