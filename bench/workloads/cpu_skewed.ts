// One long task, then many short ones: what waits behind the long one is lost.
import type { Workload } from "../core/workload.ts";
import { spinRows, STEPS_PER_MS } from "./cpu_even.ts";

export const cpuSkewed: Workload = {
  title: "One task of about 1 s, then 400 of about 5 ms",
  unit: "ms",
  control: "ideal (serial / 2)",
  target: "<= 1.05x ideal",
  rows(quick) {
    const unit = quick ? STEPS_PER_MS / 5 : STEPS_PER_MS;
    const steps = [1000 * unit, ...new Array<number>(400).fill(5 * unit)];
    return spinRows(steps, {
      serialName: "ideal (serial / 2)",
      serialScale: 1 / 2,
    });
  },
};
