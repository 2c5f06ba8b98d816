/* Begins the page: the list of jobs, or with `?job=ID` one of them. */
import { el, say, show } from './dom.js';
import { showJob } from './job.js';
import { showJobs } from './jobs.js';

const $ = (selector) => document.querySelector(selector);

const LOST = 'The server of this page does not answer. It is tried again; start it with golem-temporal ui.';

function link(isThere) {
  say($('#link'), isThere ? 'live' : 'not connected');
  $('#link').className = isThere ? 'live' : 'lost';
  show(lost, !isThere);
}

const lost = el('p', { class: 'alert bad', role: 'alert', hidden: true }, LOST);
$('#main').before(lost);

const response = await fetch('/api/about').catch(() => undefined);
const about = response?.ok ? await response.json() : {};
say($('#namespace'), about.namespace ? `namespace ${about.namespace}` : '');
if (about.temporalUi) {
  $('#temporal').href = `${about.temporalUi}/namespaces/${encodeURIComponent(about.namespace)}/workflows`;
  show($('#temporal'), true);
}

const job = new URLSearchParams(location.search).get('job');
if (job) showJob($('#main'), job, about, link);
else showJobs($('#main'), link);
