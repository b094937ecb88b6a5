/** A setting that may tell rows of a table apart. */
export interface SettingColumn<Row> {
  readonly head: string;
  readonly of: (row: Row) => string;
  /** How a heading says it, where all rows agree; an empty string leaves it out. */
  readonly phrase: (text: string) => string;
}

/** The settings of a table's rows: columns for those that vary, a heading for all others. */
export interface SettingColumns<Row> {
  readonly heads: string[];
  readonly of: (row: Row) => string[];
  readonly heading: string;
}

/** @param what the heading begins with */
export function splitSettings<Row>(
  what: string,
  settings: readonly SettingColumn<Row>[],
  rows: readonly Row[],
): SettingColumns<Row> {
  const varies = ({ of }: SettingColumn<Row>) => new Set(rows.map(of)).size > 1;
  const varying = settings.filter(varies);
  const phrases = settings.filter((setting) => !varies(setting)).map(({ of, phrase }) => phrase(of(rows[0])));
  return {
    heads: varying.map(({ head }) => head),
    of: (row) => varying.map(({ of }) => of(row)),
    heading: [what, ...phrases.filter((phrase) => phrase !== '')].join(', '),
  };
}
