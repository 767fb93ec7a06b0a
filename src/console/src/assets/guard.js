// Protects the input of forms with `data-guard`: the browser asks before it leaves a page with unsent input, and no form is
// sent while the connection is lost.

const forms = document.querySelectorAll('form[data-guard]');
const offline = document.getElementById('offline');
let isSending = false;

const state = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === 'string')).toString();
const before = new Map([...forms].map((form) => [form, state(form)]));
// `unsaved` marks a form that the server returned with input that it did not save.
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
