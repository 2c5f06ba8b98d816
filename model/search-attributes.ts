/** The search attributes that jobs and settlements set where all of them are registered in the namespace: for lists and filters. */
export const SEARCH_ATTRIBUTES = {
  /** Phase of the job, or of the settlement. */
  GolemPhase: 'KEYWORD',
  /** Node ids of the providers rented so far, the first 40. */
  GolemProviders: 'KEYWORD_LIST',
  /** GLM accepted so far, rounded: for filters alone. The settlement's is the last word. */
  GolemCost: 'DOUBLE',
} as const;
