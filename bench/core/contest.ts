import { fileURLToPath } from "node:url";
import type { Runtime } from "../../tests/support/runtimes.ts";
import { ContestantProcess, Disqualified } from "./contestant_process.ts";
import { median, shuffled } from "./statistics.ts";
import type { Reading, Workload } from "./workload.ts";

/** What became of one contestant. */
export interface Result {
  contestant: string;
  /** Its values, round by round. */
  values: number[];
  median?: number;
  /** Median over the rounds of its value divided by the control's. */
  ratio?: number;
  extras?: Record<string, number>;
  series?: number[];
  /** Why it does not count. */
  failure?: string;
}

/** How a contest is held. */
export interface ContestOptions {
  rounds: number;
  quick: boolean;
  /** Milliseconds that one run may take. */
  limit: number;
  /** How the names of those begin that take part; all if there are none. */
  against: string[] | undefined;
}

const program = fileURLToPath(new URL("../dist/measure.js", import.meta.url));

/**
 * Runs a workload on a runtime. All contestants stand ready in processes of
 * their own and run in turn, in another order each round, so that what else
 * the machine does hits all alike.
 */
export async function holdContest(
  runtime: Runtime,
  [name, workload]: [string, Workload],
  { rounds, quick, limit, against }: ContestOptions,
): Promise<Result[]> {
  // Only the names: nothing large is made here.
  const contestants = Object.keys(workload.rows(true)).filter((name) =>
    against === undefined || name === workload.control ||
    ["polypool", ...against].some((start) => name.startsWith(start))
  );
  const readings = new Map<string, Reading[]>(
    contestants.map((contestant) => [contestant, []]),
  );
  const failures = new Map<string, string>();
  const processes = new Map<string, ContestantProcess>();

  /** Its process, started when there is none. */
  async function processOf(contestant: string): Promise<ContestantProcess> {
    const running = processes.get(contestant);
    if (running) return running;
    const args = [program, name, contestant, ...quick ? ["--quick"] : []];
    const started = new ContestantProcess(runtime, args, limit);
    processes.set(contestant, started);
    await started.ready();
    return started;
  }

  /** Does something with each that is still in the contest. */
  async function each(act: (contestant: string) => Promise<void>) {
    for (const contestant of shuffled(contestants)) {
      if (failures.has(contestant)) continue;
      try {
        await act(contestant);
      } catch (error) {
        if (!(error instanceof Disqualified)) throw error;
        failures.set(contestant, error.message);
        await stop(contestant);
      }
    }
  }

  async function stop(contestant: string): Promise<void> {
    await processes.get(contestant)?.kill();
    processes.delete(contestant);
  }

  if (!workload.fresh) {
    await each(async (contestant) => void await processOf(contestant));
  }
  for (let round = 0; round < (workload.rounds ?? rounds); round++) {
    await each(async (contestant) => {
      const process = await processOf(contestant);
      readings.get(contestant)!.push(await process.go() as Reading);
      if (workload.fresh) await stop(contestant);
    });
  }
  for (const contestant of contestants) await stop(contestant);

  const control = readings.get(workload.control)!;
  return contestants.map((contestant) => {
    const own = readings.get(contestant)!;
    const values = own.map(({ value }) => value);
    const failure = failures.get(contestant);
    if (failure !== undefined) return { contestant, values, failure };
    const { extras, series } = own.at(-1)!;
    return {
      contestant,
      values,
      median: median(values),
      ratio: median(
        values.map((value, i) => value / (control[i]?.value ?? NaN)),
      ),
      ...extras && { extras: medians(own) },
      ...series && { series },
    };
  });
}

/** The median of each of the extra figures. */
function medians(readings: Reading[]): Record<string, number> {
  const names = Object.keys(readings[0]!.extras!);
  return Object.fromEntries(
    names.map((name) => [name, median(readings.map((r) => r.extras![name]!))]),
  );
}
