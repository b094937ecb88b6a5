import fc from 'fast-check';
import { CopyEngine, checkProfile, Machine, readProfile } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { fileWith, profile } from '../support/profiles.js';

/** A member, by the path to it, what it must not be, and what is said then. */
const WRONG: readonly (readonly [path: string, value: unknown, message: string])[] = [
  ['schema', 'package', "schema: must be 'mtcopy-profile', as in what 'mtcopy tune' writes, got 'package'"],
  [
    'version',
    1,
    "version: must be 2, which is all that this mtcopy reads, with --force-profile too: make another with 'mtcopy tune', got 1",
  ],
  ['version', 3, 'version: must be 2'],
  ['version', '2', "got '2'"],
  ['mtcopy', '', 'mtcopy: must be a string with something in it'],
  ['date', 'yesterday', 'date: must be a date such as'],
  ['date', 5, 'date: must be a string'],
  ['host', [], 'host: must be an object, got an array of 0'],
  ['host', null, 'host: must be an object, got null'],
  ['host.cpu', 5, 'host.cpu: must be a string'],
  ['host.cores', 0, 'host.cores: must be a whole number, 1 or more, got 0'],
  ['host.nodeMajor', 20.5, 'host.nodeMajor: must be'],
  ['engine', 'fast', "engine: must be an object, got 'fast'"],
  ['engine.threads', 0, 'engine.threads: must be a whole number from 1 to 64, got 0'],
  ['engine.threads', 65, 'got 65'],
  ['engine.threads', 'auto', "got 'auto'"],
  ['engine.schedule', 'best', "engine.schedule: must be 'static' or 'dynamic', got 'best'"],
  ['engine.distribution', 1, 'engine.distribution: must be'],
  ['engine.unitBytes', 4096, 'engine.unitBytes: must be a whole number from 65536 to'],
  ['engine.unitBytes', '64K', "engine.unitBytes: must be a number or 'auto', got '64K'"],
  ['engine.caller', 'runs', 'engine.caller: must be'],
  ['engine.minParallelBytes', -1, 'engine.minParallelBytes: must be a whole number, 0 or more, got -1'],
  ['engine.minParallelBytes', null, "engine.minParallelBytes: must be a number or 'never', got null"],
  ['engine.method', 'memcpy', 'engine.method: must be'],
  ['engine.stores', 'memory.copy', "engine.stores: must be 'auto' or 'cached' or 'streaming', got 'memory.copy'"],
  ['machine.migrator', 'nobody', 'machine.migrator: must be'],
  ['machine.flow', 'fast', 'machine.flow: must be'],
  ['machine.stores', true, 'machine.stores: must be'],
  ['machine.threads', 1.5, 'machine.threads: must be'],
  ['machine.schedule', null, 'machine.schedule: must be'],
  ['machine.caller', true, 'machine.caller: must be'],
  ['machine.minBytes', Number.NaN, 'machine.minBytes: must be'],
  ['machine.channels', 17, 'machine.channels: must be a whole number from 1 to 16, got 17'],
  ['sizes', [], 'sizes: must be a list with something in it'],
  ['sizes', {}, 'sizes: must be a list'],
  ['sizes.1', 5, 'sizes[1]: must be an object, got 5'],
  ['sizes.2.load', -1, 'sizes[2].load: must be'],
  ['sizes.0.folioBytes', 5000, 'folio size: must be a power of two from 4K to 4M'],
  ['sizes.0.folioBytes', '4K', 'sizes[0].folioBytes: must be a whole number'],
  ['sizes.0.batchBytes', 0, 'sizes[0].batchBytes: must be'],
  ['sizes.3.engine.threads', 70, 'sizes[3].engine.threads: must be'],
];
const MEMBERS = Array.from(new Set(WRONG.map(([path]) => path))).filter((path) => !/^sizes\.\d$/.test(path));

/** A profile whose member of that path is something else, or not there. */
function changed(path: string, value?: unknown): unknown {
  const copy = structuredClone(profile()) as never;
  const steps = path.split('.');
  const last = steps.pop() as string;
  const owner = steps.reduce((object, step) => object[step], copy as Record<string, never>);
  if (value === undefined) delete owner[last];
  else owner[last] = value as never;
  return copy;
}

describe('a profile is refused', () => {
  it.each(WRONG)('whose %s is %o', async (path, value, message) => {
    expect(await errorOf(() => checkProfile(changed(path, value)))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining(message),
    });
  });

  it.each(MEMBERS)('without %s', async (path) => {
    const name = (path.split('.').at(-1) as string).replace(/^folioBytes$/, 'sizes[0].folioBytes');
    expect(await errorOf(() => checkProfile(changed(path)))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining(name),
    });
  });

  it.each(['', 'host.', 'engine.', 'machine.', 'sizes.0.', 'sizes.0.engine.'])(
    'with something more in %s',
    async (at) => {
      const error = await errorOf(() => checkProfile(changed(`${at}more`, 1)));
      expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining("got 'more'") });
    },
  );

  it('that is anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => checkProfile(value)).toThrow(errno('EINVAL'));
      }),
    );
  });

  it('of which a part is missing, wherever it ends', async () => {
    const whole = JSON.stringify(profile());
    for (let end = 0; end < whole.length; end += 97) {
      using file = fileWith(whole.slice(0, end));
      const error = await errorOf(() => readProfile(file.path));
      expect(error).toMatchObject({
        code: 'EINVAL',
        message: expect.stringContaining(`${file.path}: is no JSON, or not all of it`),
      });
    }
  });

  it('that is the JSON of something else', async () => {
    using file = fileWith('{ "name": "mtcopy", "version": "0.1.0" }');
    const error = await errorOf(() => readProfile(file.path));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(`${file.path}.schema: must be`) });
  });

  it('that is not there, or a folder', async () => {
    using file = fileWith('');
    const missing = await errorOf(() => readProfile(`${file.path}.gone`));
    expect(missing).toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining(`there is no ${file.path}.gone`),
    });
    expect(await errorOf(() => readProfile(`${file.path}/below`))).toMatchObject({ code: 'ENOENT' });
    expect(await errorOf(() => readProfile(file.folder))).toMatchObject({ code: 'EISDIR' });
  });

  const uses: [unknown, string][] = [
    [5, 'profile: must be the path of a file, or what readProfile() returned, got 5'],
    [null, 'got null'],
    [{}, 'profile.schema: must be'],
    [{ from: 5 }, 'profile: must be the path of a file'],
    [{ from: profile(), forced: true }, "profile: must have from, folioSize, batch, load, force, got 'forced'"],
    [{ from: profile(), force: 'yes' }, 'profile.force: must be true or false'],
    [{ from: profile(), folioSize: '5K' }, 'folio size: must be a power of two'],
    [{ from: profile(), batch: 'large' }, 'profile.batch: must be a size'],
    [{ from: profile(), batch: 0 }, 'profile.batch: must be'],
    [{ from: profile(), load: -1 }, 'profile.load: must be'],
  ];
  it.each(uses)('where it is asked for as %o', async (option, message) => {
    for (const start of [
      () => CopyEngine.create({ memory: '16M', profile: option as never }),
      () => Machine.boot({ nodes: ['4M'], cpus: 0, profile: option as never }),
    ]) {
      const error = await errorOf(start);
      expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(message) });
    }
  });
});
