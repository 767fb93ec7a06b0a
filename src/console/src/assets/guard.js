// Forms with `data-guard`: leaving the page asks first when something is typed and not sent, and nothing is sent while the
// connection is lost.

const forms = document.querySelectorAll('form[data-guard]');
const offline = document.getElementById('offline');
let isSending = false;

const state = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === 'string')).toString();
const before = new Map([...forms].map((form) => [form, state(form)]));
// A page that came back from the server may still hold what nobody saved.
const isDirty = (form) => form.dataset.guard === 'unsaved' || state(form) !== before.get(form);

addEventListener('beforeunload', (event) => {
  if (!isSending && [...forms].some(isDirty)) event.preventDefault();
});
addEventListener('pageshow', () => (isSending = false));
addEventListener('online', () => offline && (offline.hidden = true));
for (const form of forms) {
  form.addEventListener('submit', (event) => {
    if (navigator.onLine) {
      isSending = true;
      return;
    }
    event.preventDefault();
    if (offline) offline.hidden = false;
  });
}
