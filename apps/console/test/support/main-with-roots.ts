import type { TrustAnchors } from '@fastness/attest';
import '../../src/jitless.ts';
import { startConsole } from '../../src/console.ts';

// The page as it is, but for the roots of vendors, which the test hands in: its forged hardware then passes for genuine.
startConsole({ anchors: (globalThis as unknown as { testRoots: TrustAnchors }).testRoots });
