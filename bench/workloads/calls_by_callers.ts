// Single calls of several callers, as those of a server: each makes its next
// call when its last has returned.
import { incrementRows } from "../contestants/increments.ts";
import { RawWorkers } from "../contestants/raw.ts";
import {
  expectSame,
  nsPerTask,
  type Row,
  type Session,
  timed,
  type Workload,
} from "../core/workload.ts";

const CALLERS = 8;

function rows(quick: boolean): Record<string, Row> {
  const calls = quick ? 2000 : 20_000;

  async function byCallers(
    call: (x: number) => Promise<unknown>,
    close: () => unknown,
  ): Promise<Session> {
    // To start a worker is another matter.
    await call(0);
    return timed({
      async run() {
        let sum = 0;
        let x = 0;
        await Promise.all(Array.from({ length: CALLERS }, async () => {
          while (x < calls) {
            const result = await call(x++) as number;
            sum += result;
          }
        }));
        return sum;
      },
      check: (sum) => expectSame(sum, calls * (calls + 1) / 2),
      close,
      scale: nsPerTask(calls) / 1000,
    });
  }

  return {
    "raw": async () => {
      const workers = await RawWorkers.start(2);
      return await byCallers(workers.queue(), () => workers.stop());
    },
    ...incrementRows(byCallers),
  };
}

export const callsByCallers: Workload = {
  title: "20,000 calls of apply by 8 callers, each one after the other",
  unit: "µs per call",
  control: "raw",
  target: "none of its own: as one caller, <= 1.2x raw",
  rows,
};
