// What `@fastness/client` is in pages with a strict content security policy. The order of these two matters.
import './jitless.ts';
export * from './index.ts';
