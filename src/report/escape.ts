const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** What no document may have, whatever a file says, and terminals obey. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are meant.
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g;

/** A text as it stands in HTML and SVG, in elements and in quoted attributes. */
export function escaped(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** Without characters that a document can't have, and a terminal would obey. */
export function printable(text: string): string {
  return text.replaceAll(FORBIDDEN, '\ufffd');
}
