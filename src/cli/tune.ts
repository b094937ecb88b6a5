import { type Command, Option } from 'commander';
import { ErrnoError, type Profile } from 'mtcopy';
import { type Part, type TuneOptions, tune, tuneParts } from 'mtcopy/experiments';
import { count, folioSizes, natural, number, size, threadCounts } from './arguments.js';
import { addExamples } from './examples.js';
import { checkWritable, writeWhole } from './output-file.js';
import { addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';

interface TuneArguments extends OutputArguments {
  folioSize?: TuneOptions['folioBytes'];
  batch?: TuneOptions['batchBytes'];
  load?: number;
  threads?: TuneOptions['threads'];
  seconds?: number;
  warmup?: number;
  seed?: number;
  quick?: boolean;
  output?: string;
  profile?: string;
  forceProfile?: boolean;
}

const OUTPUT = 'mtcopy.profile.json';

/** Adds `mtcopy tune`. */
export function addTuneCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('tune')
    .description("find this machine's best settings, say why, and write them to a profile that --profile takes")
    .option('--folio-size <sizes>', 'bytes of a folio, 4K to 4M (default: 4K,2M)', folioSizes)
    .option('--batch <sizes>', 'bytes of a batch, whole folios (default: 2M,32M)', sizes)
    .option('--load <processes>', 'measure beside so many busy processes too (default: idle alone)', count)
    .option('--threads <counts>', 'worker threads to try (default: 1, 2, 4 and so on to the cores)', threadCounts)
    .option('--seconds <seconds>', 'measured in all, but each way 7 times in any case (default: 100; quick 15)', number)
    .option('--warmup <rounds>', 'rounds of each search before those that count (default: 1)', natural)
    .option('--seed <number>', 'of the order of shuffled frames, and of the pattern (default: 1)', natural)
    .option('--quick', 'know less of each ratio, and be done sooner')
    .option('--output <file>', `where to write the profile (default: ${OUTPUT})`)
    // As all others have it: who asks is told what to do.
    .addOption(new Option('--profile <file>').hideHelp())
    .addOption(new Option('--force-profile').hideHelp())
    .action((options: TuneArguments) => run(invocation, options));
  addOutputOptions(command);
  addExamples(command, {
    'tune --quick': 'A first answer, in a minute',
    'tune --folio-size 2M --batch 32M --load 2': 'For large folios, idle and beside two busy processes',
  });
}

function sizes(text: string): number[] {
  return text.split(',').map((one) => size(one.trim()));
}

async function run(invocation: Invocation, options: TuneArguments): Promise<void> {
  const { folioSize, batch, load, threads, seconds, warmup, seed, quick, output = OUTPUT } = options;
  checkNoProfile(options);
  checkWritable('output', output, '--json prints the profile');
  let unwritten: unknown;
  await present('tune', invocation, options, {
    preparing: 'filling memory',
    measure: async (control) => {
      const sizes = { folioBytes: folioSize, batchBytes: batch };
      const tuned = await tune({ ...sizes, load, threads, seconds, warmUps: warmup, seed, quick }, control);
      unwritten = tuned.profile && writeProfile(output, tuned.profile);
      const written = tuned.profile && unwritten === undefined && { file: output };
      // What is for programs says it in a member that nobody reads.
      if (options.json || options.csv || options.markdown) {
        invocation.stderr.write(`mtcopy: ${writtenText(written || {})}\n`);
      }
      return { ...written, ...tuned };
    },
    rows: ({ sizes }) => sizes,
    parts: (tuned): Part[] => [...tuneParts(tuned), '', writtenText(tuned)],
  });
  if (unwritten !== undefined) throw unwritten;
}

/** @throws ErrnoError EINVAL for a profile: there is none to begin with */
function checkNoProfile({ profile, forceProfile }: TuneArguments): void {
  if (profile === undefined && forceProfile === undefined) return;
  const instead =
    'say with --output where it is to be written, and compare two profiles by mtcopy migrate --profile FILE --json, and --baseline';
  throw new ErrnoError('EINVAL', `--profile: tune makes a profile and takes none: ${instead}`);
}

/** Returns what it can't be written for: that is thrown once what was measured is printed. */
function writeProfile(path: string, profile: Profile): unknown {
  try {
    writeWhole(path, `${JSON.stringify(profile, undefined, 2)}\n`);
  } catch (error) {
    return error;
  }
  return undefined;
}

function writtenText({ file }: { readonly file?: string }): string {
  return file === undefined ? 'No profile was written.' : `Written to ${file}: take it with --profile ${file}.`;
}
