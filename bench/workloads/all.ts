import type { Workload } from "../core/workload.ts";
import { bigArgument } from "./big_argument.ts";
import { bigShared } from "./big_shared.ts";
import { callsAtOnce } from "./calls_at_once.ts";
import { callsByCallers } from "./calls_by_callers.ts";
import { callsFirst, callsInStream, callsInTurn } from "./calls_in_turn.ts";
import { convolution } from "./convolution.ts";
import { cpuEven } from "./cpu_even.ts";
import { cpuSkewed } from "./cpu_skewed.ts";
import { expensiveInit } from "./expensive_init.ts";
import { idle } from "./idle.ts";
import { lazy } from "./lazy.ts";
import { numbers } from "./numbers.ts";
import { objects } from "./objects.ts";
import { prefixes } from "./prefixes.ts";
import { startFirst } from "./start_first.ts";
import { startSecond } from "./start_second.ts";

/** All workloads, by the name that is asked for on the command line. */
export const workloads: Record<string, Workload> = {
  "numbers": numbers,
  "objects": objects,
  "calls-at-once": callsAtOnce,
  "calls-in-turn": callsInTurn,
  "calls-first": callsFirst,
  "calls-in-stream": callsInStream,
  "calls-by-callers": callsByCallers,
  "cpu-even": cpuEven,
  "cpu-skewed": cpuSkewed,
  "big-argument": bigArgument,
  "big-shared": bigShared,
  "start-first": startFirst,
  "start-second": startSecond,
  "convolution": convolution,
  "prefixes": prefixes,
  "expensive-init": expensiveInit,
  "lazy": lazy,
  "idle": idle,
};
