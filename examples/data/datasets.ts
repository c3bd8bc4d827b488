// Reads the tables that the examples work on: they come with the npm package
// vega-datasets, a development dependency of this repository.
import { readFile } from "node:fs/promises";

/** The rows of a CSV file, by the names in its first line. */
export async function readCsv(name: string): Promise<Record<string, string>[]> {
  const [head, ...lines] = (await readText(name)).trim().split(/\r?\n/);
  const names = cells(head!);
  return lines.map((line) => {
    const values = cells(line);
    return Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""]));
  });
}

/** The text of a file of vega-datasets. */
export async function readText(name: string): Promise<string> {
  return await readFile(new URL(name, folder()), "utf8");
}

function folder(): URL {
  try {
    return new URL("../data/", import.meta.resolve("vega-datasets"));
  } catch {
    return new URL("../../node_modules/vega-datasets/data/", import.meta.url);
  }
}

/** The cells of a line, of which some may be quoted. */
function cells(line: string): string[] {
  const found = line.matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g);
  return Array.from(found, ([, quoted, plain]) => quoted ?? plain ?? "");
}
