// Shows workerExit and getExitResults(): each worker counts words on its own
// and hands over its count when it stops. So one small table per worker
// travels, and not one per task.
import { WorkerPool } from "../mod.ts"; // for you: "polypool"
import { readText } from "./data/datasets.ts";

type Counts = Map<string, number>;

const films: { Title: unknown }[] = JSON.parse(await readText("movies.json"));
const titles = films.map((film) => String(film.Title));

const pool = new WorkerPool({
  nJobs: 2,
  useWorkerState: true,
  workerInit(state: { counts: Counts }) {
    state.counts = new Map();
  },
  // Runs when a worker stops; what it returns is kept.
  workerExit: (state: { counts: Counts }) => state.counts,
});

await pool.map(({ counts }: { counts: Counts }, title: string) => {
  for (const word of title.toLowerCase().match(/[a-z']{4,}/g) ?? []) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
}, titles);

// The workers stop here, as they would at the end of `await using`.
await pool.join();

const counts: Counts = new Map();
for (const part of pool.getExitResults() as Counts[]) {
  for (const [word, count] of part) {
    counts.set(word, (counts.get(word) ?? 0) + count);
  }
}

console.log(
  `${titles.length} film titles, ${counts.size} words of 4 letters or more`,
);
const top = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
for (const [word, count] of top.slice(0, 8)) console.log(`${word}: ${count}`);
