/** The page of jobs, served. */
export { isLoopback, startUiServer, type UiOptions, type UiServer } from './server';
