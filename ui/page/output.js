/* What a task printed: asked for when it is opened, and again while it is open and the task is not over. */
import { el } from './dom.js';
import { get } from './stream.js';

export function taskOutput(jobId, name) {
  const body = el('div', { class: 'output' });
  const element = el('details', {}, el('summary', {}, 'output'), body);
  let isOver = false;
  let isAsking = false;
  let isDue = false;
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
    while (isDue && element.open && !isOver) {
      isDue = false;
      await answer();
    }
    isAsking = false;
  }

  async function answer() {
    try {
      const { state, results } = await get('/api/job/task', { id: jobId, name });
      isOver = state !== 'waiting' && state !== 'running';
      draw(JSON.stringify(results), () => printedBy(results));
    } catch (error) {
      draw(error.message, () => [el('p', { class: 'bad' }, error.message)]);
    }
  }

  element.addEventListener('toggle', ask);
  return { element, ask };
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
