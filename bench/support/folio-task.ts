import { workerData } from 'node:worker_threads';

const bytes = new Uint8Array(workerData as SharedArrayBuffer);

/** The task of the Piscina rival: copies one folio, as a user would write it. */
export default function copyFolio({ to, from, length }: { to: number; from: number; length: number }): void {
  bytes.set(bytes.subarray(from, from + length), to);
}
