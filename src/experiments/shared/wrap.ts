/** Characters, as a terminal counts them: what is shown here has one column each. */
export function lengthOf(text: string): number {
  return [...text].length;
}

/** Where a line may end: at a space, or behind the comma of a list of words. */
const BREAKS = /(?<=\s)|(?<=,)(?=[a-z])/i;

/** Text in lines of `width` characters at most; words that are longer are cut. */
export function wrapText(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => (lengthOf(line) <= width ? [line] : wrapLine(line, width)));
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const piece of line.split(BREAKS).flatMap((piece) => cut(piece, width))) {
    if (lengthOf(current + piece.trimEnd()) <= width) {
      current += piece;
    } else {
      lines.push(current.trimEnd());
      current = piece;
    }
  }
  return [...lines, current.trimEnd()];
}

function cut(word: string, width: number): string[] {
  if (lengthOf(word.trimEnd()) <= width) return [word];
  const characters = [...word];
  const pieces = Math.ceil(characters.length / width);
  return Array.from({ length: pieces }, (_, i) => characters.slice(i * width, (i + 1) * width).join(''));
}
