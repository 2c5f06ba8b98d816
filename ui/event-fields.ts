/** Reads the details of events, which other versions may have written: what is not there is undefined, never an error. */
import type { JobEvent } from '../client/index';
import type { ProviderInfo } from '../model/result';

type Details = JobEvent['details'];

export function textIn(details: Details, name: string): string | undefined {
  const value = details[name];
  return typeof value === 'string' ? value : undefined;
}

export function numberIn(details: Details, name: string): number | undefined {
  const value = details[name];
  return typeof value === 'number' ? value : undefined;
}

export function objectIn(details: Details, name: string): Details {
  const value = details[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Details) : {};
}

export function providerIn(details: Details): ProviderInfo | undefined {
  const provider = objectIn(details, 'provider');
  const id = textIn(provider, 'id');
  return id === undefined ? undefined : { id, name: textIn(provider, 'name') ?? id };
}

/** Id of the agreement that an event is about. */
export function agreementOf({ name, details }: JobEvent): string | undefined {
  return textIn(details, name.startsWith('Agreement') ? 'id' : 'agreementId');
}
