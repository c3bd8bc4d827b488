import { readFileSync } from "node:fs";
import os from "node:os";

/** What a reader must know of the machine to judge the figures. */
export function describeSystem(): Record<string, unknown> {
  return {
    processor: os.cpus()[0]?.model.trim(),
    cores: os.availableParallelism(),
    memoryGB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.arch()}`,
    loadBefore: os.loadavg()[0],
  };
}

/** The versions of the peers. */
export function peerVersions(): Record<string, string> {
  const manifest = new URL("../package.json", import.meta.url);
  return JSON.parse(readFileSync(manifest, "utf8")).dependencies;
}
