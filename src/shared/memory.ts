export type MemoryHandle = unknown;
export function openMemory(_handle: MemoryHandle): SharedArrayBuffer {
  throw new Error("not yet");
}
export function handleOf(_buffer: SharedArrayBuffer): MemoryHandle | undefined {
  return undefined;
}
export function allocate(byteLength: number) {
  return { buffer: new SharedArrayBuffer(byteLength), byteOffset: 0 };
}
export const sharedMemory = { available: false, reason: "not yet" };
