import { WorkerPool } from "/work/main/mod.ts";
const startMethod = (globalThis.process?.argv.at(-1) ?? "spawn") as "spawn";
const pool = new WorkerPool({ nJobs: 2, startMethod });
let t = performance.now();
console.log(
  await pool.map((x: number) => x * x, [1, 2, 3]),
  performance.now() - t,
);
t = performance.now();
const r = await pool.map(
  (x: number) => x * x,
  Array.from({ length: 100000 }, (_, i) => i),
);
console.log(r.length, r[99999], performance.now() - t);
t = performance.now();
for (let i = 0; i < 100; i++) await pool.apply((x: number) => x + 1, [i]);
console.log("apply us", (performance.now() - t) * 10);
console.log(
  await pool.apply(() => {
    throw new RangeError("no");
  }).catch((e) => [e.name, e.message]),
);
console.log(
  await pool.apply(() => process.exit(3)).catch((
    e,
  ) => [e.name, e.exitCode, e.signal]),
);
console.log(
  await pool.apply(() => {
    console.error("oh dear");
    process.kill(process.pid, "SIGKILL");
    return new Promise(() => {});
  }).catch((e) => [e.name, e.exitCode, e.signal, e.stderr]),
);
console.log(
  await pool.apply(
    () => {
      while (true);
    },
    [],
    { taskTimeout: 100 },
  ).catch((e) => [e.name, e.stage]),
);
console.log(
  await pool.map(
    (x: number) => {
      if (x === 5) process.exit(9);
      return x;
    },
    Array.from({ length: 10 }, (_, i) => i),
    { onError: "settle", chunkSize: 5 },
  ).then((r) => r.map((o) => o.status[0] + (o.value ?? o.reason.message))),
);
const big = new Float64Array(1e6).fill(2);
t = performance.now();
console.log(
  await pool.apply((a: Float64Array) => a.subarray(0, 3), [big]),
  performance.now() - t,
);
await pool.join();
console.log("joined");
