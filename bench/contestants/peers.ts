import type { Row, Session } from "../core/workload.ts";
import { jestWorker } from "./jest_worker.ts";
import type { Adapter, Peer } from "./peer.ts";
import { piscina } from "./piscina.ts";
import { poolifier } from "./poolifier.ts";
import { threads } from "./threads.ts";
import { tinypool } from "./tinypool.ts";
import { workerpool } from "./workerpool.ts";

const adapters: Record<string, Adapter> = {
  piscina,
  tinypool,
  workerpool,
  poolifier,
  "jest-worker": jestWorker,
  threads,
};

/** A row for each peer, given how a session of it is made. */
export function peerRows(
  session: (open: (workers: number) => Peer) => Session | Promise<Session>,
): Record<string, Row> {
  return Object.fromEntries(
    Object.entries(adapters).map(([name, load]): [string, Row] => [
      name,
      async () => {
        const open = await load();
        return await session((workers) => {
          const peer = open(workers);
          return { ...peer, close: () => closed(peer) };
        });
      },
    ]),
  );
}

/** Rejects if the pool does not end within 5 s. */
async function closed(peer: Peer): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    const error = new Error("not closed within 5 s");
    timer = setTimeout(reject, 5000, error);
  });
  try {
    await Promise.race([peer.close(), late]);
  } finally {
    clearTimeout(timer);
  }
}
