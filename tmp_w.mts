import { allocate } from "/work/main/src/shared/memory.ts";
import * as c from "/work/main/src/wire/control.ts";
const { buffer } = allocate(64);
const head = new Uint32Array(buffer, 0, 2);
const control = c.createSharedControl();
let bad = false;
function look(s: string) { if (!bad && head[0] === 0) { bad = true; console.log("ZERO", s); } }
console.log(control.byteOffset);
for (let seq = 1; seq < 20000; seq++) {
  c.offer(control, seq); look("offer" + seq);
  c.begin(control, seq); look("begin" + seq);
  for (let i = 0; i < 50; i++) { c.beginTaskLoosely(control, seq, i); look("loosely" + seq); c.beginTask(control, seq, i); look("task" + seq); }
  c.progressOf(control, seq); look("progress" + seq);
  c.hasBegun(control, seq); look("hasBegun" + seq);
  c.endTasks(control, seq); look("end" + seq);
  c.skipRest(control, seq); look("skip" + seq);
  c.revoke(control, seq); look("revoke" + seq);
  c.setPhase(control, 0); look("phase" + seq);
}
console.log("done", bad);
