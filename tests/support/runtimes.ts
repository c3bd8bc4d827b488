import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A runtime that tests and examples run on. */
export interface Runtime {
  /** The name that is asked for on the command line. */
  name: string;
  /** The runtime and version that the tests must find themselves on. */
  identity: string;
  kind: "node" | "deno" | "bun";
  command: string;
  /** What it needs on its command line to run TypeScript. */
  flags: string[];
}

/** The folder of the repository. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** Finds each runtime; throws if it cannot be had. */
export const runtimes: Record<string, () => Runtime> = {
  "node": machineNode,
  "newest-node": newestNode,
  "deno": () => ({
    name: "deno",
    identity: `deno@${versionOf("deno")}`,
    kind: "deno",
    command: installed("deno"),
    flags: [],
  }),
  "bun": () => ({
    name: "bun",
    identity: `bun@${versionOf("bun")}`,
    kind: "bun",
    command: installed("bun"),
    flags: [],
  }),
};

const newestNodeFolder = join(root, "tests", "newest-node");
const suffix = process.platform === "win32" ? ".exe" : "";

/** The version of a package that npm installed here. */
function versionOf(name: string, folder = root): string {
  const file = join(folder, "node_modules", name, "package.json");
  return JSON.parse(readFileSync(file, "utf8")).version;
}

function installed(name: string, folder = root): string {
  const link = suffix ? `${name}.exe` : name;
  const candidates = [
    join(folder, "node_modules", ".bin", link),
    join(folder, "node_modules", name, "bin", link),
    join(folder, "node_modules", name, link),
  ];
  const found = candidates.find(isExecutable);
  if (!found) throw new Error(`${name} is not installed: npm install`);
  return found;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The Node of the machine. npm scripts put node_modules/.bin in front of the
 * path and Bun a link to itself, so the first `node` may be another.
 */
function machineNode(): Runtime {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(folder, `node${suffix}`);
    if (!isExecutable(file)) continue;
    const real = realpathSync(file);
    if (real.includes("node_modules") || !/node(\.exe)?$/.test(real)) continue;
    const { stdout } = spawnSync(real, ["--version"], { encoding: "utf8" });
    return {
      name: "node",
      identity: `node@${stdout.trim().slice(1)}`,
      kind: "node",
      command: real,
      // Also where it could strip types itself: one row shows that tsx works.
      flags: ["--import", "tsx"],
    };
  }
  throw new Error("no node on the path");
}

/** The Node pinned in tests/newest-node, installed when it is missing. */
function newestNode(): Runtime {
  const manifest = join(newestNodeFolder, "package.json");
  const wanted = JSON.parse(readFileSync(manifest, "utf8")).dependencies.node;
  if (installedNewestNode() !== wanted) {
    console.log(`installing Node ${wanted} in tests/newest-node`);
    const { status } = spawnSync(
      "npm",
      ["ci", "--no-audit", "--no-fund", "--loglevel=error"],
      {
        cwd: newestNodeFolder,
        stdio: ["ignore", "inherit", "inherit"],
        shell: process.platform === "win32",
      },
    );
    if (status !== 0) throw new Error(`npm ci ended with status ${status}`);
  }
  return {
    name: "newest-node",
    identity: `node@${wanted}`,
    kind: "node",
    command: installed("node", newestNodeFolder),
    flags: [],
  };
}

function installedNewestNode(): string | undefined {
  try {
    installed("node", newestNodeFolder);
    return versionOf("node", newestNodeFolder);
  } catch {
    return undefined;
  }
}
