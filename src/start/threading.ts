import { runtime } from "../runtime/detect.ts";
import { cloningCodec } from "../wire/codec.ts";
import { workerSource } from "../worker/source.ts";
import type { Starter } from "./contract.ts";

/** Workers that are threads of this process. */
export const threading: Starter = {
  codec: cloningCodec,
  inThread: false,
  stopsBusyWorkers: runtime.capabilities.stopsBusyThreads,
  start: (events) => runtime.startThread(workerSource, events),
};
