// Pages work without this. It saves waiting (a state is looked at every two seconds),
// shows the seconds that are left, and keeps a form from being sent twice.
'use strict';

const every = 2000;

document.documentElement.classList.add('scripted');

for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', (e) => {
    if (form.dataset.sent) {
      e.preventDefault();
      return;
    }
    form.dataset.sent = 'yes';
    form.querySelector('button').setAttribute('aria-disabled', 'true');
  });
}
// A page that comes back from the browser's memory may be sent again: its key makes
// that harmless.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    form.querySelector('button').removeAttribute('aria-disabled');
  }
});

const state = document.getElementById('state');
if (state?.dataset.poll) look();

// look asks how far it has come. What has not changed is not written anew, so that a
// screen reader says each state once.
async function look() {
  let over = false;
  try {
    const answer = await fetch(state.dataset.poll, { credentials: 'same-origin' });
    if (answer.status === 401 || answer.status === 404) {
      location.reload();
      return;
    }
    if (answer.ok) {
      const text = (await answer.text()).trim();
      if (text !== state.dataset.text) {
        if (state.dataset.text !== undefined || text !== state.innerHTML.trim()) state.innerHTML = text;
        state.dataset.text = text;
      }
      over = answer.headers.get('X-Over') === 'true';
    }
  } catch {
    // The next look may succeed.
  }
  if (!over) {
    setTimeout(look, every);
    return;
  }
  document.getElementById('live-only')?.setAttribute('hidden', '');
}

for (const timer of document.querySelectorAll('[data-until]')) {
  const end = Date.parse(timer.dataset.until);
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    timer.textContent = timer.dataset.words.replace('{}', String(left));
    if (left > 0) setTimeout(tick, 1000);
  };
  timer.hidden = false;
  tick();
}
