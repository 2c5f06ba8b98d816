/**
 * Preloaded into worker processes (`NODE_OPTIONS=--require …`): names in a header the Temporal activity that a request
 * to yagna belongs to, for the proxy in between. The product itself knows nothing of it.
 */
const { fetch, Headers } = globalThis;

globalThis.fetch = (input, init = {}) => {
  const sender = presentActivity();
  if (sender === undefined) return fetch(input, init);
  const headers = new Headers(init.headers);
  headers.set('x-golem-sender', sender);
  return fetch(input, { ...init, headers });
};

function presentActivity() {
  const { asyncLocalStorage } = require('@temporalio/activity');
  const { info } = asyncLocalStorage.getStore() ?? {};
  if (!info) return undefined;
  const { activityType, attempt, workflowExecution } = info;
  return JSON.stringify({ activity: activityType, attempt, workflowId: workflowExecution?.workflowId });
}
