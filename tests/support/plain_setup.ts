import type { WorkerSetup } from "../../src/wire/messages.ts";

/** The setup of a worker that nothing special is asked of. */
export const plainSetup: Omit<WorkerSetup, "control"> = {
  workerId: 0,
  passWorkerId: false,
  useWorkerState: false,
  sharedObjects: undefined,
  workerInit: undefined,
  workerExit: undefined,
  cpuIds: undefined,
  preload: [],
  measures: false,
  typescriptLoader: undefined,
};
