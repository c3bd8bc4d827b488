// Shows what an error from a worker looks like: as if it had been thrown here,
// with class, cause and own properties, and a stack that tells of both sides.
import { WorkerDiedError, WorkerPool } from "../mod.ts"; // for you: "polypool"

await using pool = new WorkerPool({ nJobs: 1 });

async function parsePort(text: string): Promise<number> {
  const port = Number(text);
  if (port >= 0 && port < 65536) return port;
  const { default: process } = await import("node:process");
  if (text === "exit") process.exit(3);
  const cause = new Error(`Cannot read ${JSON.stringify(text)}`);
  const error = new RangeError("There is no such port", { cause });
  throw Object.assign(error, { code: "E_PORT" });
}

try {
  await pool.map(parsePort, ["80", "443", "70000"]);
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.log(`${error.name}: ${error.message}`);
  console.log(`code: ${(error as RangeError & { code: string }).code}`);
  console.log(`cause: ${(error.cause as Error).message}`);
  // The stack has the worker's frames, then who ran it with which arguments,
  // then the frames of the call here.
  console.log(error.stack!.match(/at (worker .*)/)![1]);
  console.log(
    `the stack names this file: ${error.stack!.includes("errors.ts")}`,
  );
}

// A worker that ends costs the call it was working for. It is replaced, and
// other calls on the pool do not notice.
try {
  await pool.apply(parsePort, ["exit"]);
} catch (error) {
  if (!(error instanceof WorkerDiedError)) throw error;
  console.log(`${error.name}, exit code ${error.exitCode}`);
}
console.log(`still at work: ${await pool.apply(parsePort, ["8080"])}`);

// What cannot be sent is an error too, and says where the culprit stands.
try {
  await pool.apply((x: unknown) => x, [{ user: { greet: () => "hello" } }]);
} catch (error) {
  console.log(`${(error as Error).name}: ${(error as Error).message}`);
}
