/* Pieces that both pages have. */
import { el, say, show } from './dom.js';

const TONES = {
  done: 'good',
  completed: 'good',
  failed: 'bad',
  timedOut: 'bad',
  terminated: 'bad',
  cancelled: 'faint',
  paused: 'warn',
};

/** A phase as a word with a colour; the word alone says it all. */
export function phaseBadge(phase) {
  return el('span', { class: `badge ${TONES[phase] ?? 'busy'}` }, phase === 'timedOut' ? 'timed out' : phase);
}

/** What is wrong, and what to do about it; it is read out when it comes. */
export function troubleBox(className = 'alert bad') {
  const message = el('strong');
  const action = el('span');
  const element = el('div', { class: className, role: 'alert', hidden: true }, message, ' ', action);
  return {
    element,
    show(trouble) {
      show(element, Boolean(trouble));
      say(message, trouble?.message ?? '');
      say(action, trouble?.action ?? '');
    },
  };
}

/** A section with a heading, a count beside it, and what is in it. */
export function card(title, ...content) {
  const counted = el('small');
  const head = el('div', { class: 'card-head' }, el('h2', {}, title, ' ', counted));
  const name = title.toLowerCase().replace(/\W+/g, '-');
  const element = el('section', { class: 'card', id: name, 'aria-label': title }, head, ...content);
  return { element, head, counted };
}

/** A button that asks for more of a list. @param load asks for it */
export function moreButton(load) {
  const button = el('button', { hidden: true }, 'Show more');
  const message = el('span', { role: 'status' });
  button.addEventListener('click', async () => {
    button.disabled = true;
    say(message, '');
    try {
      await load();
    } catch (error) {
      say(message, ` ${error.message}`);
    }
    button.disabled = false;
  });
  return { button, element: el('p', { class: 'more' }, button, message) };
}
