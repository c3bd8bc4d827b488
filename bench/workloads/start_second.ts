// From making a pool to its first result, after others came and went.
import type { Workload } from "../core/workload.ts";
import { startRows } from "./start_first.ts";

export const startSecond: Workload = {
  title: "From a further pool of two to its first result",
  unit: "ms",
  control: "raw",
  target: "no slower than the first",
  rows: () => startRows(false),
};
