import type { WorkerRuntime } from "../runtime/contract.ts";

interface ChildProcess {
  spawnSync(
    command: string,
    args: string[],
    options: { encoding: "utf8" },
  ): { status: number | null; stderr: string; error?: Error };
}

interface Process {
  pid: number;
}

interface FileSystem {
  readlinkSync(path: string): string;
}

/**
 * Pins the calling thread, or all of the process, to CPUs, by the `taskset` of util-linux: Linux only.
 *
 * @throws {Error} If that is not possible; the message says why.
 */
export function pinWorker(
  cpuIds: readonly number[],
  { isProcess, builtin }: WorkerRuntime,
): void {
  try {
    const { spawnSync } = builtin<ChildProcess>("node:child_process");
    const list = cpuIds.join(",");
    const args = isProcess
      ? ["-a", "-p", "-c", list, String(builtin<Process>("node:process").pid)]
      : ["-p", "-c", list, threadId(builtin<FileSystem>("node:fs"))];
    const { status, stderr, error } = spawnSync("taskset", args, {
      encoding: "utf8",
    });
    if (error) throw error;
    if (status !== 0) throw new Error(stderr.trim());
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(
      `Cannot pin a worker to CPU ${cpuIds.join(", ")}: ${message}`,
      { cause },
    );
  }
}

function threadId({ readlinkSync }: FileSystem): string {
  const link = readlinkSync("/proc/thread-self");
  return link.slice(link.lastIndexOf("/") + 1);
}
