import type { Starter } from "./contract.ts";
import { spawn } from "./spawn.ts";

/** Workers that are processes from a server that keeps some ready. */
export const forkserver: Starter = {
  ...spawn,
};
