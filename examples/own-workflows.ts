export * from 'golem-temporal/workflows';
export * from './squares-workflow';
