import { type EngineSettings, formatSize, type MachineSettings, type Profile } from 'mtcopy';
import { loopOf } from '../shared/loops.js';
import { type Ratio, ratioText } from '../shared/ratio.js';
import type { Part } from '../shared/sheet.js';
import type { Alternative } from './choose.js';
import { copyText } from './copies.js';
import { migrationText } from './migrations.js';
import { sizeText, type Tuned, type TunedChoice, type TunedSize } from './tune.js';

const EXPLANATION = `Ratios are of speeds, measured in turns: median [interval of 95 %].
Within the noise: the interval reaches 1. Of those nearly as fast by the median the one with fewer threads is chosen.
Folios lie shuffled. Every run was verified.`;

const NOISY = `Little is known: some intervals are wider than a quarter of their ratio to either side,
so few threads are chosen. Measure on an idle host, or for more --seconds.`;
/** Half the width of an interval, as a part of its ratio, that says little. */
const WIDE = 0.25;

/** What was found: why each size has what it has, what that comes to, and what the figures mean. */
export function tuneParts({ profile, sizes }: Tuned): Part[] {
  const chosen = profile === undefined ? [] : [...profileParts(profile), ''];
  const warning = isNoisy(sizes) ? [NOISY, ''] : [];
  return [...sizes.flatMap((size) => [...sizeParts(size), '']), ...chosen, ...warning, EXPLANATION];
}

/** Whether what was chosen could be far from the fastest, or something that wasn't chosen much faster. */
function isNoisy(sizes: readonly TunedSize[]): boolean {
  const choices = sizes.flatMap(({ copies, methods, migrations, stores }) => [copies, methods, migrations, stores]);
  return choices.some((choice) => {
    if (choice === undefined) return false;
    return isWide(choice.ofFastest) || choice.alternatives.some(({ ratio }) => ratio.high > 1 && isWide(ratio));
  });
}

function isWide(ratio: Ratio): boolean {
  return (ratio.high - ratio.low) / 2 > WIDE * ratio.median;
}

function sizeParts(size: TunedSize): Part[] {
  const { copies, methods, migrations, stores } = size;
  return [
    `${sizeText(size)}`,
    choiceText('Copying', copies, copyText),
    ...reasons(copies.alternatives),
    ...(methods ? [choiceText('Loop', methods, ({ method }) => method), ...reasons(methods.alternatives)] : []),
    ...(migrations ? [choiceText('Migrating', migrations, migrationText), ...reasons(migrations.alternatives)] : []),
    ...(stores ? [choiceText('Stores', stores, (manner) => manner.stores), ...reasons(stores.alternatives)] : []),
  ];
}

function choiceText<Settings>(
  what: string,
  { chosen, fastest, ofFastest, ofFirst, tried }: TunedChoice<Settings>,
  text: (settings: Settings) => string,
): string {
  const [is, first] = [text(chosen), text(tried[0].settings)];
  const compared = is === first ? '' : `\n  ${ratioText(ofFirst)} times as fast as ${first}`;
  const said = `${what}: ${is}${compared}`;
  if (is === text(fastest)) return said;
  return `${said}\n  within the noise, ${ratioText(ofFastest)} times as fast as what was fastest: ${text(fastest)}`;
}

function reasons(alternatives: readonly Alternative[]): Part[] {
  if (alternatives.length === 0) return [];
  return [
    {
      texts: ['setting', 'chosen', 'instead', 'which is'],
      numbers: ['as fast as chosen', 'pairs'],
      rows: alternatives.map(({ setting, chosen, instead, ratio }) => [
        setting,
        chosen,
        instead,
        verdict(ratio),
        ratioText(ratio),
        String(ratio.pairs),
      ]),
    },
  ];
}

function verdict({ low, high }: Ratio): string {
  if (high < 1) return 'slower';
  return low > 1 ? 'faster' : 'within the noise';
}

function profileParts({ engine, machine }: Profile): Part[] {
  return [
    'Chosen over all sizes, idle, by the rounds of all of them together:',
    `  engine   ${engineText(engine)}`,
    `  machine  ${machineText(machine)}`,
  ];
}

function engineText({ threads, schedule, distribution, unitBytes, caller, minParallelBytes, ...loop }: EngineSettings) {
  const shape = schedule === 'static' ? `distribution ${distribution}` : `unitBytes ${sizeOr(unitBytes)}`;
  return `threads ${threads}, caller ${caller}, ${schedule}, ${shape}, minParallelBytes ${sizeOr(minParallelBytes)}, ${loopOf(loop)}`;
}

function machineText({
  migrator,
  flow,
  stores,
  threads,
  schedule,
  caller,
  minBytes,
  channels,
}: MachineSettings): string {
  const own = migrator === 'dcbm' ? `channels ${channels}` : `threads ${threads}, caller ${caller}, ${schedule}`;
  return `${migrator}, ${flow}, stores ${stores}${migrator === 'kernel' ? '' : `, ${own}, minBytes ${formatSize(minBytes)}`}`;
}

function sizeOr(bytes: number | string): string {
  return typeof bytes === 'number' ? formatSize(bytes) : bytes;
}
