export type Child = Node | string | undefined;

/** Attributes as they stand in markup; `true` is an attribute without a value, undefined and false are none. */
export type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/**
 * Makes an element. Text goes in as text: what an enclave or a policy says can never become markup, and the page's content
 * security policy refuses scripts and styles in attributes.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** The element of this id, which the page's own markup holds. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new TypeError(`The page has no ${type.name} #${id}.`);
}

/** Offers `text` as a file to save; nothing leaves the page. */
export function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A short name for a long hex or base64url value: both ends, so that two of them can be told apart. */
export function short(value: string): string {
  return value.length > 24 ? `${value.slice(0, 12)}…${value.slice(-8)}` : value;
}
