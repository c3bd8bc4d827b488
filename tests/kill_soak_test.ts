import { assertEquals } from "@std/assert";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runProgram, runtimeName } from "./support/program.ts";
import { testIf } from "./support/skip.ts";

/** Ten minutes of it: `POLYPOOL_SOAK_SECONDS=600 npm test -- kill_soak`. */
const SECONDS = Number(process.env["POLYPOOL_SOAK_SECONDS"] ?? 8);

const onLinux = testIf(process.platform === "linux", "it reads /proc");

/** Whether a process is there that was started at that time. */
function isAlive([pid, start]: [pid: number, start: string]): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] !== "Z" && fields[19] === start;
  } catch {
    return false;
  }
}

function describe([pid]: [pid: number, start: string]): string {
  const read = (name: string) => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, "utf8");
    } catch {
      return "";
    }
  };
  return `${read("status")}\n${read("wchan")}\n${read("cmdline")}`;
}

onLinux(
  "WorkerPool loses no task and leaves nothing behind when its processes are killed at random",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "polypool-"));
    const { code, stdout, stderr, timedOut } = await runProgram(
      new URL("./fixtures/life/kill_soak.ts", import.meta.url),
      {
        args: [`${SECONDS}`],
        env: { TMPDIR: folder },
        timeout: (SECONDS + 150) * 1000,
        nodeArgs: ["--expose-gc"],
        permissions: ["-A", "--v8-flags=--expose-gc"],
      },
    );
    rmSync(folder, { recursive: true });
    assertEquals({ code, stderr, timedOut }, {
      code: 0,
      stderr: "",
      timedOut: false,
    });
    const { started, ...figures } = JSON.parse(stdout);
    console.log(`${runtimeName}: ${JSON.stringify(figures)}`);
    let left = started.filter(isAlive);
    // Those that were just about to start may have to look for their owner.
    for (let i = 0; left.length > 0 && i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      left = left.filter(isAlive);
    }
    assertEquals(left.map(describe), []);
  },
);
