interface ChildProcess {
  spawnSync(
    command: string,
    args: string[],
    options: { encoding: "utf8" },
  ): { status: number | null; stderr: string; error?: Error };
}

interface FileSystem {
  readlinkSync(path: string): string;
}

/**
 * Pins the calling thread to CPUs, by the `taskset` of util-linux: Linux only.
 *
 * @throws {Error} If that is not possible; the message says why.
 */
export function pinThread(
  cpuIds: readonly number[],
  builtin: <T>(name: string) => T,
): void {
  try {
    const link = builtin<FileSystem>("node:fs").readlinkSync(
      "/proc/thread-self",
    );
    const threadId = link.slice(link.lastIndexOf("/") + 1);
    const { spawnSync } = builtin<ChildProcess>("node:child_process");
    const args = ["-p", "-c", cpuIds.join(","), threadId];
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
