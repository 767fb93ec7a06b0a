// While a backtest runs, reloads the part of the page that shows it. Without scripts, a link reloads the page.

import './guard.js';

const INTERVAL_MS = 700;
const part = document.getElementById('backtest');
const lost = document.getElementById('offline');

const load = async () => {
  const response = await fetch(part.dataset.part, { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
  if (response.status === 401) {
    location.reload();
    return;
  }
  if (!response.ok) throw new Error(String(response.status));
  const focused = part.contains(document.activeElement) ? document.activeElement.id : '';
  part.innerHTML = await response.text();
  if (focused) (document.getElementById(focused) ?? document.getElementById('main')).focus();
};

const again = async () => {
  if (part.querySelector('[data-running]') === null) return;
  try {
    await load();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  setTimeout(again, INTERVAL_MS);
};

if (part) setTimeout(again, INTERVAL_MS);
