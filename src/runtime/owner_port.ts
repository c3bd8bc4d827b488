/** What a thread has to hear its owner by. User code can reach it, too. */
export interface OwnerPort {
  addEventListener(
    type: "message" | "messageerror",
    listener: (event: MessageLike) => void,
  ): void;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
}

interface MessageLike {
  data: unknown;
  stopImmediatePropagation(): void;
}

/** Receives what comes by the port. What user code listens for does not. */
export function listenAlone(
  port: OwnerPort,
  handler: (message: unknown) => void,
  onUnreadable: (error: unknown) => void,
): void {
  port.addEventListener("messageerror", ({ data }) => onUnreadable(data));
  port.addEventListener("message", (event) => {
    // Whoever else listens has come later.
    event.stopImmediatePropagation();
    handler(event.data);
  });
}
