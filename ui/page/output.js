/* What a task printed: asked for when it is opened, and again while it is open and the task is not over. */
import { el } from './dom.js';
import { get } from './stream.js';

/** After so long it asks again where it got no answer, or one that is behind what its row says. */
const AGAIN_MS = 2000;

export function taskOutput(jobId, name) {
  const body = el('div', { class: 'output' });
  const element = el('details', {}, el('summary', {}, 'output'), body);
  let isOver = false;
  let isAsking = false;
  let isDue = false;
  let isRowOver = false;
  let again;
  let drawn;

  function draw(key, make) {
    if (key === drawn) return;
    drawn = key;
    body.replaceChildren(...make());
  }

  async function ask() {
    isDue = true;
    if (isAsking) return;
    isAsking = true;
    clearTimeout(again);
    let isAnswered = true;
    while (isDue && element.open && !isOver) {
      isDue = false;
      isAnswered = await answer();
    }
    isAsking = false;
    if (element.open && !isOver && (!isAnswered || isRowOver)) again = setTimeout(ask, AGAIN_MS);
  }

  async function answer() {
    try {
      const { state, results } = await get('/api/job/task', { id: jobId, name });
      isOver = state !== 'waiting' && state !== 'running';
      draw(JSON.stringify(results), () => printedBy(results));
      return true;
    } catch (error) {
      draw(error.message, () => [el('p', { class: 'bad' }, error.message)]);
      // What is not there will not come: its result was written elsewhere.
      isOver = error.status === 404;
      return false;
    }
  }

  element.addEventListener('toggle', ask);
  return {
    element,
    ask,
    /** What its row says of the task. */
    setOver: (value) => void (isRowOver = value),
  };
}

function printedBy(results) {
  if (results.length === 0) return [el('p', { class: 'faint' }, 'no command of it has ended yet')];
  return results
    .flatMap(({ index, stdout, stderr, message }) => [
      el('h3', {}, `command ${index + 1}`),
      stdout && el('pre', { tabindex: '0' }, stdout),
      stderr && el('pre', { class: 'stderr', tabindex: '0' }, stderr),
      message && el('p', { class: 'bad' }, message),
      !stdout && !stderr && !message && el('p', { class: 'faint' }, 'it printed nothing'),
    ])
    .filter(Boolean);
}
