export { buildConsole, contentSecurityPolicy, integrityOf, type ConsoleSite } from './build.ts';
export { consoleSite } from './site.ts';
export { serveConsole, type ServedConsole } from './serve.ts';
