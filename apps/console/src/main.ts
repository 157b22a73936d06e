import './jitless.ts';
import { startConsole } from './console.ts';

startConsole();
