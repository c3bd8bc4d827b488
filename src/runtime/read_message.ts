/**
 * Reads the bytes of a message and hands it on. What cannot be read, as there is
 * no memory for it, perhaps, shall leave nobody waiting: `onUnreadable` hears
 * why.
 */
export function readMessage(
  bytes: Uint8Array,
  deserialize: (bytes: Uint8Array) => unknown,
  onMessage: (message: unknown) => void,
  onUnreadable: (error: unknown) => void,
): void {
  let message: unknown;
  try {
    message = deserialize(bytes);
  } catch (error) {
    return onUnreadable(error);
  }
  onMessage(message);
}
