import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../support/paths.js';

/* The loop in C as it was built, for this machine and whatever others: read as ELF says, https://refspecs.linuxfoundation.org. */

const FOLDER = join(ROOT, 'dist/copy/worker/native');
const FILES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.node')) : [];

const MACHINES: Record<string, number> = { 'linux-x64.node': 62, 'linux-arm64.node': 183 };
/** Bytes of the largest page that an architecture's Linux may have. */
const LARGEST_PAGE: Record<string, number> = { 'linux-x64.node': 0x1000, 'linux-arm64.node': 0x10000 };

const [PT_LOAD, PT_GNU_STACK] = [1, 0x6474e551];
const [SHT_DYNAMIC, SHT_DYNSYM] = [6, 11];
const [DT_NEEDED, DT_TEXTREL] = [1, 22];
const [EXECUTE, WRITE, READ] = [1, 2, 4];

/** The segments of a 64-bit file, and what the dynamic linker is told: tags, and names that it has to find. */
function readElf(file: Buffer) {
  const number = (at: number) => Number(file.readBigUInt64LE(at));
  const entries = <T>(table: number, bytes: number, count: number, read: (at: number) => T) =>
    Array.from({ length: count }, (_, i) => read(table + i * bytes));
  const segments = entries(number(32), file.readUInt16LE(54), file.readUInt16LE(56), (at) => ({
    type: file.readUInt32LE(at),
    flags: file.readUInt32LE(at + 4),
    align: number(at + 48),
  }));
  const sections = entries(number(40), file.readUInt16LE(58), file.readUInt16LE(60), (at) => ({
    type: file.readUInt32LE(at + 4),
    offset: number(at + 24),
    bytes: number(at + 32),
    link: file.readUInt32LE(at + 40),
  }));
  const section = (wanted: number) => {
    const found = sections.find(({ type }) => type === wanted);
    if (!found) throw new Error(`no section of type ${wanted}`);
    return found;
  };
  const dynamic = section(SHT_DYNAMIC);
  const tags = entries(dynamic.offset, 16, dynamic.bytes / 16, number);
  const symbols = section(SHT_DYNSYM);
  const names = sections[symbols.link].offset;
  const undefinedNames = entries(symbols.offset, 24, symbols.bytes / 24, (at) => {
    const name = names + file.readUInt32LE(at);
    // In no section: undefined.
    return file.readUInt16LE(at + 6) === 0 ? file.toString('latin1', name, file.indexOf(0, name)) : '';
  }).filter((name) => name !== '');
  return { machine: file.readUInt16LE(18), segments, tags, undefinedNames };
}

describe.runIf(FILES.length > 0).each(FILES)('the loop in C for %s', (name) => {
  const { machine, segments, tags, undefinedNames } = readElf(readFileSync(join(FOLDER, name)));
  const loaded = segments.filter(({ type }) => type === PT_LOAD);

  it('is for that machine', () => {
    expect(machine).toBe(MACHINES[name]);
  });

  it('wants Node-API and nothing else', () => {
    expect(undefinedNames).toContain('napi_create_function');
    expect(undefinedNames.filter((symbol) => !symbol.startsWith('napi_'))).toEqual([]);
    expect(tags).not.toContain(DT_NEEDED);
  });

  it('can be loaded with any size of pages', () => {
    expect(loaded.every(({ align }) => align >= LARGEST_PAGE[name])).toBe(true);
  });

  it('has nothing that is both written and executed', () => {
    expect(loaded.length).toBeGreaterThan(0);
    expect(loaded.filter(({ flags }) => flags & EXECUTE && flags & WRITE)).toEqual([]);
    expect(segments.find(({ type }) => type === PT_GNU_STACK)).toMatchObject({ flags: READ | WRITE });
    expect(tags).not.toContain(DT_TEXTREL);
  });
});
