import type { Result } from "./contest.ts";
import { short } from "./statistics.ts";
import type { Workload } from "./workload.ts";

const WIDTH = 760;
const LABELS = 210;
const BARS = 380;
const LINE = 18;

/** The results of a workload, by runtime. */
export type ResultsByRuntime = Record<string, Result[]>;

const escape = (text: string): string =>
  text.replace(
    /[&<>]/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!,
  );

function text(x: number, y: number, content: string, rest = ""): string {
  return `<text x="${x}" y="${y}" ${rest}>${escape(content)}</text>`;
}

function color({ contestant }: Result, control: string): string {
  if (contestant.startsWith("polypool")) return "#2f6fdb";
  return contestant === control ? "#555" : "#b5b5b5";
}

/** Decades, as the slowest may take ten thousand times as long as the best. */
function logScale(values: number[]): (value: number) => number {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  const decades = Math.max(1, high - low);
  return (value) =>
    value > 0 ? Math.max(2, (Math.log10(value) - low) / decades * BARS) : 0;
}

/** A bar for each contestant on each runtime, on a logarithmic scale. */
export function barChart(workload: Workload, all: ResultsByRuntime): string {
  const values = Object.values(all).flat()
    .map((result) => result.median ?? 0).filter((value) => value > 0);
  const scale = logScale(values);
  const parts: string[] = [];
  let y = 24;
  parts.push(text(10, y, workload.title, 'font-size="15" font-weight="bold"'));
  y += LINE;
  const note = `${workload.unit}, less is better, logarithmic; ` +
    `(x) = times ${workload.control}; target: ${workload.target}`;
  parts.push(text(10, y, note, 'fill="#666"'));
  for (const [identity, results] of Object.entries(all)) {
    y += LINE * 1.6;
    parts.push(text(10, y, identity, 'font-weight="bold"'));
    for (const result of results) {
      y += LINE;
      parts.push(text(LABELS - 8, y, result.contestant, 'text-anchor="end"'));
      const failed = result.failure !== undefined;
      const width = failed ? 0 : scale(result.median!);
      const fill = color(result, workload.control);
      parts.push(
        `<rect x="${LABELS}" y="${y - 11}" width="${
          width.toFixed(1)
        }" height="14" fill="${fill}"/>`,
      );
      const ratio = Number.isFinite(result.ratio)
        ? ` (${short(result.ratio!)}x)`
        : "";
      const label = failed
        ? result.failure!.slice(0, 70)
        : `${short(result.median!)}${ratio}`;
      const style = failed ? 'fill="#b00"' : "";
      parts.push(text(LABELS + width + 6, y, label, style));
    }
  }
  return svg(y + LINE, parts);
}

/** What was used over time, from the first to the last task. */
export function lineChart(title: string, all: ResultsByRuntime): string {
  const lines = Object.entries(all).flatMap(([identity, results]) =>
    results.filter(({ series }) => series !== undefined).map((result) => ({
      name: `${identity}, ${result.contestant}`,
      series: result.series!,
    }))
  );
  const top = Math.max(...lines.flatMap(({ series }) => series));
  const height = 240;
  const parts = [text(10, 24, title, 'font-size="15" font-weight="bold"')];
  parts.push(text(10, 42, `0 to ${Math.round(top)} MB`, 'fill="#666"'));
  lines.forEach(({ name, series }, i) => {
    const hue = Math.round(i / lines.length * 360);
    const points = series.map((value, j) => {
      const x = 10 + j / Math.max(1, series.length - 1) * (WIDTH - 20);
      return `${x.toFixed(1)},${(56 + height * (1 - value / top)).toFixed(1)}`;
    });
    const stroke = `hsl(${hue} 70% 45%)`;
    parts.push(
      `<polyline points="${
        points.join(" ")
      }" fill="none" stroke="${stroke}" stroke-width="1.5"/>`,
    );
    const y = 56 + height + LINE * (i + 1.2);
    const most = `${name}: at most ${Math.max(...series)} MB`;
    parts.push(text(10, y, most, `fill="${stroke}"`));
  });
  return svg(56 + height + LINE * (lines.length + 2), parts);
}

function svg(height: number, parts: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}
