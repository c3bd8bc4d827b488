import type { Reading } from "./workload.ts";

/** What lines begin with that are meant for run.ts; peers may print others. */
export const MARK = "@@";

/** What a measuring process says. */
export type Answer = { ready: true } | { error: string } | Reading;
