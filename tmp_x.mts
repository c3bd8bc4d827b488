import { readFileSync } from "node:fs";
import { loadNative } from "/work/main/src/runtime/native.ts";
import { createSegment, openSegment } from "/work/main/src/shared/segment.ts";
const native = loadNative();
const maps = () => readFileSync("/proc/self/maps", "utf8").split("\n").filter(l => /SYSV/.test(l)).length;
const [buffer, handle] = createSegment(native as never, 0x100000 - 64);
const bytes = new Uint8Array(buffer); bytes.fill(7, 64); const copy = bytes.slice();
for (let i = 0; i < 50; i++) { openSegment(native as never, { ...handle }); }
console.log("maps", maps());
for (let i = 0; i < 30; i++) { globalThis.Bun?.gc(true); globalThis.gc?.(); await new Promise(r => setTimeout(r, 20)); }
const changed = []; for (let i = 0; i < bytes.length; i++) if (bytes[i] !== copy[i]) changed.push(i);
console.log("maps", maps(), "changed", changed.length, changed.slice(0, 20));
const others = []; for (let i = 0; i < 100; i++) others.push(new Uint8Array(1 << 20).fill(i+100));
const changed2 = []; for (let i = 0; i < bytes.length; i++) if (bytes[i] !== copy[i]) changed2.push(i);
console.log("after others", changed2.length);
