// Says on stdout which runtime runs it and with which argument.
import process from "node:process";
import { runtimeName, runtimeVersion } from "./program.ts";

const argument = process.argv[2]!;
console.log(`${runtimeName}@${runtimeVersion} ${argument}`);
process.exitCode = 3;
if (argument === "hang") setInterval(() => {}, 1_000);
