import type { Command } from "./child_process.ts";

interface ChildProcesses {
  spawnSync(
    path: string,
    args: string[],
    options: { stdio: "ignore" },
  ): { status: number | null };
}

/** Has the system kill what it runs when its parent ends. From util-linux. */
const PROGRAM = "setpriv";
const FLAGS = ["--pdeathsig", "KILL"];

let isThere: boolean | undefined;

/**
 * The command of a process that cannot ask the system itself to be killed when
 * its owner ends, and could not see that while it is busy: one that asks for it,
 * where the system has such a program, else the command as it is.
 */
export function killedWithOwner(
  command: Command,
  builtin: <T>(name: string) => T,
): Command {
  // Not each program of that name knows the flag.
  isThere ??= builtin<ChildProcesses>("node:child_process")
    .spawnSync(PROGRAM, [...FLAGS, "true"], { stdio: "ignore" }).status === 0;
  if (!isThere) return command;
  const args = [...FLAGS, command.path, ...command.args];
  return { ...command, path: PROGRAM, args };
}
