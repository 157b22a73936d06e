import { config } from 'zod';

// Before any schema is made: zod would try whether it may compile code, which a strict content security policy forbids and
// reports.
config({ jitless: true });
