/*
 * The part of the WebAssembly API that this package uses, in types of its own: neither the ES libraries nor Node.js 20's
 * types declare the namespace, and a user's project must compile without the DOM library.
 */

/** A shared `WebAssembly.Memory`. */
export interface SharedWasmMemory {
  /** All of its bytes. */
  readonly buffer: SharedArrayBuffer;
  /** As the API has it. The library's memories have their full size from the start, and never grow. */
  grow(delta: number): number;
}

/** A compiled `WebAssembly.Module`, which can be sent to a worker. */
export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

interface WasmApi {
  Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => SharedWasmMemory;
  Module: new (bytes: Uint8Array) => WasmModule;
  Instance: new (
    module: WasmModule,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: Record<string, unknown> };
}

export const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
