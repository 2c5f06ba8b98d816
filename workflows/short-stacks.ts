/**
 * The SDK takes a stack trace of every promise that a workflow makes, for its query `__stack_trace`: at the usual ten frames a
 * fifth of the time of all workflow code. Only in a bundle of our own workflows: others' traces are theirs.
 */
Error.stackTraceLimit = 3;
