// Shows the order of results: map() and imap() keep that of the input,
// mapUnordered() and imapUnordered() give what is ready first. One slow task
// then holds up nothing.
import { WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 2 });
await pool.start(); // Not needed; here it keeps start-up out of the picture.

/** Takes its time. */
async function page(name: string, time: number): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, time));
  return name;
}

const pages: [string, number][] = [
  ["slow", 1200],
  ["quick", 10],
  ["short", 10],
  ["small", 10],
];

const where = (names: string[]) => names.indexOf("slow") + 1;
console.log(`map: slow is number ${where(await pool.map(page, pages))}`);

const unordered = await pool.mapUnordered(page, pages);
console.log(`mapUnordered: slow is number ${where(unordered)}`);

const arrived: string[] = [];
for await (const name of pool.imapUnordered(page, pages)) {
  if (name === "slow") console.log(`before it: ${arrived.sort()}`);
  arrived.push(name);
}
