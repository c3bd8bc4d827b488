// Shows imap() on a stream: the input is read as far as needed and no further,
// results arrive while it is still being read, and leaving the loop stops
// everything. Memory stays bounded however long the stream is.
import { WorkerPool } from "../mod.ts"; // for you: "polypool"

let read = 0;
let closed = false;

/** Measurements without end, as from a socket or a database. */
async function* measurements(): AsyncGenerator<number> {
  try {
    while (true) {
      await Promise.resolve();
      yield read++;
    }
  } finally {
    closed = true; // Runs when the loop below is left.
  }
}

await using pool = new WorkerPool({ nJobs: 2 });

let total = 0;
const roots = pool.imap((x: number) => Math.sqrt(x), measurements(), {
  // At most so many have been read and not yet been handed to the loop.
  maxTasksActive: 50,
});
console.log(`before the loop ${read} were read`);

for await (const root of roots) {
  if (read - total > 51) console.log(`read too far ahead: ${read - total}`);
  total++;
  if (total % 2000 === 0) console.log(`root ${total}: ${root.toFixed(3)}`);
  if (total === 10_000) break;
}
console.log(`the stream was closed: ${closed}`);

// The pool is as good as new.
const next = pool.imap((text: string) => text.length, ["a", "bc", "def"]);
for await (const length of next) console.log(`length ${length}`);
