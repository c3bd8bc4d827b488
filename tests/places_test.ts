// Where programs may be, and programs that are nowhere: functions find what
// they import there too.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { build } from "esbuild";
import { mkdtempSync, readFileSync, realpathSync } from "node:fs";
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runCommand, runProgram, runtimeName } from "./support/program.ts";
import { testIf } from "./support/skip.ts";
import { until } from "./support/waiting.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "polypool-place-")));
after(() => rm(folder, { recursive: true, force: true }));

// In one file without types, which each worker reads at once.
const bundle = join(folder, "polypool.mjs");
const library = JSON.stringify(pathToFileURL(bundle).href);
const bundled = build({
  entryPoints: [fileURLToPath(new URL("../mod.ts", import.meta.url))],
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  outfile: bundle,
  logLevel: "silent",
});
// Each test that awaits it reports its failure.
bundled.catch(() => {});

test("WorkerPool runs tasks of a program in a folder with any name", async () => {
  await bundled;
  const place = join(folder, "sp ace ü #1%20 [x]");
  const imports = { "#half": "./half.mjs" };
  const files = {
    "package.json": JSON.stringify({ type: "module", imports }),
    "deno.json": JSON.stringify({ imports }),
    "half.mjs": "export const half = (x) => x / 2;",
    "app.mjs": `
      import { isMainThread, task, WorkerPool } from ${library};
      const factor = 10;
      const scale = task((x) => x * factor);
      const methods = ["threading", "spawn", "forkserver"];
      for (const startMethod of isMainThread ? methods : []) {
        const pool = new WorkerPool({ nJobs: 1, startMethod });
        console.log(
          startMethod,
          await pool.apply(scale, [1]),
          await pool.apply(
            async (x) => (await import("#half")).half(x),
            [2],
          ),
        );
        await pool.join();
      }`,
  };
  await mkdir(place);
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(place, name), text);
  }
  const { code, stdout, stderr } = await runProgram(join(place, "app.mjs"));
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "threading 10 1\nspawn 10 1\nforkserver 10 1\n",
    stderr: "",
  });
});

/** How each runtime runs text that is no file. */
const evaluations: Record<string, (text: string) => [string[], string?]> = {
  "as a script": (text) => [
    [runtimeName === "deno" ? "eval" : "-e", text],
  ],
  "as a module": (text) => [
    runtimeName === "deno"
      ? ["eval", "--ext=js", text]
      : runtimeName === "bun"
      ? ["-e", `export {};${text}`]
      : ["--input-type=module", "-e", text],
  ],
  "from its input": (text) => [
    runtimeName === "deno" ? ["run", "-A", "-"] : ["-"],
    text,
  ],
};

for (const [name, argsOf] of Object.entries(evaluations)) {
  test(`WorkerPool imports from the current directory in a program evaluated ${name}`, async () => {
    await bundled;
    const place = join(folder, name);
    await mkdir(place);
    await writeFile(
      join(place, "half.mjs"),
      "export const half = (x) => x / 2",
    );
    const [args, input = ""] = argsOf(`
      import(${library}).then(async ({ WorkerPool }) => {
        for (const startMethod of ["threading", "spawn"]) {
          const pool = new WorkerPool({ nJobs: 1, startMethod });
          const half = async (x) => (await import("./half.mjs")).half(x);
          console.log(await pool.apply(half, [2]));
          await pool.join();
        }
      });`);
    const { code, stdout, stderr } = await runCommand(process.execPath, args, {
      cwd: place,
      input,
    });
    assertEquals({ code, stdout, stderr }, {
      code: 0,
      stdout: "1\n1\n",
      stderr: "",
    });
  });
}

/** Writes a program that can import the library. */
async function createProgram(name: string, text: string): Promise<string> {
  await bundled;
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

testIf(runtimeName === "deno", "it needs Deno's permissions")(
  "WorkerPool says which permissions processes need when some are granted in part",
  async () => {
    const app = await createProgram(
      "permissions.mjs",
      `
      import { WorkerPool } from ${library};
      const pool = new WorkerPool({ nJobs: 1, startMethod: "spawn" });
      const { message } = await pool.apply(() => 1).catch((error) => error);
      console.log(message);`,
    );
    for (const env of ["--allow-env", "--allow-env=HOME"]) {
      const run = env === "--allow-env" ? [] : ["--allow-run"];
      const { stdout } = await runProgram(app, { permissions: [env, ...run] });
      assertEquals(
        stdout,
        "Cannot start a process as the program may not: it needs the " +
          "permissions --allow-run and --allow-env\n",
      );
    }
  },
);

testIf(runtimeName === "node", "it needs a flag of Node's")(
  "WorkerPool runs functions by reference where no code may come from strings",
  async () => {
    const app = await createProgram(
      "strict.mjs",
      `
      import { isMainThread, task, WorkerPool } from ${library};
      const increment = task((x) => x + 1);
      const failing = task(() => {
        throw new RangeError("of the task");
      });
      const methods = ["threading", "spawn", "forkserver", "serial"];
      for (const startMethod of isMainThread ? methods : []) {
        const pool = new WorkerPool({ nJobs: 1, startMethod });
        console.log(startMethod, await pool.apply(increment, [1]));
        const failed = await pool.apply(failing).catch((error) => error);
        console.log(String(failed));
        try {
          await pool.apply(() => 1);
        } catch (error) {
          console.log(String(error));
        }
        await pool.join();
      }`,
    );
    const { code, stdout, stderr } = await runProgram(app, {
      nodeArgs: ["--disallow-code-generation-from-strings"],
    });
    const expected = ["threading", "spawn", "forkserver", "serial"].map(
      (method) =>
        `${method} 2\nRangeError: of the task\nTypeError: Cannot send 'task' ` +
        "to a worker as the program may not generate code from text " +
        "(--disallow-code-generation-from-strings): mark it with task() or " +
        "import it with importTasks()\n",
    );
    assertEquals({ code, stdout, stderr }, {
      code: 0,
      stdout: expected.join(""),
      stderr: "",
    });
  },
);

testIf(runtimeName === "node", "it needs flags of Node's")(
  "WorkerPool starts processes whatever flags the program has",
  async () => {
    const app = await createProgram(
      "flags.mjs",
      `
      import { WorkerPool } from ${library};
      const pool = new WorkerPool({ nJobs: 1, startMethod: "spawn" });
      console.log(await pool.apply(() => globalThis.prepared ?? "plain"));
      await pool.join();`,
    );
    await writeFile(join(folder, "prepare.mjs"), "globalThis.prepared = 'yes'");
    await writeFile(join(folder, ".env"), "A=1");
    for (
      const [flags, result] of [
        [["--env-file", ".env"], "plain"],
        [["--inspect-port", "0", "--conditions", "a"], "plain"],
        [["--conditions=a", "--import", "./prepare.mjs"], "yes"],
      ] as const
    ) {
      const { code, stdout, stderr } = await runCommand(
        process.execPath,
        [...flags, app],
        { cwd: folder },
      );
      assertEquals(
        { code, stdout, stderr },
        { code: 0, stdout: `${result}\n`, stderr: "" },
        flags.join(" "),
      );
    }
  },
);

testIf(
  runtimeName === "node" && process.platform === "linux",
  "it needs Node on Linux",
)(
  "WorkerPool leaves no busy process behind where no package binds the system's calls",
  async () => {
    const app = await createProgram(
      "killed.mjs",
      `
      import process from "node:process";
      import { WorkerPool } from ${library};
      const pool = new WorkerPool({ nJobs: 1, startMethod: "spawn" });
      console.log(await pool.apply(() => process.pid));
      pool.apply(() => {
        const end = Date.now() + 60_000;
        while (Date.now() < end);
      }).catch(() => {});
      setTimeout(() => process.kill(process.pid, "SIGKILL"), 300);`,
    );
    const { signal, stdout } = await runCommand(process.execPath, [app], {
      cwd: folder,
    });
    assertEquals(signal, "SIGKILL");
    const hasEnded = () => {
      try {
        // Nobody may have asked for how it ended.
        const stat = readFileSync(`/proc/${stdout.trim()}/stat`, "utf8");
        return /\) [ZX] /.test(stat);
      } catch {
        return true;
      }
    };
    await until(hasEnded, "the worker to end");
  },
);

testIf(runtimeName !== "deno", "it needs flags that processes inherit")(
  "A module that each process loads first can make a pool of processes behind isMainThread",
  async () => {
    await createProgram(
      "loaded_first.mjs",
      `
      import { isMainThread, WorkerPool } from ${library};
      const depth = Number(process.env.POLYPOOL_DEPTH ?? 0);
      process.env.POLYPOOL_DEPTH = String(depth + 1);
      // Without end, should the guard not hold.
      if ((isMainThread || process.env.POLYPOOL_UNGUARDED) && depth < 3) {
        const pool = new WorkerPool({ nJobs: 1, startMethod: "spawn" });
        const double = (x) => x * 2 + Number(process.env.POLYPOOL_DEPTH);
        console.log(await pool.apply(double, [2]).catch(({ name }) => name));
        await pool.join();
      }`,
    );
    await writeFile(
      join(folder, "bunfig.toml"),
      'preload = ["./loaded_first.mjs"]',
    );
    const app = await createProgram("loads.mjs", "");
    const args = runtimeName === "bun"
      ? [app]
      : ["--import", "./loaded_first.mjs", app];
    const run = async (env: Record<string, string>) => {
      const options = { cwd: folder, env };
      return await runCommand(process.execPath, args, options);
    };
    const { code, stdout } = await run({});
    assertEquals({ code, stdout }, { code: 0, stdout: "6\n" });
    const unguarded = await run({ POLYPOOL_UNGUARDED: "1" });
    // The first line is of the process.
    assertEquals(unguarded.stdout, "Error\nWorkerDiedError\n");
    assertStringIncludes(
      unguarded.stderr,
      "Cannot run tasks as each process of a pool loads this module before " +
        "its own program: guard the pool with isMainThread",
    );
  },
);

testIf(runtimeName !== "deno", "it has no processes of that kind")(
  "WorkerPool lets tasks start threads and processes of their own",
  async () => {
    const own = await createProgram(
      "own.mjs",
      `
      import { parentPort } from "node:worker_threads";
      const say = parentPort ?? { postMessage: (x) => process.send(x) };
      say.postMessage("heard");`,
    );
    const app = await createProgram(
      "starts.mjs",
      `
      import { WorkerPool } from ${library};
      for (const startMethod of ["threading", "spawn", "forkserver"]) {
        const pool = new WorkerPool({ nJobs: 1, startMethod });
        const heard = await pool.apply(async (file) => {
          const { Worker } = await import("node:worker_threads");
          const { fork } = await import("node:child_process");
          const messageOf = (started) =>
            new Promise((resolve, reject) => {
              started.on("message", resolve);
              started.on("error", reject);
              started.on("exit", resolve);
            });
          return [
            await messageOf(new Worker(file)),
            await messageOf(fork(file)),
          ];
        }, [${JSON.stringify(own)}]);
        console.log(startMethod, ...heard);
        await pool.join();
      }`,
    );
    const { code, stdout } = await runProgram(app);
    assertEquals({ code, stdout }, {
      code: 0,
      stdout: ["threading", "spawn", "forkserver"]
        .map((method) => `${method} heard heard\n`).join(""),
    });
  },
);

test("WorkerPool runs what task() and importTasks() of another copy of the library have made", async () => {
  await bundled;
  await copyFile(bundle, join(folder, "copy.mjs"));
  await writeFile(join(folder, "half.mjs"), "export const half = (x) => x / 2");
  const app = await createProgram(
    "copies.mjs",
    `
    import { isMainThread, WorkerPool } from ${library};
    import { importTasks, task } from "./copy.mjs";
    const factor = 10;
    const scale = task((x) => x * factor);
    const tasks = importTasks(new URL("./half.mjs", import.meta.url));
    if (isMainThread) {
      const pool = new WorkerPool({ nJobs: 1 });
      console.log(await pool.apply(scale, [1]), await pool.apply(tasks.half, [1]));
      await pool.join();
    }`,
  );
  const { code, stdout, stderr } = await runProgram(app);
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "10 0.5\n",
    stderr: "",
  });
});

testIf(runtimeName === "node", "it needs tsx")(
  "WorkerPool imports TypeScript as a program does that tsx runs",
  async () => {
    await bundled;
    const place = join(folder, "typed");
    await mkdir(place);
    await writeFile(join(place, "package.json"), "{}");
    await writeFile(
      join(place, "half.ts"),
      "export const half = (x: number): number => x / 2;",
    );
    const app = join(place, "app.ts");
    await writeFile(
      app,
      `
      import(${library}).then(async ({ WorkerPool }) => {
        // Elsewhere Node itself finds flags' modules from the folder of then.
        const isOld = Number.parseInt(process.versions.node) < 22;
        if (isOld && !process.env.NODE_OPTIONS) process.chdir("/");
        for (const startMethod of ["threading", "spawn"]) {
          const pool = new WorkerPool({ nJobs: 1, startMethod });
          const half = async (x: number) => (await import("./half.ts")).half(x);
          console.log(await pool.apply(half, [2]));
          await pool.join();
        }
      });`,
    );
    const root = fileURLToPath(new URL("..", import.meta.url));
    for (
      const [flags, env] of [
        [["--import", "tsx"], {}],
        [[], { NODE_OPTIONS: "--no-warnings --import=tsx" }],
      ] as const
    ) {
      const { code, stdout, stderr } = await runCommand(
        process.execPath,
        [...flags, app],
        { cwd: root, env },
      );
      assertEquals({ code, stdout, stderr }, {
        code: 0,
        stdout: "1\n1\n",
        stderr: "",
      });
    }
  },
);

testIf(runtimeName === "node", "it needs a flag of Node's")(
  "WorkerPool finds what functions import where Error is frozen",
  async () => {
    await bundled;
    await writeFile(
      join(folder, "half.mjs"),
      "export const half = (x) => x / 2",
    );
    const app = await createProgram(
      "frozen.mjs",
      `
      import { WorkerPool } from ${library};
      process.chdir("/");
      const pool = new WorkerPool({ nJobs: 1 });
      const half = async (x) => (await import("./half.mjs")).half(x);
      console.log(await pool.apply(half, [2]));
      await pool.join();`,
    );
    const { stdout } = await runProgram(app, {
      nodeArgs: ["--frozen-intrinsics"],
    });
    assertEquals(stdout, "1\n");
  },
);

testIf(runtimeName === "deno", "it needs a deno.json")(
  "WorkerPool configures processes by deno.json in pools of tasks, too",
  async () => {
    await bundled;
    const place = join(folder, "configured");
    await mkdir(place);
    await writeFile(
      join(place, "deno.json"),
      JSON.stringify({ imports: { "half": "./half.mjs" } }),
    );
    await writeFile(
      join(place, "half.mjs"),
      "export const half = (x) => x / 2",
    );
    const app = join(place, "app.mjs");
    await writeFile(
      app,
      `
      import { WorkerPool } from ${library};
      for (const startMethod of ["threading", "spawn"]) {
        const pool = new WorkerPool({ nJobs: 1, startMethod });
        const result = await pool.apply(async () => {
          const { WorkerPool } = await import(${library});
          const inner = new WorkerPool({ nJobs: 1, startMethod: "spawn" });
          const half = async (x) => (await import("half")).half(x);
          return await inner.apply(half, [2]).finally(() => inner.join());
        });
        console.log(result);
        await pool.join();
      }`,
    );
    const { code, stdout, stderr } = await runProgram(app);
    assertEquals({ code, stdout, stderr }, {
      code: 0,
      stdout: "1\n1\n",
      stderr: "",
    });
  },
);
