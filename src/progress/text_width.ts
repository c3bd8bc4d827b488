const INVISIBLE = /[\p{Mn}\p{Me}\p{Cf}]/u;

// East Asian wide and fullwidth, and what shows as a picture.
const WIDE =
  /[\u{1100}-\u{115F}\u{2E80}-\u{303E}\u{3041}-\u{A4CF}\u{AC00}-\u{D7A3}\u{F900}-\u{FAFF}\u{FE30}-\u{FE6F}\u{FF00}-\u{FF60}\u{FFE0}-\u{FFE6}\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}/u;

function characterWidth(character: string): number {
  if (character <= "~") return 1;
  if (INVISIBLE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The number of columns that a text takes in a terminal. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Cuts a text so that it takes at most so many columns. */
export function trimToWidth(text: string, columns: number): string {
  let width = 0;
  let end = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns) return text.slice(0, end);
    end += character.length;
  }
  return text;
}

/** Makes one line of a text: no colours, line breaks or other controls. */
export function toOneLine(text: string): string {
  return text.replace(/\p{Cc}\[[\d;]*m/gu, "")
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}
