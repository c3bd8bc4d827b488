/**
 * The functions of the C library that shared memory is made of. Each runtime
 * binds this one table by its own foreign function interface.
 *
 * @module
 */

/** A type of the C side: `int`, and what is as wide as an address. */
export type CType = "i32" | "usize" | "isize";

/** The signature of a C function. */
export interface Signature {
  /** The type of what it returns. */
  readonly result: CType;
  /** The types of its parameters. */
  readonly parameters: readonly CType[];
}

const usize = "usize";
const isize = "isize";
const i32 = "i32";

/** The name of a function that is bound. */
export type FunctionName =
  | "shmget"
  | "shmat"
  | "shmctl"
  | "memfd_create"
  | "ftruncate"
  | "open"
  | "close"
  | "pread"
  | "pwrite"
  | "mmap"
  | "getpid"
  | "prctl"
  | "syscall";

const SIGNATURES: Readonly<Record<FunctionName, Signature>> = {
  shmget: { result: i32, parameters: [i32, usize, i32] },
  shmat: { result: isize, parameters: [i32, usize, i32] },
  shmctl: { result: i32, parameters: [i32, i32, usize] },
  memfd_create: { result: i32, parameters: [usize, i32] },
  ftruncate: { result: i32, parameters: [i32, usize] },
  open: { result: i32, parameters: [usize, i32] },
  close: { result: i32, parameters: [i32] },
  pread: { result: isize, parameters: [i32, usize, usize, usize] },
  pwrite: { result: isize, parameters: [i32, usize, usize, usize] },
  mmap: { result: isize, parameters: [usize, usize, i32, i32, i32, usize] },
  getpid: { result: i32, parameters: [] },
  prctl: { result: i32, parameters: [i32, usize, usize, usize, usize] },
  syscall: {
    result: isize,
    parameters: [isize, usize, isize, isize, usize, usize, isize],
  },
};

/** What a runtime's foreign function interface supplies. */
export interface Libc {
  /** The C functions. Addresses and sizes are numbers, on every runtime. */
  readonly call: Readonly<
    Record<FunctionName, (...args: number[]) => number>
  >;
  /** `syscall` off the thread, where the runtime has such calls. */
  readonly syscallAsync?:
    | ((...args: number[]) => Promise<number>)
    | undefined;
  /** The processor, as Node names it. */
  readonly arch: string;
  /** The address of a buffer's first byte. */
  addressOf(buffer: ArrayBufferLike): number;
  /** A buffer on memory that nobody ever frees. */
  bufferAt(address: number, byteLength: number): ArrayBuffer;
}

/** What the C library may be called: by glibc, and by musl. */
export const LIBRARIES: readonly string[] = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
];

/** Opens the first library that is there, and throws if none is. */
export function openFirst<T>(open: (library: string) => T): T {
  const errors: unknown[] = [];
  for (const library of LIBRARIES) {
    try {
      return open(library);
    } catch (error) {
      errors.push(error);
    }
  }
  throw errors[0];
}

/** Makes a value of each bound function. */
export function bindEach<T>(
  bind: (name: FunctionName, signature: Signature) => T,
): Record<FunctionName, T> {
  return Object.fromEntries(
    Object.entries(SIGNATURES).map(([name, signature]) => [
      name,
      bind(name as FunctionName, signature),
    ]),
  ) as Record<FunctionName, T>;
}
