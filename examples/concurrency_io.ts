// Shows the option concurrency, for tasks that wait for I/O: each worker runs
// several asynchronous tasks at the same time. Here they ask a slow server.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WorkerPool } from "../mod.ts"; // for you: "polypool"

let open = 0;
let most = 0;
const server = createServer((request, response) => {
  open++;
  most = Math.max(most, open);
  setTimeout(() => {
    open--;
    response.end(`page ${request.url}`);
  }, 50);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;

const urls = Array.from(
  { length: 40 },
  (_, i) => `http://127.0.0.1:${port}/${i}`,
);

async function fetchLength(url: string): Promise<number> {
  const response = await fetch(url);
  return (await response.text()).length;
}

{
  await using pool = new WorkerPool({ nJobs: 2 });
  for (const concurrency of [1, 10]) {
    most = 0;
    const start = performance.now();
    const lengths = await pool.map(fetchLength, urls, { concurrency });
    const time = performance.now() - start;
    const total = lengths.reduce((sum, length) => sum + length, 0);
    console.log(`concurrency ${concurrency}: ${total} characters`);
    console.log(
      `  at most ${2 * concurrency} at a time: ${most <= 2 * concurrency}`,
    );
    console.log(`  ${time.toFixed()} ms`);
  }
}
server.closeAllConnections();
server.close();
