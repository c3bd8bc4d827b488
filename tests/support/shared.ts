import { sharedMemory } from "../../mod.ts";
import { inThreads } from "./pool.ts";
import { testIf } from "./skip.ts";

/** `test` for what workers share with the program, where they can. */
export const testShared: ReturnType<typeof testIf> = testIf(
  inThreads || sharedMemory.available,
  "no memory to be shared with processes",
);
