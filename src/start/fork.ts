import { freezingCodec } from "../wire/codec.ts";
import type { Starter } from "./contract.ts";
import { snapshotGlobals } from "./globals.ts";
import { spawn } from "./spawn.ts";

/**
 * Workers that are processes and see what the program has put on `globalThis`,
 * as a real fork would show it. These engines do not survive one: the child
 * dies before it runs JavaScript.
 */
export const fork: Starter = {
  ...spawn,
  codec: freezingCodec,
  globals: snapshotGlobals,
};
