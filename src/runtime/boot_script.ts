/**
 * The program of a child process until its real one comes as the first
 * message: a module URL to import. What comes meanwhile waits. Plain text, as
 * it is handed over on the command line.
 */
export const bootScript: string = `{
  const waiting = [];
  let receive = (url) => {
    receive = (message) => waiting.push(message);
    import(url);
  };
  process.on("message", (message) => receive(message));
  const { exit } = process;
  process.on("disconnect", () => exit());
  const send = process.send.bind(process);
  Object.defineProperty(globalThis, Symbol.for("polypool.channel"), {
    value: {
      send,
      listen(listener) {
        receive = listener;
        for (const message of waiting.splice(0)) listener(message);
      },
      exit: exit.bind(process),
    },
  });
}`;
