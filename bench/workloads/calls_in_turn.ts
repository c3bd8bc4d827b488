// Single calls, each made when the one before has returned: latency.
import { Doorbell } from "../contestants/doorbell.ts";
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
import { median } from "../core/statistics.ts";

/** Calls that are timed together. */
const BATCH = 1000;

/** Rows that call so many times. */
function turnRows(calls: number): Record<string, Row> {
  async function inTurn(
    call: (x: number) => Promise<unknown>,
    close: () => unknown,
  ): Promise<Session> {
    // To start a worker is another matter.
    await call(0);
    const batches: number[] = [];
    const session = timed({
      async run() {
        let sum = 0;
        let start = performance.now();
        batches.length = 0;
        for (let x = 0; x < calls;) {
          for (const end = x + BATCH; x < end; x++) {
            sum += await call(x) as number;
          }
          const now = performance.now();
          batches.push((now - start) * 1000 / BATCH);
          start = now;
        }
        return sum;
      },
      check: (sum) => expectSame(sum, calls * (calls + 1) / 2),
      close,
      scale: nsPerTask(calls) / 1000,
    });
    if (calls === BATCH) return session;
    // Where a core is lent or both sides share one for a while, the mean of all
    // calls says little of the others.
    return {
      ...session,
      async sample() {
        const reading = await session.sample();
        const middle = median(batches);
        return { ...reading, extras: { "µs in the median batch": middle } };
      },
    };
  }

  return {
    "raw": async () => {
      const workers = await RawWorkers.start(2);
      return await inTurn((x) => workers.roundTrip(x), () => workers.stop());
    },
    "raw, by shared memory": async () => {
      const doorbell = await Doorbell.start(false);
      return await inTurn((x) => doorbell.call(x), () => doorbell.stop());
    },
    "raw, by shared memory, both spin": async () => {
      const doorbell = await Doorbell.start(true);
      return await inTurn((x) => doorbell.call(x), () => doorbell.stop());
    },
    ...incrementRows(inTurn),
  };
}

export const callsInTurn: Workload = {
  title: "1,000 calls of apply, one after the other",
  unit: "µs per call",
  control: "raw",
  target: "<= 1.2x raw",
  rows: () => turnRows(1000),
};

/** Before any code has been compiled: what a short program gets. */
export const callsFirst: Workload = {
  title: "The first 1,000 calls of apply of a program, one after the other",
  unit: "µs per call",
  control: "raw",
  target: "none: it shows what has to be compiled",
  fresh: true,
  rows: () => turnRows(1000),
};

/** Long enough for the system to give each side a core of its own. */
export const callsInStream: Workload = {
  title: "50,000 calls of apply, one after the other",
  unit: "µs per call",
  control: "raw, by shared memory, both spin",
  target: "<= 2.5 µs on Node, 3 on Deno, 1.6 on Bun where cores are free",
  rows: (quick) => turnRows(quick ? 5000 : 50_000),
};
