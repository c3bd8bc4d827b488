import { formatWords, randomWords } from "../random.ts";
import { loadNative, type Native } from "../runtime/native.ts";
import { ID_WORDS } from "./segment.ts";

/** How a process finds what was frozen. Plain data. */
export interface FrozenHandle {
  /** The file, by the process that has it open. */
  readonly path: string;
  /** 32 hexadecimal digits by which it is recognized. */
  readonly id: string;
  /** Offset and size of each buffer. */
  readonly parts: readonly (readonly [offset: number, byteLength: number])[];
}

/** The bytes of some buffers as they were. */
export interface FrozenMemory {
  /** How processes find them until they are released. */
  readonly handle: FrozenHandle;
  /** Frees the bytes when the last process that thawed them has ended. */
  release(): void;
}

/** Where a part of a file can be mapped, whatever the size of a page. */
const ALIGNMENT = 0x10000;

const align = (offset: number) => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

/** Closes the files of those that nobody released. */
const forgotten = new FinalizationRegistry<() => void>((close) => close());

/**
 * Copies the buffers into a file without a name, for processes to map: pages
 * are copied as they are written there, so reading costs nothing, a write
 * stays where it was made, and what is written here later is not seen.
 * `undefined` where the system cannot: then the bytes must be sent.
 */
export function freeze(
  buffers: readonly ArrayBufferLike[],
): FrozenMemory | undefined {
  const native = loadNative();
  if ("reason" in native) return undefined;
  const id = randomWords(ID_WORDS);
  const parts: [offset: number, byteLength: number][] = [];
  let size = ALIGNMENT;
  for (const { byteLength } of buffers) {
    parts.push([size, byteLength]);
    size += align(byteLength);
  }
  let file: number | undefined;
  try {
    file = native.createFile(size);
    native.writeFile(file, 0, id.buffer);
    for (const [index, buffer] of buffers.entries()) {
      native.writeFile(file, parts[index]![0], buffer);
    }
    return frozen(file, formatWords(id));
  } catch {
    // No memory left, or no descriptor.
    if (file !== undefined) native.closeFile(file);
    return undefined;
  }

  function frozen(file: number, id: string): FrozenMemory {
    const { closeFile, pathOf } = native as Native;
    const close = once(closeFile, file);
    const memory = {
      handle: { path: pathOf(file), id, parts },
      release() {
        forgotten.unregister(memory);
        close();
      },
    };
    forgotten.register(memory, close, memory);
    return memory;
  }
}

/**
 * Closes a file, once: a descriptor may be another's after that. Not made where
 * the memory is, which it would keep from being collected.
 */
function once(closeFile: (file: number) => void, file: number): () => void {
  let isClosed = false;
  return () => {
    if (isClosed) return;
    isClosed = true;
    closeFile(file);
  };
}

/**
 * The buffers that were frozen, in their order, as this process's own. They
 * stay mapped as long as the process lives, so thaw a handle once only.
 *
 * @throws {Error} If they have been released or their owner has ended, or
 * this process cannot map them.
 */
export function thaw(handle: FrozenHandle): ArrayBuffer[] {
  const native = loadNative();
  if ("reason" in native) {
    throw new Error(`Cannot map frozen memory as ${native.reason}`);
  }
  let file: number | undefined;
  try {
    file = native.openFile(handle.path);
    const id = randomWords(ID_WORDS);
    native.readFile(file, 0, id.buffer);
    if (formatWords(id) !== handle.id) throw new Error("the file is another");
    return handle.parts.map(([offset, byteLength]) =>
      byteLength === 0
        ? new ArrayBuffer(0)
        : native.mapPrivate(file!, offset, byteLength)
    );
  } catch (cause) {
    throw new Error(
      "Cannot map frozen memory as it has been released or its owner has ended",
      { cause },
    );
  } finally {
    if (file !== undefined) native.closeFile(file);
  }
}
