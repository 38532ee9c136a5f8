// The page: signing in and out, and asking for the status every two seconds. What it shows lies in `overview.js`,
// `live.js` and `refusals.js`; `dom.js` is beneath them all.

import { $, ask } from './dom.js';
import * as live from './live.js';
import * as overview from './overview.js';
import * as refusals from './refusals.js';

const POLLED_EVERY_MS = 2_000;
/** Refusals are counted in the database, which is not asked each time. */
const POLLS_A_COUNT = 5;

/** Grows with every sign-in and sign-out, so that an answer that was under way then is not taken for a new one. */
let session = 0;

async function poll(mine = session, polls = 0) {
  if (mine !== session) return;
  try {
    const status = await ask('GET', 'status');
    if (mine !== session) return;
    live.know(status);
    if (document.body.dataset.session !== 'in') signedIn();
    overview.show(status);
    if (polls % POLLS_A_COUNT === 0) refusals.poll();
    trouble('');
  } catch (failure) {
    if (mine !== session) return;
    if (document.body.dataset.session !== 'in') signInWith(failure.message);
    trouble(`${failure.message} What is shown may be old; trying again.`);
  }
  setTimeout(poll, POLLED_EVERY_MS, mine, polls + 1);
}

function trouble(words) {
  $('trouble').textContent = words;
  $('trouble').hidden = !words;
}

function signedIn() {
  document.body.dataset.session = 'in';
  $('token').value = '';
  $('sign-in-error').textContent = '';
  live.start();
  refusals.refresh();
}

/** Asks for the token, and says why. */
function signInWith(words) {
  document.body.dataset.session = 'out';
  $('sign-in-error').textContent = words;
  $('token').focus();
}

function signedOut(words) {
  session += 1;
  live.stop();
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  signInWith(words);
}

document.addEventListener('signed-out', () => {
  const before = document.body.dataset.session;
  if (before !== 'out') signedOut(before === 'in' ? 'You were signed out. Please sign in again.' : '');
});

$('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await ask('POST', 'session', { token: $('token').value });
    session += 1;
    await poll();
  } catch (failure) {
    $('sign-in-error').textContent = failure.status === 401 ? 'This is not the operator token.' : failure.message;
    $('token').select();
  }
});

$('sign-out').addEventListener('click', async () => {
  await ask('DELETE', 'session').then(
    () => signedOut(''),
    (failure) => trouble(failure.message),
  );
});

for (const button of document.querySelectorAll('dialog .close')) {
  button.addEventListener('click', () => button.closest('dialog').close());
}

poll();
