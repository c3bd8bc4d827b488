// Places as points on a globe, in shared memory.
import { sharedArray } from "../../mod.ts"; // for you: "polypool"

/** Points on a globe of radius 1, seen from its centre. */
export interface Points {
  x: Float64Array;
  y: Float64Array;
  z: Float64Array;
}

/** The points of rows with a latitude and a longitude in degrees. */
export function pointsOf(rows: Record<string, string>[]): Points {
  const points = {
    x: sharedArray(Float64Array, rows.length),
    y: sharedArray(Float64Array, rows.length),
    z: sharedArray(Float64Array, rows.length),
  };
  for (const [i, row] of rows.entries()) {
    const latitude = Number(row.latitude) * Math.PI / 180;
    const longitude = Number(row.longitude) * Math.PI / 180;
    points.x[i] = Math.cos(latitude) * Math.cos(longitude);
    points.y[i] = Math.cos(latitude) * Math.sin(longitude);
    points.z[i] = Math.sin(latitude);
  }
  return points;
}
