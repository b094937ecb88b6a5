/** The least that a Piscina task can do. */
export default function noop(): void {}
