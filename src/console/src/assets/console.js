// Keeps a live page up to date: reloads its main part when the server reports a change, and shows when the connection
// is lost. Pages also work without this script.

// Minimum time between two loads.
const GAP_MS = 400;
// The server renders countdowns, so the page must reload to update them.
const MAX_AGE_MS = 30_000;
// How long to wait before a lost connection is tried again.
const RETRY_MS = 2_000;
const main = document.getElementById('main');
const { live, events } = main?.dataset ?? {};
const lost = document.getElementById('lost');
let tag = main?.dataset.tag ?? '';
let urgent = 0;

// Whether the person is typing or has opened a section. A reload would disturb the person.
const isBusy = () =>
  main.querySelector('details[open]') !== null ||
  (main.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName));

// Plays two short tones, if the person has switched the sound on.
const SOUND = 'ringbook-sound';
let audio;
const beep = () => {
  if (localStorage.getItem(SOUND) !== 'on') return;
  audio ??= new AudioContext();
  for (const [start, frequency] of [[0, 880], [0.25, 1175]]) {
    const tone = new OscillatorNode(audio, { frequency });
    const volume = new GainNode(audio, { gain: 0.15 });
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + start);
    tone.stop(audio.currentTime + start + 0.2);
  }
};

const title = document.title;
const showCount = () => {
  const now = Number(main.querySelector('[data-urgent]')?.dataset.urgent ?? 0);
  document.title = now === 0 ? title : `(${now}) ${title}`;
  if (now > urgent) beep();
  urgent = now;
};

const sound = document.getElementById('sound');
const showSound = () => {
  const on = localStorage.getItem(SOUND) === 'on';
  sound.setAttribute('aria-pressed', String(on));
};
if (sound) {
  sound.hidden = false;
  showSound();
  sound.addEventListener('click', () => {
    localStorage.setItem(SOUND, localStorage.getItem(SOUND) === 'on' ? 'off' : 'on');
    showSound();
    beep();
  });
}

// The id of the focused element, so that the element still has the keyboard focus after a reload.
const focused = () => (main.contains(document.activeElement) ? document.activeElement.id : '');

const load = async () => {
  const response = await fetch(live, {
    cache: 'no-store',
    headers: tag ? { 'If-None-Match': tag } : {},
    signal: AbortSignal.timeout(10_000),
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

let timer;
let loaded = Date.now();
let isLoading = false;
// Loads soon. Several calls cause one load.
const loadSoon = (after) => {
  clearTimeout(timer);
  timer = setTimeout(again, Math.max(after, loaded + GAP_MS - Date.now()));
};
const again = async () => {
  if (isLoading) return loadSoon(GAP_MS);
  if (isBusy()) return loadSoon(RETRY_MS);
  isLoading = true;
  let next = MAX_AGE_MS;
  try {
    await load();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
    next = RETRY_MS;
  }
  isLoading = false;
  loaded = Date.now();
  loadSoon(next);
};

const listen = () => {
  const source = new EventSource(events);
  source.addEventListener('changed', () => loadSoon(0));
  source.onerror = () => {
    // The browser reopens a stream automatically, but not after a refusal by the server.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
    loadSoon(0);
  };
};

if (live) {
  showCount();
  listen();
  addEventListener('online', () => loadSoon(0));
  document.addEventListener('visibilitychange', () => document.hidden || loadSoon(0));
  loadSoon(MAX_AGE_MS);
}
