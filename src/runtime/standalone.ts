/**
 * Why a program that has its runtime in itself cannot start processes: that
 * runtime would run its main module in each of them, and so on without end.
 */
export function standaloneRefusal(): Error {
  return new Error(
    "Cannot start a process as the program is a single executable, which " +
      "could only run its main module again: use startMethod 'threading'",
  );
}
