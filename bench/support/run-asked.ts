/** Runs those of several parts of a benchmark that the command line names, or all. Exits with status 2 for a name that is none. */
export async function runAsked(what: string, parts: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !(name in parts));
  if (unknown.length > 0) {
    console.error(`No ${what} ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  for (const [name, run] of Object.entries(parts)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`\n${name}`);
    await run();
  }
}
