// Loads the main part of a live page anew every few seconds, and says when it cannot. Pages work without it.

const INTERVAL_MS = 5000;
const main = document.getElementById('main');
const address = main?.dataset.live;
const lost = document.getElementById('lost');
let tag = '';

// Somebody who writes or has opened something is not disturbed.
const isBusy = () =>
  main.querySelector('details[open]') !== null ||
  (main.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName));

const title = document.title;
const showCount = () => {
  const count = main.querySelector('[data-urgent]')?.dataset.urgent ?? '0';
  document.title = count === '0' ? title : `(${count}) ${title}`;
};

// The place of the focus, so that a keyboard stays where it was.
const focused = () => (main.contains(document.activeElement) ? document.activeElement.id : '');

const load = async () => {
  const response = await fetch(address, {
    cache: 'no-store',
    headers: tag ? { 'If-None-Match': tag } : {},
    signal: AbortSignal.timeout(INTERVAL_MS * 2),
  });
  if (response.status === 401) {
    location.reload();
    return;
  }
  if (response.status === 304) return;
  if (!response.ok) throw new Error(String(response.status));
  const text = await response.text();
  if (isBusy()) return;
  tag = response.headers.get('ETag') ?? '';
  const id = focused();
  main.innerHTML = text;
  if (id) document.getElementById(id)?.focus();
  showCount();
};

const again = async () => {
  if (!document.hidden && !isBusy()) {
    try {
      await load();
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
  }
  setTimeout(again, INTERVAL_MS);
};

if (address) {
  showCount();
  setTimeout(again, INTERVAL_MS);
}
