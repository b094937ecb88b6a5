import { max, min } from 'simple-statistics';
import { isSure, type Ratio } from '../shared/ratio.js';

/** An estimate, and the interval that it lies in with that confidence. */
export type Estimate = Pick<Ratio, 'median' | 'low' | 'high' | 'confidence'>;

/** Something that is here what others say of it. */
interface Compared {
  /** What is compared with what, such as `4K, 2 threads against the baseline`. */
  readonly what: string;
  /** `'ratio'`: of two things, above 1 if the first is more; `'share'`: of a whole, 0 to 1. */
  readonly kind: 'ratio' | 'share';
  /** What it is here. */
  readonly measured: Estimate;
}

/** Something that was published, and what it is here. */
export interface Finding extends Compared {
  /** The published figure. */
  readonly published: number;
}

/** Something that is claimed as an order of magnitude, with no figure published, and what it is here. */
export interface Claim extends Compared {
  /** The order of magnitude. */
  readonly claimed: number;
}

/** What a table's findings come to. */
export interface Verdict {
  /** Whether every finding holds here. */
  readonly holds: boolean;
  /** The same in a few sentences, for a person. */
  readonly says: string;
}

/** The verdict of what was cut short before the runs that an interval of 95 % needs. */
export const NOT_KNOWN: Verdict = {
  holds: false,
  says: 'Not known: it was cut short before there was enough to compare.',
};

/** The figure that a finding is beside, and what that is. */
export function saidOf(finding: Finding | Claim): { figure: number; by: 'published' | 'claimed' } {
  if ('published' in finding) return { figure: finding.published, by: 'published' };
  return { figure: finding.claimed, by: 'claimed' };
}

/** On which side of it a figure lies is what it says: more or less than the other, the larger or the smaller part. */
const BORDER = { ratio: 1, share: 0.5 } as const;

/** Whether the whole interval lies on the published side; no interval of too few runs does. */
export function findingHolds(finding: Finding | Claim): boolean {
  const { kind, measured } = finding;
  if (!isSure(measured)) return false;
  const border = BORDER[kind];
  return saidOf(finding).figure > border ? measured.low > border : measured.high < border;
}

/** Whether the interval lies on both sides, or is of too few runs, so that nothing is known yet. */
export function findingIsOpen({ kind, measured }: Compared): boolean {
  return !isSure(measured) || (measured.low <= BORDER[kind] && measured.high >= BORDER[kind]);
}

/** What all findings come to, in a few sentences. */
export function judge(findings: readonly (Finding | Claim)[]): Verdict {
  if (!findings.some(({ measured }) => isSure(measured))) return NOT_KNOWN;
  const different = findings.filter((finding) => !findingHolds(finding));
  const near = nearText(findings);
  if (different.length === 0)
    return { holds: true, says: `Holds: ${findings.length} of ${findings.length} findings. ${near}` };
  const held = findings.length - different.length;
  const says = [`${held} of ${findings.length} findings hold. ${near}`, ...differText(different)].join('\n');
  return { holds: false, says };
}

/** How near all come to what they are beside: those to published figures, and apart those to claimed ones. */
function nearText(findings: readonly (Finding | Claim)[]): string {
  const texts = (['published', 'claimed'] as const).flatMap((by) => {
    const own = findings.filter((finding) => saidOf(finding).by === by);
    const nearness = own.map((finding) => finding.measured.median / saidOf(finding).figure);
    return own.length === 0 ? [] : [`by ${by}: ${rangeText(nearness)}`];
  });
  return `Measured ${texts.join('; ')}.`;
}

/** Those that don't hold, a line each: those that are otherwise here, and those of which too little is known. */
export function differText(findings: readonly (Finding | Claim)[]): string[] {
  const lines = (head: string, list: readonly (Finding | Claim)[]) =>
    list.length === 0 ? [] : [head, ...list.map((finding) => `  ${findingText(finding)}`)];
  return [
    ...lines(
      'Differs:',
      findings.filter((finding) => !findingIsOpen(finding)),
    ),
    ...lines(
      'Not decided, for the interval has both sides, or there are too few runs:',
      findings.filter(findingIsOpen),
    ),
  ];
}

/** A finding with both figures. */
export function findingText(finding: Finding | Claim): string {
  const { figure, by } = saidOf(finding);
  return `${finding.what} ${estimateText(finding.measured)}, ${by} ${digits(figure)}`;
}

/** With its interval: `1.52 [1.40, 1.66]`. */
export function estimateText({ median, low, high }: Estimate): string {
  return `${digits(median)} [${digits(low)}, ${digits(high)}]`;
}

function rangeText(numbers: readonly number[]): string {
  const [low, high] = [digits(min([...numbers])), digits(max([...numbers]))];
  return low === high ? low : `${low} to ${high}`;
}

/** Three digits that count. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
