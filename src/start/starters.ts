import type { StartMethod } from "../types.ts";
import type { Starter } from "./contract.ts";
import { fork } from "./fork.ts";
import { forkserver } from "./forkserver.ts";
import { serial } from "./serial.ts";
import { spawn } from "./spawn.ts";
import { threading } from "./threading.ts";

const starters: Record<StartMethod, Starter> = {
  threading,
  fork,
  spawn,
  forkserver,
  serial,
};

/** How the workers of the start method are started. */
export function starterOf(method: StartMethod): Starter {
  return starters[method];
}

/** The number of workers that make sense: serial has one. */
export function workerCount(method: StartMethod, nJobs: number): number {
  return starters[method].inThread ? 1 : nJobs;
}
