import { clock } from "./detect.ts";
import type { Libc } from "./libc.ts";
import type { FutexResult, Native } from "./native.ts";

// Of Linux; the same on every processor but for the system call.
const IPC_PRIVATE = 0;
const IPC_CREAT = 0o1000;
const IPC_RMID = 0;
const IPC_STAT = 2;
const SHM_REMAP = 0o40000;
const OWNER_ONLY = 0o600;
const SEGMENT_SIZE_AT = 48;
const MFD_CLOEXEC = 1;
const O_RDONLY_NONBLOCK_CLOEXEC = 0o2004000;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 2;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
/** Milliseconds that count as for ever: a year. */
const LONGEST = 3.2e10;
const FUTEX: Record<string, number> = { x64: 202, arm64: 98 };

/** What Linux can do, by its C library. */
export function linux(libc: Libc): Native {
  const { call, syscallAsync, addressOf } = libc;
  const futex = FUTEX[libc.arch];
  if (futex === undefined) {
    throw new Error("it needs an x64 or arm64 processor");
  }
  // For what C functions take by address; filled anew by each call.
  const scratch = new ArrayBuffer(512);
  const scratchAddress = addressOf(scratch);
  const addresses = new WeakMap<ArrayBufferLike, number>();
  // What calls off the thread read: not to be collected meanwhile.
  const waiting = new Set<ArrayBuffer>();

  function done(name: string, result: number): number {
    if (result === -1) throw new Error(`${name}() failed`);
    return result;
  }

  function writeText(text: string): number {
    const { written } = new TextEncoder()
      .encodeInto(text, new Uint8Array(scratch));
    new Uint8Array(scratch)[written] = 0;
    return scratchAddress;
  }

  function attach(segment: number, address: number): void {
    done("shmat", call.shmat(segment, address, SHM_REMAP));
  }

  function transfer(
    name: "pread" | "pwrite",
    file: number,
    offset: number,
    buffer: ArrayBufferLike,
  ): void {
    if (buffer.byteLength === 0) return;
    const address = addressOf(buffer);
    // One call moves 2 GiB at most.
    for (let at = 0; at < buffer.byteLength;) {
      const left = buffer.byteLength - at;
      const count = call[name](file, address + at, left, offset + at);
      if (count <= 0) throw new Error(`${name}() failed`);
      at += count;
    }
  }

  function addressAt(
    { buffer, byteOffset }: Int32Array,
    index: number,
  ): number {
    let address = addresses.get(buffer);
    if (address === undefined) {
      address = addressOf(buffer);
      addresses.set(buffer, address);
    }
    return address + byteOffset + index * 4;
  }

  function timespec(ms: number, buffer = new ArrayBuffer(16)): ArrayBuffer {
    const time = Math.min(Math.max(ms, 0), LONGEST);
    const view = new BigInt64Array(buffer, 0, 2);
    view[0] = BigInt(Math.floor(time / 1000));
    view[1] = BigInt(Math.floor((time % 1000) * 1e6));
    return buffer;
  }

  /** Tells without `errno`, which the runtimes do not hand on. */
  function outcome(
    result: number,
    array: Int32Array,
    index: number,
    expected: number,
    deadline: number,
  ): FutexResult {
    if (result === 0) return "woken";
    if (Atomics.load(array, index) !== expected) return "changed";
    return clock.now() >= deadline ? "timedOut" : "woken";
  }

  return {
    addressOf,
    createSegment(byteLength, address) {
      const segment = done(
        "shmget",
        call.shmget(IPC_PRIVATE, byteLength, IPC_CREAT | OWNER_ONLY),
      );
      try {
        attach(segment, address);
      } finally {
        call.shmctl(segment, IPC_RMID, 0);
      }
      return segment;
    },
    attachSegment(segment, byteLength, address) {
      // A larger one would cover what lies behind the memory.
      done("shmctl", call.shmctl(segment, IPC_STAT, scratchAddress));
      const [size] = new BigUint64Array(scratch, SEGMENT_SIZE_AT, 1);
      if (Number(size) !== byteLength) throw new Error("wrong size");
      attach(segment, address);
    },
    createFile(byteLength) {
      const name = writeText("polypool");
      const file = done("memfd_create", call.memfd_create(name, MFD_CLOEXEC));
      if (call.ftruncate(file, byteLength) === 0) return file;
      call.close(file);
      throw new Error("ftruncate() failed");
    },
    openFile: (path) =>
      done("open", call.open(writeText(path), O_RDONLY_NONBLOCK_CLOEXEC)),
    pathOf: (file) => `/proc/${call.getpid()}/fd/${file}`,
    closeFile: (file) => void call.close(file),
    writeFile: (...args) => transfer("pwrite", ...args),
    readFile: (...args) => transfer("pread", ...args),
    mapPrivate(file, offset, byteLength) {
      const address = done(
        "mmap",
        call.mmap(0, byteLength, PROT_READ_WRITE, MAP_PRIVATE, file, offset),
      );
      return libc.bufferAt(address, byteLength);
    },
    futexWait(array, index, expected, ms) {
      const deadline = clock.now() + ms;
      const address = addressAt(array, index);
      timespec(ms, scratch);
      const result = call
        .syscall(futex, address, FUTEX_WAIT, expected, scratchAddress, 0, 0);
      return outcome(result, array, index, expected, deadline);
    },
    futexWaitAsync: syscallAsync && async function (
      array,
      index,
      expected,
      ms,
    ) {
      const deadline = clock.now() + ms;
      const address = addressAt(array, index);
      const time = timespec(ms);
      waiting.add(time);
      try {
        const result = await syscallAsync(
          ...[futex, address, FUTEX_WAIT, expected, addressOf(time), 0, 0],
        );
        return outcome(result, array, index, expected, deadline);
      } finally {
        waiting.delete(time);
      }
    },
    futexWake: (array, index, count) =>
      done(
        "futex",
        call
          .syscall(futex, addressAt(array, index), FUTEX_WAKE, count, 0, 0, 0),
      ),
    dieWithParent: () =>
      void done("prctl", call.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)),
  };
}
