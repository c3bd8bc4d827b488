import type { Result } from "./contest.ts";
import { short } from "./statistics.ts";
import type { Workload } from "./workload.ts";

/** Prints the results of a workload on a runtime as a table. */
export function printTable(
  identity: string,
  workload: Workload,
  results: Result[],
): void {
  const { title, unit, control, target } = workload;
  console.log(`\n${title} — ${identity}`);
  console.log(`control: ${control}; target of polypool: ${target}`);
  const extraNames = [
    ...new Set(results.flatMap(({ extras }) => Object.keys(extras ?? {}))),
  ];
  const header = ["", unit, "ratio", "spread", ...extraNames];
  const lines = results.map((result) =>
    result.failure === undefined
      ? [
        result.contestant,
        short(result.median!),
        short(result.ratio!),
        `${short(Math.min(...result.values))} - ${
          short(Math.max(...result.values))
        }`,
        ...extraNames.map((name) => short(result.extras?.[name] ?? NaN)),
      ]
      : [result.contestant, result.failure]
  );
  // A failure may be longer than any number: it sets no width.
  const widths = header.map((_, column) =>
    Math.max(
      ...[header, ...lines]
        .filter(({ length }) => column === 0 || length !== 2)
        .map((line) => line[column]!.length),
    )
  );
  for (const line of [header, ...lines]) {
    const cells = line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    );
    console.log(`  ${cells.join("  ")}`);
  }
}
