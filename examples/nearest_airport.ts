// The main example (`npm start`): the nearest airport of every US zip code, on
// all cores. The coordinates are shared objects, sent once to each worker; the
// results are written to shared memory, so that nothing has to be sent back.
import { cpuCount, sharedArray, WorkerPool } from "../mod.ts"; // for you: "polypool"
import { readCsv } from "./data/datasets.ts";
import { type Points, pointsOf } from "./data/globe.ts";

interface World {
  zipCodes: Points;
  airports: Points;
  nearest: Uint16Array;
  km: Float32Array;
}

/** Runs in the workers: finds the nearest airport of one zip code. */
function findNearest(world: World, zipCode: number): void {
  const { zipCodes, airports, nearest, km } = world;
  const x = zipCodes.x[zipCode]!;
  const y = zipCodes.y[zipCode]!;
  const z = zipCodes.z[zipCode]!;
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < airports.x.length; i++) {
    const cosine = x * airports.x[i]! + y * airports.y[i]! + z * airports.z[i]!;
    const distance = 6371 * Math.acos(Math.min(cosine, 1));
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  nearest[zipCode] = best;
  km[zipCode] = least;
}

const zipCodes = await readCsv("zipcodes.csv");
const airports = await readCsv("airports.csv");
console.log(`${zipCodes.length} zip codes, ${airports.length} airports`);

function newWorld(): World {
  return {
    zipCodes: pointsOf(zipCodes),
    airports: pointsOf(airports),
    nearest: sharedArray(Uint16Array, zipCodes.length),
    km: sharedArray(Float32Array, zipCodes.length),
  };
}

// First in this thread, by the same function ...
const expected = newWorld();
const serialStart = performance.now();
for (const i of zipCodes.keys()) findNearest(expected, i);
const serial = performance.now() - serialStart;

// ... then in a pool. The time includes the start of the workers.
const world = newWorld();
const parallelStart = performance.now();
await using pool = new WorkerPool({ sharedObjects: world });
await pool.mapUnordered(findNearest, zipCodes.keys(), {
  iterableLen: zipCodes.length,
});
const parallel = performance.now() - parallelStart;

const same = world.nearest.every((airport, i) =>
  airport === expected.nearest[i]
);
for (const code of ["10001", "60601", "90210", "94103"]) {
  report("", zipCodes.findIndex((row) => row.zip_code === code));
}
// The tables know places outside the 48 contiguous states only roughly.
const outside = /^(AK|AS|FM|GU|HI|MH|MP|PR|PW|VI)$/;
const farthest = zipCodes.reduce(
  (best, { state }, i) =>
    !outside.test(state!) && world.km[i]! > world.km[best]! ? i : best,
  0,
);
report("farthest from any airport: ", farthest);
for (const km of [5, 20, 50]) {
  const share = world.km.filter((distance) => distance < km).length /
    zipCodes.length;
  console.log(`within ${km} km: ${(share * 100).toFixed(1)} %`);
}
console.log(`the same as in one thread: ${same}`);
console.log(`in one thread: ${serial.toFixed()} ms`);
console.log(`in ${cpuCount()} workers: ${parallel.toFixed()} ms`);
console.log(`speed-up: ${(serial / parallel).toFixed(2)}`);

function report(title: string, i: number): void {
  const { zip_code, city, state } = zipCodes[i]!;
  const { iata, name } = airports[world.nearest[i]!]!;
  const km = world.km[i]!.toFixed(1);
  console.log(
    `${title}${zip_code} ${city}, ${state}: ${iata} ${name}, ${km} km`,
  );
}
