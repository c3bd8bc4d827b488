import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { peerVersions } from "./system.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** Installs the peers if one is missing. */
export function installPeers(): void {
  const isMissing = (name: string) =>
    !existsSync(`${folder}/node_modules/${name}`);
  if (!Object.keys(peerVersions()).some(isMissing)) return;
  console.log("installing the peers in bench");
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm ci ended with status ${status}`);
}

/**
 * Builds polypool and the programs that measure, so that all runtimes run the
 * same JavaScript and no loader of types makes workers slow to start. Polypool
 * is a module of its own, as in a program that has installed it.
 */
export async function buildPrograms(): Promise<void> {
  await build({
    ...common,
    entryPoints: [fileURLToPath(new URL("../../mod.ts", import.meta.url))],
    outfile: `${folder}/dist/polypool.js`,
  });
  const workers = readdirSync(`${folder}/workers`)
    .map((file) => `${folder}/workers/${file}`);
  await build({
    ...common,
    entryPoints: [`${folder}/measure.ts`, ...workers],
    outdir: `${folder}/dist`,
    outbase: folder,
    packages: "external",
    plugins: [{
      name: "polypool",
      setup({ onResolve }) {
        onResolve({ filter: /\/mod\.ts$/ }, () => ({
          path: "./polypool.js",
          external: true,
        }));
      },
    }],
  });
}

const common = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "error",
} satisfies BuildOptions;
