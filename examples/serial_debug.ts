// Shows startMethod: "serial" for debugging: the same calls, but the tasks run
// one by one in this thread. Breakpoints and console.log() work as in any other
// code, and values pass by reference.
import { type StartMethod, WorkerPool } from "../mod.ts"; // for you: "polypool"

// As from a command line or an environment variable.
const methods: StartMethod[] = ["serial", "threading"];

const visited = new Set<string>();

for (const startMethod of methods) {
  await using pool = new WorkerPool({
    nJobs: 2,
    startMethod,
    sharedObjects: visited,
  });

  const lengths = await pool.map((visited, word: string) => {
    visited.add(word); // A breakpoint here stops with "serial".
    return word.length;
  }, ["one", "three", "eleven"]);

  console.log(`${startMethod}: ${lengths}`);
  // In threads each worker has a copy of the set; "serial" has this one.
  console.log(`  this thread's set has ${visited.size} words`);
  visited.clear();
}
