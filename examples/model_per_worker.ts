// Shows workerInit: a model that is slow to load and cannot be sent is loaded
// once in each worker, not once per task, and kept in the worker's state.
import { sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"

/** A classifier that learns what languages look like: slow to make. */
interface Model {
  classify(text: string): string;
}

const loads = sharedArray(Int32Array, 1);

await using pool = new WorkerPool({
  nJobs: 2,
  sharedObjects: loads,
  useWorkerState: true,

  // May be async, so that it can read files or import what it needs.
  async workerInit(loads, state: { model: Model }) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    Atomics.add(loads, 0, 1);
    const marks = new Map([
      ["English", /\b(the|and|of|is|a)\b/g],
      ["Dutch", /\b(de|het|een|en|van)\b/g],
      ["German", /\b(der|die|das|und|ist)\b/g],
    ]);
    state.model = {
      classify(text) {
        const scores = [...marks].map(([language, mark]) =>
          [language, text.match(mark)?.length ?? 0] as const
        );
        return scores.sort(([, a], [, b]) => b - a)[0]![0];
      },
    };
  },
});

const texts = [
  "the beginning of wisdom is the definition of terms",
  "de appel valt niet ver van de boom",
  "der Apfel und die Birne",
];
const answers = await pool.map(
  (_loads, { model }: { model: Model }, text: string) => model.classify(text),
  Array.from({ length: 300 }, (_, i) => texts[i % 3]!),
  { chunkSize: 10 },
);

console.log(answers.slice(0, 3).join(", "));
console.log(`${answers.length} texts, loaded once a worker: ${loads[0]! <= 2}`);
