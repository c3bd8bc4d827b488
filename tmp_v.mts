import { WorkerPool } from "/work/main/mod.ts";
import { allocate } from "/work/main/src/shared/memory.ts";
const { buffer } = allocate(64);
const head = new Uint32Array(buffer, 0, 2);
const look = (s) => { if (head[0] === 0) console.log("ZERO", s); };
const pool = new WorkerPool({ nJobs: 2, startMethod: "spawn" });
await pool.map((x: number) => x * x, [1, 2, 3]); look("map");
await pool.map((x: number) => x * x, Array.from({ length: 100000 }, (_, i) => i)); look("map2");
for (let i = 0; i < 100; i++) {await pool.apply((x: number) => x + 1, [i]); look("apply" + i); }
await pool.apply(() => { throw new RangeError("no"); }).catch((e) => [e.name, e.message]); look("thr");
await pool.apply(() => process.exit(3)).catch((e) => [e.name, e.exitCode, e.signal]);look("exit");
await new Promise(r => setTimeout(r, 300)); look("exit later");
await pool.apply(() => { process.kill(process.pid, "SIGKILL"); return new Promise(() => {}); }).catch((e) => [e.name]); look("kill");
await new Promise(r => setTimeout(r, 300)); look("kill later");
await pool.apply(() => { while (true); }, [], { taskTimeout: 100 }).catch((e) => [e.name, e.stage]); look("to");
await new Promise(r => setTimeout(r, 300)); look("to later");
await pool.join();
