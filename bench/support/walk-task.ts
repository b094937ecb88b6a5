import { workerData } from 'node:worker_threads';

/** What every worker of the pool gets once. */
export interface WalkSetup {
  /** The shared WebAssembly.Memory. */
  readonly memory: unknown;
  /** The engine's walker, compiled. */
  readonly module: unknown;
  /** Addresses of the stop word and of the poison map. */
  readonly stop: number;
  readonly poison: number;
}

/** A task: `count` descriptors from address `list`. */
export interface WalkTask {
  readonly list: number;
  readonly count: number;
}

type Walk = (list: number, count: number, stop: number, poison: number) => number;
/** Types of Node.js 20 leave the namespace out. */
export interface WasmApi {
  Module: new (bytes: Uint8Array) => unknown;
  Instance: new (module: unknown, imports: object) => { readonly exports: { readonly walk: Walk } };
}

const { memory, module, stop, poison } = workerData as WalkSetup;
const { Instance } = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
const { walk } = new Instance(module, { env: { memory } }).exports;

/** Copies a run of descriptors with the engine's own walker, as one Piscina task. */
export default function walkRun({ list, count }: WalkTask): number {
  return walk(list, count, stop, poison);
}
