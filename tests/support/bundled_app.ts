// An app that bundle_test.ts bundles into one file and runs from there.
import { task, WorkerPool } from "../../mod.ts";
import { divisor } from "./bundled_divisor.ts";

const factor = 10;
const scale = task((x: number) => x * factor);
const divide = task((x: number) => x / divisor);

const pool = new WorkerPool({ nJobs: 2 });
console.log(...await pool.map((x: number) => x * x, [1, 2, 3]));
console.log(...await pool.map(async (x: number) => await x + 1, [1, 2, 3]));
console.log(...await pool.map(scale, [1, 2, 3]));
console.log(...await pool.map(divide, [2, 4, 6]));
console.log(
  ...await pool.map((x: number) => {
    const inner = (y: number) => y + 1;
    class Local {
      value = inner(x);
    }
    return new Local().value;
  }, [1, 2, 3]),
);
await pool.join();
