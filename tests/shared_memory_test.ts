import {
  assert,
  assertEquals,
  assertLess,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { build } from "esbuild";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Shared, sharedArray, sharedMemory, WorkerPool } from "../mod.ts";
import { loadNative, type Native } from "../src/runtime/native.ts";
import { freeze, thaw } from "../src/shared/frozen.ts";
import {
  allocate,
  handleOf,
  openMemory,
  whyNotShared,
} from "../src/shared/memory.ts";
import type { Place } from "./fixtures/shared_memory/peer.ts";
import {
  commandOf,
  type ProgramOptions,
  runProgram,
  runtimeName,
} from "./support/program.ts";
import { testIf } from "./support/skip.ts";
import { soon, until } from "./support/waiting.ts";

const isLinux = process.platform === "linux";
const onLinux = testIf(isLinux, "processes share memory on Linux only");

const peerFile = new URL("fixtures/shared_memory/peer.ts", import.meta.url);

/** Runs a process that does something with this one's memory. */
async function runPeer(action: string, given: unknown) {
  const { code, stdout, stderr } = await runProgram(peerFile, {
    args: [action, JSON.stringify(given)],
  });
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

/** Starts a process; returns the first that it prints, and a way to kill it. */
async function startPeer(
  action: string,
): Promise<[printed: unknown, kill: () => Promise<void>]> {
  const [command, args] = commandOf(peerFile, { args: [action, "null"] });
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) =>
    child.on("exit", () => resolve())
  );
  const line = new Promise<string>((resolve) =>
    child.stdout.setEncoding("utf8").once("data", resolve)
  );
  const printed = JSON.parse(await soon(line, "the first line"));
  return [printed, () => {
    child.kill("SIGKILL");
    return ended;
  }];
}

/** Starts a process that owns an array. */
async function startOwner(): Promise<[Place, kill: () => Promise<void>]> {
  const [place, kill] = await startPeer("own");
  return [place as Place, kill];
}

function placeOf(array: Shared<Int32Array>): Place {
  const { buffer, byteOffset, length } = array;
  return { handle: handleOf(buffer)!, byteOffset, length };
}

function viewOf({ handle, byteOffset, length }: Place): Int32Array {
  return new Int32Array(openMemory(handle), byteOffset, length);
}

/** Whether the system still has the segment. */
function exists({ handle }: Place): boolean {
  return readFileSync("/proc/sysvipc/shm", "utf8").split("\n")
    .some((line) => line.trim().split(/\s+/)[1] === String(handle.segment));
}

onLinux("sharedMemory is available, and says no reason then", () => {
  assertEquals(sharedMemory.reason, undefined);
  assertEquals(sharedMemory.available, true);
});

test("allocate() gives zeros at multiples of 64 that do not overlap", () => {
  const sizes = [0, 1, 8, 100, 1 << 20, 300_000, 7, 3_000_000, 64, 65];
  const arrays = sizes.map((size) => {
    const { buffer, byteOffset } = allocate(size);
    assertEquals(byteOffset % 64, 0);
    return new Uint8Array(buffer, byteOffset, size);
  });
  for (const [index, array] of arrays.entries()) {
    assert(array.every((value) => value === 0), `size ${sizes[index]}`);
    array.fill(index + 1);
  }
  for (const [index, array] of arrays.entries()) {
    assert(array.every((value) => value === index + 1));
  }
});

test("allocate() fills block after block", () => {
  const arrays = Array.from({ length: 100 }, (_, index) => {
    const { buffer, byteOffset } = allocate(200_000);
    return new Uint8Array(buffer, byteOffset, 200_000).fill(index);
  });
  for (const [index, array] of arrays.entries()) {
    assert(array.every((value) => value === index));
  }
});

test("sharedArray() refuses what no memory can hold", () => {
  assertThrows(() => sharedArray(Float64Array, 2 ** 52), RangeError);
});

test("handleOf() knows no handle of memory that was not allocated here", () => {
  assertEquals(handleOf(new SharedArrayBuffer(0)), undefined);
  assertEquals(handleOf(new SharedArrayBuffer(100)), undefined);
  assertEquals(handleOf(new SharedArrayBuffer(65536)), undefined);
});

const onV8 = testIf(runtimeName !== "bun", "Bun has no memory so large");

onV8(
  "whyNotShared() knows what was allocated and is too large to share",
  () => {
    const says = (reason: string) =>
      sharedMemory.available ? reason : "cannot share memory with processes as";
    const { buffer } = allocate(5 * 2 ** 30);
    assertStringIncludes(
      whyNotShared(buffer),
      says("the system had no segment"),
    );
    const other = new SharedArrayBuffer(8);
    assertStringIncludes(whyNotShared(other), says("make it by sharedArray()"));
  },
);

onLinux("handleOf() is not misled by a copy of a buffer", () => {
  const { buffer } = allocate(8);
  const copy = new SharedArrayBuffer(buffer.byteLength);
  const bytes = Uint8Array.from(new Uint8Array(buffer));
  new Uint8Array(copy).set(bytes);
  assertEquals(handleOf(copy), undefined);
  assertEquals(Uint8Array.from(new Uint8Array(copy)), bytes);
});

onLinux("openMemory() gives the buffer that this thread has already", () => {
  const { buffer } = allocate(8);
  assertStrictEquals(openMemory(handleOf(buffer)!), buffer);
});

onLinux(
  "Main thread, worker threads and a process share one memory",
  async () => {
    const array = sharedArray(Int32Array, 1);
    await using pool = new WorkerPool({ nJobs: 2, sharedObjects: array });
    const threads = pool.map((array, times: number) => {
      for (let i = 0; i < times; i++) Atomics.add(array, 0, 1);
    }, [100_000, 100_000]);
    const processes = runPeer("add", { place: placeOf(array), times: 100_000 });
    for (let i = 0; i < 100_000; i++) Atomics.add(array, 0, 1);
    await Promise.all([threads, processes]);
    assertEquals(array[0], 400_000);
  },
);

for (const length of [3, 300_000]) {
  onLinux(
    `Memory of ${length} elements that a thread allocated reaches a process`,
    async () => {
      await using pool = new WorkerPool({ nJobs: 1 });
      const array = await pool.apply(async (length: number) => {
        const { sharedArray } = await import("../mod.ts");
        return sharedArray(Int32Array, length).fill(7);
      }, [length]) as Shared<Int32Array>;
      // The thread's end must take nothing away.
      await pool.terminate();
      assertEquals(
        await runPeer("add", { place: placeOf(array), times: 3 }),
        10,
      );
      assertEquals(array[0], 10);
    },
  );
}

onLinux(
  "A handle that is handed on outlives the process that owned the memory",
  async () => {
    const [place, kill] = await startOwner();
    const array = viewOf(place);
    assertEquals([...array.subarray(1)], [41, 42]);
    await kill();
    array[0] = 1;
    const here = { ...place, handle: handleOf(openMemory(place.handle))! };
    assertEquals(await runPeer("add", { place: here, times: 5 }), 6);
    assertEquals(array[0], 6);
    assert(exists(place));
  },
);

onLinux("Killed processes leave nothing behind", async () => {
  const files = () =>
    readdirSync("/dev/shm").filter((name) => /polypool/.test(name));
  const before = files();
  const [place, kill] = await startOwner();
  assert(exists(place));
  await kill();
  await until(() => !exists(place), "the segment to go");
  assertEquals(files(), before);
});

onLinux("openMemory() says that nobody has the memory any more", async () => {
  const [place, kill] = await startOwner();
  await kill();
  await until(() => !exists(place), "the segment to go");
  assertThrows(
    () => openMemory(place.handle),
    Error,
    "Cannot open shared memory as no process has it any more",
  );
});

onLinux(
  "openMemory() refuses a segment that is another's or of another size",
  () => {
    const handle = handleOf(allocate(8).buffer)!;
    const message = "Cannot open shared memory as no process has it any more";
    const id = "0".repeat(32);
    assertThrows(() => openMemory({ ...handle, id }), Error, message);
    const byteLength = 0x10000;
    assertThrows(
      () => openMemory({ ...handle, id, byteLength }),
      Error,
      message,
    );
  },
);

onLinux("Shared arrays that nothing refers to are unmapped", async () => {
  const { code, stdout, stderr } = await runProgram(
    new URL("fixtures/shared_memory/collect.ts", import.meta.url),
    {
      nodeArgs: ["--expose-gc"],
      permissions: ["-A", "--v8-flags=--expose-gc"],
    },
  );
  assertEquals([code, stderr], [0, ""]);
  const { before, most, after, values, isHandled, hasHeader } = JSON.parse(
    stdout,
  );
  assertLess(after.segments, before.segments + 20, stdout);
  assertLess(most, 400, stdout);
  assertLess(after.files, before.files + 5, stdout);
  assertEquals(values, [5, 9]);
  assertEquals([isHandled, hasHeader], [true, true]);
});

onLinux("futexWait() and futexWake() reach other processes", async () => {
  const native = loadNative() as Native;
  const array = sharedArray(Int32Array, 3);
  const peer = runPeer("futex", placeOf(array));
  await until(() => Atomics.load(array, 2) === 1, "the process to wait");
  await until(() => {
    // Woken by a wake-up only: a store alone wakes nobody.
    if (native.futexWake(array, 0, 1) === 0) return false;
    Atomics.store(array, 0, 1);
    native.futexWake(array, 0, 1);
    return true;
  }, "a wait to be woken");
  while (Atomics.load(array, 1) === 0) native.futexWait(array, 1, 0, 10_000);
  const outcomes: string[] = await peer;
  assertEquals(outcomes.includes("timedOut"), false, outcomes.join());
});

onLinux("futexWait() tells of changed values and of time", async () => {
  const native = loadNative() as Native;
  const array = sharedArray(Int32Array, [-5]);
  assertEquals(native.futexWait(array, 0, 1, 10_000), "changed");
  const start = performance.now();
  assertEquals(native.futexWait(array, 0, -5, 50), "timedOut");
  assert(performance.now() - start >= 49);
  assertEquals(native.futexWait(array, 0, 1, Infinity), "changed");
  if (!native.futexWaitAsync) return;
  assertEquals(await native.futexWaitAsync(array, 0, 1, 10_000), "changed");
  assertEquals(await native.futexWaitAsync(array, 0, -5, 20), "timedOut");
  const woken = native.futexWaitAsync(array, 0, -5, 10_000);
  await until(() => native.futexWake(array, 0, 1) === 1, "the wait to begin");
  assertEquals(await woken, "woken");
});

onLinux(
  "dieWithParent() ends a busy process when its parent is killed",
  async () => {
    const [pid, kill] = await startPeer("parent");
    // Dead, and maybe not yet fetched by whoever inherited it.
    const isGone = () => {
      try {
        return / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
      } catch {
        return true;
      }
    };
    assert(!isGone());
    await kill();
    await until(isGone, "the process to end");
  },
);

onLinux(
  "freeze() gives processes copies that are made as they are written",
  async () => {
    const megabytes = 16;
    const large = new Uint8Array(megabytes << 20).fill(1);
    const small = new Uint8Array([1, 2, 3]);
    const frozen = freeze([small.buffer, large.buffer])!;
    large.fill(2);
    small[0] = 9;
    const kilobytes = megabytes << 10;
    for (let i = 0; i < 2; i++) {
      const thawed = await runPeer("thaw", frozen.handle);
      assertEquals(thawed.small, [1, 2, 3]);
      assertEquals(thawed.sum, large.length / 4096);
      assert(thawed.read.resident >= kilobytes, JSON.stringify(thawed));
      assertLess(thawed.read.copied, 100);
      const copied = thawed.written.copied;
      assert(copied >= kilobytes / 8 && copied < kilobytes / 7, `${copied}`);
    }
    assert(large.every((value) => value === 2));
    frozen.release();
    frozen.release();
  },
);

onLinux("freeze() takes empty and shared buffers", () => {
  const { buffer } = sharedArray(Uint8Array, 100_000);
  const frozen = freeze([new ArrayBuffer(0), buffer])!;
  const [empty, copy] = thaw(frozen.handle);
  frozen.release();
  assertEquals(empty!.byteLength, 0);
  assertEquals<Uint8Array>(new Uint8Array(copy!), new Uint8Array(buffer));
});

onLinux("thaw() says that what was frozen is gone", () => {
  const first = freeze([new Uint8Array(10).buffer])!;
  const message =
    "Cannot map frozen memory as it has been released or its owner";
  first.release();
  assertThrows(() => thaw(first.handle), Error, message);
  // Its descriptor is another's now.
  const second = freeze([new Uint8Array(10).buffer])!;
  assertThrows(() => thaw(first.handle), Error, message);
  second.release();
});

const availability = fileURLToPath(
  new URL("fixtures/shared_memory/availability.ts", import.meta.url),
);

async function runAvailability(file: string, options: ProgramOptions = {}) {
  const { code, stdout, stderr } = await runProgram(file, options);
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

onLinux(
  "Nothing is loaded before the first shared array, and nothing printed",
  async () => {
    assertEquals(await runAvailability(availability), {
      wasLoaded: false,
      sum: 6,
      isExact: false,
      available: true,
    });
  },
);

/** A program that finds no packages, for Node. */
async function inEmptyFolder(
  body: (file: string) => Promise<void>,
): Promise<void> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "polypool-")));
  try {
    const outfile = join(folder, "program.mjs");
    await build({
      entryPoints: [availability],
      bundle: true,
      format: "esm",
      platform: "node",
      outfile,
      logLevel: "silent",
    });
    await body(outfile);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

onLinux(
  "sharedMemory says what is missing, and threads share all the same",
  async () => {
    await inEmptyFolder(async (file) => {
      const hasFfi = Number.parseInt(process.versions.node) >= 26;
      const result = await runAvailability(file, {
        cwd: dirname(file),
        nodeArgs: hasFfi ? ["--no-experimental-ffi"] : [],
        permissions: ["--allow-read"],
        env: { BUN_JSC_useJIT: "0" },
      });
      const { reason, ...rest } = result;
      assertEquals(rest, {
        wasLoaded: false,
        sum: 6,
        isExact: true,
        available: false,
      });
      assertStringIncludes(reason, "Cannot share memory with processes as ");
      const missing = {
        node: "npm install koffi",
        deno: "--allow-ffi",
        bun: "JIT",
      };
      assertStringIncludes(reason, missing[runtimeName]);
    });
  },
);

onLinux(
  "useNativeModule() tells a program that finds no packages of koffi",
  async () => {
    const path = createRequire(import.meta.url).resolve("koffi");
    await inEmptyFolder(async (file) => {
      const result = await runAvailability(file, {
        cwd: dirname(file),
        args: [`--koffi=${path}`],
      });
      assertEquals(result.available, true, result.reason);
    });
  },
);

onLinux("sharedMemory says that there is no WebAssembly", async () => {
  const { reason, available, isExact } = await runAvailability(availability, {
    args: ["--no-wasm"],
  });
  assertEquals([available, isExact], [false, true]);
  assertStringIncludes(reason, "WebAssembly");
});
