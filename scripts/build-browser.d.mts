/** The client as ES modules by file name; see build-browser.mjs. */
export function buildClient(): Promise<Map<string, Uint8Array>>;
