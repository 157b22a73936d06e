export { errorClasses, type ClassFacts, type ErrorClass, type ErrorFacts } from './class.ts';
export { FastnessError, type ProblemDetails } from './fastness-error.ts';
export { factsOf, provideErrors } from './facts.ts';
export { errorRegistry, isErrorCode, type ErrorCode } from './registry.ts';
