/** The walker of assembly/, compiled, in base64. The build writes the module that this describes. */
export const WALKER_BASE64: string;
