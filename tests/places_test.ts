// Where programs may be, and programs that are nowhere: functions find what
// they import there too.
import { assertEquals } from "@std/assert";
import { mkdtempSync, realpathSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import {
  commandOf,
  runCommand,
  runProgram,
  runtimeName,
} from "./support/program.ts";
import { testIf } from "./support/skip.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "polypool-place-")));
after(() => rm(folder, { recursive: true, force: true }));

const library = new URL("../mod.ts", import.meta.url).href;

test("WorkerPool runs tasks of a program in a folder with any name", async () => {
  const place = join(folder, "sp ace ü #1%20 [x]");
  const imports = { "#half": "./half.ts" };
  const files = {
    "package.json": JSON.stringify({ type: "module", imports }),
    "deno.json": JSON.stringify({ imports }),
    "half.ts": "export const half = (x: number) => x / 2;",
    "app.ts": `
      import { isMainThread, task, WorkerPool } from ${JSON.stringify(library)};
      const factor = 10;
      const scale = task((x: number) => x * factor);
      const methods = ["threading", "spawn", "forkserver"] as const;
      for (const startMethod of isMainThread ? methods : []) {
        const pool = new WorkerPool({ nJobs: 1, startMethod });
        console.log(
          startMethod,
          await pool.apply(scale, [1]),
          await pool.apply(
            async (x: number) => (await import("#half")).half(x),
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
  const { code, stdout, stderr } = await runProgram(join(place, "app.ts"));
  assertEquals({ code, stdout, stderr }, {
    code: 0,
    stdout: "threading 10 1\nspawn 10 1\nforkserver 10 1\n",
    stderr: "",
  });
});

/** How each runtime runs text that is no file. */
const evaluations: Record<string, (text: string) => [string[], string?]> = {
  "as a script": (text) => [
    runtimeName === "deno" ? ["eval", text] : [
      "-e",
      text,
    ],
  ],
  "as a module": (text) => [
    runtimeName === "deno"
      ? ["eval", "--ext=js", text]
      : runtimeName === "bun"
      ? ["-e", `export {};${text}`]
      : ["--input-type=module", "-e", text],
  ],
  "from its input": (text) => [
    runtimeName === "deno" ? ["run", "-A", "--no-check", "-"] : ["-"],
    text,
  ],
};

for (const [name, argsOf] of Object.entries(evaluations)) {
  test(`WorkerPool imports from the current directory in a program evaluated ${name}`, async () => {
    const place = join(folder, name);
    await mkdir(place);
    await writeFile(
      join(place, "half.mjs"),
      "export const half = (x) => x / 2",
    );
    const [args, input = ""] = argsOf(`
      import(${JSON.stringify(library)}).then(async ({ WorkerPool }) => {
        for (const startMethod of ["threading", "spawn"]) {
          const pool = new WorkerPool({ nJobs: 1, startMethod });
          const half = async (x) => (await import("./half.mjs")).half(x);
          console.log(await pool.apply(half, [2]));
          await pool.join();
        }
      });`);
    // Which loads TypeScript where Node does not.
    const [command, flags] = commandOf("x.ts");
    const { code, stdout, stderr } = await runCommand(
      command,
      runtimeName === "node" ? [...flags.slice(0, -1), ...args] : args,
      { cwd: place, input },
    );
    assertEquals({ code, stdout, stderr }, {
      code: 0,
      stdout: "1\n1\n",
      stderr: "",
    });
  });
}

testIf(runtimeName === "deno", "it needs Deno's permissions")(
  "WorkerPool says which permissions processes need when some are granted in part",
  async () => {
    const app = join(folder, "permissions.ts");
    await writeFile(
      app,
      `
      import { WorkerPool } from ${JSON.stringify(library)};
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
    const app = join(folder, "strict.ts");
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await writeFile(
      app,
      `
      import { isMainThread, task, WorkerPool } from ${JSON.stringify(library)};
      const increment = task((x: number) => x + 1);
      const failing = task(() => {
        throw new RangeError("of the task");
      });
      const methods = ["threading", "spawn", "forkserver", "serial"] as const;
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
