/* What can be done to a job, each behind a question. Escape and a click beside the question close it. */
import { el, say, show } from './dom.js';
import { post } from './stream.js';

export function actionButtons(jobId) {
  const topUp = question({
    title: 'Raise the budget',
    text: 'The job may cost so much more, and the money is reserved on yagna at once.',
    confirm: 'Raise it',
    field: { label: 'GLM to add', name: 'amount', pattern: '\\d{1,30}(\\.\\d{1,18})?', placeholder: '0.5' },
    act: (amount, updateId) => post('/api/job/top-up', { id: jobId, amount, updateId }),
  });
  const terminate = question({
    title: 'End this job in good order?',
    text: 'What it has done is kept. Its rentals are closed and their VMs ended, tasks that were not begun are given up, and what is owed is paid.',
    confirm: 'End it',
    act: () => post('/api/job/terminate', { id: jobId, reason: 'ended from the page' }),
  });
  const cancel = question({
    title: 'Cancel this job?',
    text: 'Its results are given up. Its rentals are closed and their VMs ended, and what is owed is paid. This cannot be undone.',
    confirm: 'Cancel the job',
    isGrave: true,
    act: () => post('/api/job/cancel', { id: jobId }),
  });
  const button = (text, ask, className) =>
    el('button', { type: 'button', class: className, onclick: ask }, text);
  const element = el(
    'div',
    { class: 'actions', hidden: true },
    button('Top up…', topUp.ask),
    button('Terminate…', terminate.ask),
    button('Cancel…', cancel.ask, 'grave'),
  );
  return {
    element,
    dialogs: [topUp, terminate, cancel].map((each) => each.dialog),
    show: (isShown) => show(element, isShown),
  };
}

let questions = 0;

function question({ title, text, confirm, field, act, isGrave }) {
  const name = `question-${++questions}`;
  const input =
    field &&
    el('input', {
      ...field,
      label: undefined,
      id: `${name}-field`,
      required: true,
      inputmode: 'decimal',
      autocomplete: 'off',
    });
  const yes = el('button', { class: isGrave ? 'grave filled' : 'primary' }, confirm);
  const no = el('button', { type: 'button', autofocus: !field }, 'Back');
  const answer = el('div', { class: 'answer', role: 'status' });
  const form = el(
    'form',
    { method: 'dialog' },
    el('h2', { id: name }, title),
    el('p', { id: `${name}-text` }, text),
    field && el('label', { for: `${name}-field` }, field.label, input),
    answer,
    el('div', { class: 'buttons' }, no, yes),
  );
  const dialog = el('dialog', { 'aria-labelledby': name, 'aria-describedby': `${name}-text` }, form);
  /** The same for all tries of one question: what was done by a try whose answer was lost is not done again. */
  let attempt;

  no.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    yes.disabled = true;
    answer.replaceChildren(el('p', { class: 'faint' }, 'asking…'));
    try {
      tell(await act(input?.value, attempt));
    } catch (error) {
      tell({ outcome: 'failed', message: error.message });
    }
  });

  function tell({ outcome, message, action, command }) {
    const isBad = outcome === 'failed' || outcome === 'refused';
    answer.replaceChildren(
      el('p', { class: isBad ? 'bad' : outcome === 'done' ? 'good' : 'warn' }, message),
      ...(action ? [el('p', {}, action)] : []),
      ...(command ? [el('pre', { tabindex: '0' }, command)] : []),
    );
    const isOver = outcome === 'done' || outcome === 'over' || outcome === 'refused';
    show(yes, !isOver);
    yes.disabled = false;
    if (isOver) {
      say(no, 'Close');
      no.focus();
    }
  }

  return {
    dialog,
    ask() {
      attempt = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
        byte.toString(16).padStart(2, '0'),
      ).join('');
      answer.replaceChildren();
      say(no, 'Back');
      show(yes, true);
      yes.disabled = false;
      form.reset();
      dialog.showModal();
    },
  };
}
