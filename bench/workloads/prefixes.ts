// MPIRE's second benchmark: each worker counts, and tells when it exits.
import { WorkerPool } from "../../mod.ts";
import { peerRows } from "../contestants/peers.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectSame,
  randomNumbers,
  type Row,
  timed,
  type Workload,
} from "../core/workload.ts";
import { countPrefixes, type PrefixCounts } from "../workers/tasks.ts";

function makeDocuments(count: number): string[] {
  const random = randomNumbers(2);
  const letter = () => "abcdefghijklmnopqrstuvwxyz"[Math.floor(random() * 26)];
  const words = Array.from(
    { length: 5000 },
    () => Array.from({ length: 20 }, letter).join(""),
  );
  return Array.from({ length: count }, (_, i) => {
    // Even and odd documents differ in length, as MPIRE's do.
    const length = i % 2 === 0 ? 2500 : 7500;
    return Array.from(
      { length },
      () => words[Math.floor(random() * words.length)],
    ).join(" ");
  });
}

function merge(all: PrefixCounts[]): PrefixCounts {
  const total: PrefixCounts = new Map();
  for (const counts of all) {
    for (const [prefix, count] of counts) {
      total.set(prefix, (total.get(prefix) ?? 0) + count);
    }
  }
  return total;
}

function rows(quick: boolean): Record<string, Row> {
  const documents = makeDocuments(quick ? 100 : 500);
  const expected = merge(documents.map(countPrefixes));

  function check(counts: PrefixCounts): void {
    expectSame(counts.size, expected.size);
    for (const [prefix, n] of expected) expectSame(counts.get(prefix), n);
  }

  return {
    // Without state and exit results each document sends its counts.
    "raw": () => {
      const run = async () => {
        const workers = await RawWorkers.start(2);
        const all = await workers.map<PrefixCounts>("countPrefixes", documents);
        await workers.stop();
        return merge(all);
      };
      return Promise.resolve(timed({ run, check }));
    },
    "polypool": () => Promise.resolve(timed({ run: countWithState, check })),
    "serial": () => {
      const run = () => merge(documents.map(countPrefixes));
      return Promise.resolve(timed({ run, check }));
    },
    ...peerRows((open) => {
      const run = async () => {
        const pool = open(2);
        const calls = documents.map((text) => pool.call("countPrefixes", text));
        const all = await Promise.all(calls) as PrefixCounts[];
        await pool.close();
        return merge(all);
      };
      return timed({ run, check });
    }),
  };

  async function countWithState(): Promise<PrefixCounts> {
    const pool = new WorkerPool({
      nJobs: 2,
      useWorkerState: true,
      workerExit: (state: { counts?: PrefixCounts }) =>
        state.counts ?? new Map(),
    });
    const task = (state: { counts?: PrefixCounts }, text: string) => {
      const counts = state.counts ??= new Map<string, number>();
      for (const word of text.split(" ")) {
        const prefix = word.slice(0, 3);
        counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
      }
    };
    await pool.mapUnordered(task, documents);
    await pool.join();
    return merge(pool.getExitResults() as PrefixCounts[]);
  }
}

export const prefixes: Workload = {
  title: "MPIRE's 2: prefixes of words, counted by each worker, pool included",
  unit: "ms",
  control: "raw",
  target: "ahead of each peer",
  rows,
};
