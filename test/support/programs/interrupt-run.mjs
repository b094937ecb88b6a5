// Has the process interrupt itself at its 1500th copied batch, in the middle of a measurement.
import { CopyEngine } from 'mtcopy';

const { copyBatch } = CopyEngine.prototype;
let batches = 0;
CopyEngine.prototype.copyBatch = function (...args) {
  if (++batches === 1500) process.kill(process.pid, 'SIGINT');
  return copyBatch.apply(this, args);
};
