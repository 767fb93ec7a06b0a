// While a person types a price, shows below the field by how much the price changes and which guard rails it exceeds.
// After the form is sent, the server shows the same differences.

import './guard.js';

const form = document.getElementById('prices');
const words = form?.dataset ?? {};
const language = document.documentElement.lang;
const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1, signDisplay: 'exceptZero' });
const changed = document.getElementById('changed');

// Parses an amount, such as `1,234.50` or `1 234,50 $`. A price may also be a range of two amounts.
const number = (text) => {
  let plain = text.replace(/[\s$%'’]|CAD/g, '').replace('−', '-');
  const comma = plain.lastIndexOf(',');
  const isDecimal = comma > plain.lastIndexOf('.') && !/^[^,.]*,\d{3}$/.test(plain);
  plain = isDecimal ? plain.replaceAll('.', '').replace(',', '.') : plain.replaceAll(',', '');
  return /^[-+]?\d*\.?\d+$/.test(plain) ? Number(plain) : NaN;
};
const ends = (input) => {
  const parts = input.dataset.column === 'price' ? input.value.trim().split(/(?<=\d[\s$]*)(?:-|–| à | to )/) : [input.value];
  return [number(parts[0]), number(parts[parts.length - 1])];
};

const limit = (name) => (words[name] === undefined ? NaN : Number(words[name]));
const warnings = (input, [from, to], now) => {
  const found = [];
  if (input.dataset.column.startsWith('price')) {
    if (from < limit('low')) found.push(words.sayLow);
    if (to > limit('high')) found.push(words.sayHigh);
  }
  const change = Math.max(...now.map((was, end) => Math.abs(([from, to][end] - was) / was) * 100));
  if (change > limit('largest')) found.push(words.sayLarge);
  return found;
};

const line = (kind, text) => {
  const paragraph = document.createElement('p');
  paragraph.className = kind;
  paragraph.textContent = text;
  return paragraph;
};

const judge = (input) => {
  const hint = document.getElementById(`hint.${input.name}`);
  const now = (input.dataset.now ?? '').split(' ').filter(Boolean).map(Number);
  const value = ends(input);
  const isWrong = input.value.trim() !== '' && value.some(Number.isNaN);
  const isSame = input.value.trim() === '' || (now.length === 2 && value[0] === now[0] && value[1] === now[1]);
  input.toggleAttribute('aria-invalid', false);
  if (isWrong) input.setAttribute('aria-invalid', 'true');
  input.closest('tr').classList.toggle('changed', !isSame);
  if (isWrong) hint.replaceChildren(line('fault', words.sayWrong));
  else if (isSame || now.length !== 2) hint.replaceChildren();
  else {
    const by = (value[0] + value[1]) / (now[0] + now[1]) - 1;
    const delta = line('delta', `${input.placeholder} → ${input.value.trim()}${Number.isFinite(by) ? ` (${percent.format(by)})` : ''}`);
    hint.replaceChildren(delta, ...warnings(input, value, now).map((text) => line('beyond', text)));
  }
};

form?.addEventListener('input', ({ target }) => {
  if (!target.matches('input.price')) return;
  judge(target);
  const count = form.querySelectorAll('tr.changed').length;
  changed.hidden = count === 0;
  changed.textContent = count === 1 ? changed.dataset.one : changed.dataset.many.replace('2', String(count));
});
