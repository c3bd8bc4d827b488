import { spawn } from "node:child_process";
import { allocate, handleOf, openMemory } from "./src/shared/memory.ts";
import process from "node:process";
if (process.argv[2]) {
  const h = JSON.parse(process.argv[2]);
  try {
    const b = openMemory(h);
    console.log("opened", new Int32Array(b, Number(process.argv[3]), 1)[0]);
    Atomics.add(new Int32Array(b, Number(process.argv[3]), 1), 0, 1);
  } catch (e) {
    console.log("ERR", e.message, e.cause?.message);
  }
} else {
  const args = globalThis.Deno ? ["run", "-A", "tmp_u.mts"] : ["tmp_u.mts"];
  for (let i = 0; i < 8; i++) {
    const { buffer, byteOffset } = allocate(8000);
    const a = new Int32Array(buffer, byteOffset, 1);
    a[0] = i;
    const h = handleOf(buffer);
    console.log(
      i,
      byteOffset,
      JSON.stringify(h),
      new Uint32Array(buffer, 0, 10),
    );
    await new Promise((r) =>
      spawn(
        process.execPath,
        [...args, JSON.stringify(h), String(byteOffset)],
        { stdio: "inherit" },
      ).on("exit", r)
    );
    console.log("now", a[0]);
  }
}
