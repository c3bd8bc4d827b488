// The results as a table for the README, from the newest file in results/.
//
//   tsx bench/table.ts
import { readdirSync, readFileSync } from "node:fs";
import type { Result } from "./core/contest.ts";
import { workloads } from "./workloads/all.ts";

const folder = new URL("results/", import.meta.url);
const file = readdirSync(folder).filter((name) => name.endsWith(".json"))
  .sort().at(-1)!;
const { results } = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as {
  results: Record<string, Record<string, Result[]>>;
};
const runtimes = [
  ...new Set(Object.values(results).flatMap((found) => Object.keys(found))),
];

/** A factor with two digits that count. */
function factor(value: number | undefined): string {
  if (value === undefined) return "–";
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
    ? value.toFixed(1)
    : value.toFixed(2);
}

const PEER = /^(?:piscina|tinypool|workerpool|poolifier|jest-worker|threads)\b/;

/** polypool's ratio to the control, and that of the best peer. */
function cell(found: Result[] | undefined, control: string): string {
  const own = found?.find(({ contestant }) => contestant === "polypool") ??
    found?.find(({ contestant }) =>
      contestant.startsWith("polypool") && contestant !== control
    );
  if (!own) return "–";
  if (own.failure !== undefined) return own.failure;
  const peers = found!.filter(({ contestant, failure, ratio }) =>
    PEER.test(contestant) && failure === undefined && ratio !== undefined
  ).sort((a, b) => a.ratio! - b.ratio!);
  const [best] = peers;
  return factor(own.ratio) +
    (best ? ` (${best.contestant} ${factor(best.ratio)})` : "");
}

const rows = Object.entries(results).map(([name, byRuntime]) => {
  const { title, control, target } = workloads[name]!;
  return [
    title,
    control,
    target,
    ...runtimes.map((runtime) => cell(byRuntime[runtime], control)),
  ];
});
for (
  const row of [
    ["workload", "1 is", "target", ...runtimes],
    ["---", "---", "---", ...runtimes.map(() => "---")],
    ...rows,
  ]
) console.log(`| ${row.join(" | ")} |`);
