import { message } from "./check.ts";
import { runtime } from "./runtime/detect.ts";

const ACTION = "create a WorkerPool";

/**
 * The CPUs of each of `nJobs` workers: one entry stands for all workers, else
 * there is one for each. An entry is a CPU or a list of CPUs.
 *
 * @throws {TypeError} If the value has another shape.
 * @throws {RangeError} If their number is wrong, or there is no such CPU.
 */
export function cpusOf(
  value: unknown,
  nJobs: number,
): number[][] | undefined {
  if (value === undefined) return undefined;
  const rule = "an array of CPU IDs or of arrays of CPU IDs";
  if (!Array.isArray(value)) throw invalid(TypeError, rule, value);
  if (value.length === 0) return undefined;
  const entries = value.map((entry) => {
    const cpus: unknown[] = Array.isArray(entry) ? entry : [entry];
    const wrong = cpus.findIndex((cpu) => typeof cpu !== "number");
    if (wrong >= 0) throw invalid(TypeError, rule, cpus[wrong]);
    if (cpus.length === 0) throw invalid(TypeError, rule, entry);
    return cpus as number[];
  });
  if (entries.length !== 1 && entries.length !== nJobs) {
    throw invalid(RangeError, `of length 1 or ${nJobs}, as 'nJobs'`, value);
  }
  const count = totalCpus();
  for (const cpu of entries.flat()) {
    if (Number.isInteger(cpu) && cpu >= 0 && cpu < count) continue;
    throw invalid(RangeError, `of CPU IDs from 0 to ${count - 1}`, cpu);
  }
  if (!canPin()) {
    console.warn("polypool: 'cpuIds' has no effect on this system");
    return undefined;
  }
  return entries.length === 1
    ? new Array<number[]>(nJobs).fill(entries[0]!)
    : entries;
}

function invalid(
  kind: new (text: string) => Error,
  rule: string,
  value: unknown,
): Error {
  return new kind(message(ACTION, "cpuIds", rule, value));
}

interface OperatingSystem {
  cpus(): unknown[];
  platform(): string;
}

/** All CPUs, of which the program may be allowed only some. */
function totalCpus(): number {
  try {
    const { length } = runtime.builtin<OperatingSystem>("node:os").cpus();
    return Math.max(length, runtime.cpuCount());
  } catch {
    // Not every program may ask.
    return runtime.cpuCount();
  }
}

function canPin(): boolean {
  return runtime.builtin<OperatingSystem>("node:os").platform() === "linux";
}
