// Lets the event loop of its thread turn, as long as polls-on.mjs, which has run there, needs it.
while (!globalThis.isOver()) await new Promise((resolve) => setTimeout(resolve, 1));

export default function nothing() {}
