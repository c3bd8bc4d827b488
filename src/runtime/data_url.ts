/**
 * The ASCII module text as a `data:` URL: a worker starts from it without a
 * second file, whatever a bundler did to this package. Base64, as Bun takes
 * a dot in percent-encoded text for a file name.
 */
export function dataUrl(source: string): string {
  return `data:text/javascript;base64,${btoa(source)}`;
}
