// Shows what workers share and wait for: a lock around a sum, an event that
// starts them together, a queue that one fills and others empty, and a map
// that lives in the main thread. All the same for threads and processes.
import {
  Event,
  Lock,
  ManagedMap,
  sharedArray,
  SharedQueue,
  WorkerPool,
} from "../mod.ts"; // for you: "polypool"

for (const startMethod of ["threading", "spawn"] as const) {
  const shared = {
    start: new Event(),
    lock: new Lock(),
    // Sums of floating-point numbers have no atomic operation: hence the lock.
    sums: sharedArray(Float64Array, 2),
    queue: new SharedQueue<string>(),
    lengths: new ManagedMap<string, number>(),
  };
  await using pool = new WorkerPool({
    nJobs: 3,
    startMethod,
    sharedObjects: shared,
  });

  // Two numbers that belong together change together.
  const adding = pool.map(({ start, lock, sums }, x: number) => {
    start.waitSync();
    using _guard = lock.acquireSync();
    sums[0]! += x;
    sums[1]! += x * x;
  }, [0.5, 1, 1.5, 2]);
  shared.start.set();
  await adding;

  // One worker finds work for the others, which take it as it comes.
  const words = "now and then a worker waits for what another one finds";
  const producing = pool.apply(({ queue }, words: string) => {
    for (const word of words.split(" ")) queue.putSync(word);
    queue.close();
  }, [words]);
  const consuming = pool.map(async ({ queue, lengths }, _consumer: number) => {
    let taken = 0;
    for await (const word of queue) {
      await lengths.set(word, word.length);
      taken++;
    }
    return taken;
  }, [1, 2]);
  await producing;
  const [first, second] = await consuming;

  console.log(
    `${startMethod}: sums ${shared.sums.join(" and ")}, ` +
      `${first! + second!} words taken, ${await shared.lengths.size()} ` +
      `different ones, "worker" has ${await shared.lengths.get("worker")}`,
  );
}
