import { FastnessError } from '../errors/index.ts';

// XML 1.0, section 2.3, without characters outside ASCII.
const nameSticky = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const spaceSticky = /[ \t\n]*/y;

/** Steps through the text of a document. */
export class XmlScanner {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#offset >= this.#text.length;
  }

  startsWith(token: string): boolean {
    return this.#text.startsWith(token, this.#offset);
  }

  /** Steps over `token`, when it is next. */
  accept(token: string): boolean {
    if (!this.startsWith(token)) return false;
    this.#offset += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.accept(token)) throw this.malformed(`${JSON.stringify(token)} expected`);
  }

  /** Steps over white space; returns whether there was any. */
  space(): boolean {
    return this.#match(spaceSticky).length > 0;
  }

  /** The next name, without a prefix. */
  ncName(): string {
    const name = this.#match(nameSticky);
    if (name.length === 0) throw this.malformed('a name expected');
    return name;
  }

  /** Everything up to one of the characters, which is left; to the end when none follows. */
  until(...stops: readonly string[]): string {
    const ends = stops.map((stop) => this.#text.indexOf(stop, this.#offset)).filter((index) => index >= 0);
    const end = Math.min(this.#text.length, ...ends);
    const text = this.#text.slice(this.#offset, end);
    this.#offset = end;
    return text;
  }

  malformed(why: string): FastnessError {
    return new FastnessError('CODEC_MALFORMED', `XML, character ${this.#offset}: ${why}.`);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#offset += found.length;
    return found;
  }
}
