// Keys and selection for staff pages. An element says in aria-keyshortcuts which key presses it, so that a screen reader
// and this module read the same list; a page without the element has no such key. Rows of a list carry data-zeile.
// Single letters act only while no field has the focus, and not at all under <html data-tasten="aus"> (WCAG 2.1.4).

const rows = () => [...document.querySelectorAll('[data-zeile]')].filter((row) => row.offsetParent !== null);
const current = () => document.activeElement?.closest('[data-zeile]');
const box = (row) => row?.querySelector('.ps-check');
const typing = (el) => el?.matches?.('textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=submit], [type=button])');

function move(step) {
  const list = rows();
  if (!list.length) return false;
  const at = list.indexOf(current());
  const next = list[at < 0 ? (step > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, at + step))];
  const link = next.querySelector('[data-oeffnen]') || next.querySelector('a');
  link?.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
  return true;
}

function press(key) {
  for (const el of document.querySelectorAll('[aria-keyshortcuts]')) {
    if (!el.getAttribute('aria-keyshortcuts').split(/\s+/).includes(key) || el.offsetParent === null) continue;
    if (el.matches('input, textarea, select')) {
      el.scrollIntoView({ block: 'nearest' });
      el.focus();
    } else {
      el.click();
    }
    return true;
  }
  return false;
}

// The range for Shift+X begins where X was used last.
let from = null;
function select(range) {
  const row = current();
  const mark = box(row);
  if (!mark) return false;
  const list = rows();
  const a = list.indexOf(from);
  const b = list.indexOf(row);
  if (range && a >= 0) {
    for (const r of list.slice(Math.min(a, b), Math.max(a, b) + 1)) if (box(r)) box(r).checked = true;
  } else {
    mark.checked = !mark.checked;
  }
  from = row;
  count();
  return true;
}

const off = document.documentElement.dataset.tasten === 'aus';
document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (event.isComposing || event.altKey || event.metaKey) return;
  if (event.ctrlKey) {
    // Ctrl+Enter sends the form of the field; Ctrl+Z takes the last action back, unless a field undoes its own text.
    if (key === 'Enter' && target.form?.method === 'post') {
      event.preventDefault();
      target.form.requestSubmit(target.form.querySelector('.kern-btn--primary[type=submit]'));
    } else if (key.toLowerCase() === 'z' && !typing(target) && press('Control+Z')) {
      event.preventDefault();
    }
    return;
  }
  if (key === 'Escape' && typing(target)) return void target.blur();
  if (off || typing(target)) return;
  const letter = key.length === 1 ? key.toUpperCase() : '';
  let done = false;
  if (letter === 'J' || letter === 'K') done = move(letter === 'J' ? 1 : -1) || press(letter);
  else if (letter === 'X') done = select(event.shiftKey);
  else if (letter === 'O') {
    const link = current()?.querySelector('[data-oeffnen]');
    link?.click();
    done = Boolean(link);
  } else if (letter && (!event.shiftKey || /[/?]/.test(key))) done = press(letter);
  if (done) event.preventDefault();
});

// The bar over a list counts what is chosen, and the box in its head chooses the page.
const bar = document.querySelector('[data-auswahl]');
const marks = () => [...document.querySelectorAll('[data-zeile] .ps-check')];
function count() {
  for (const mark of marks()) mark.closest('[data-zeile]').classList.toggle('kern-table__row--selected', mark.checked);
  const n = marks().filter((mark) => mark.checked).length;
  const head = document.querySelector('[data-alle]');
  if (head) {
    head.checked = n > 0 && n === marks().length;
    head.indeterminate = n > 0 && !head.checked;
  }
  if (!bar) return;
  bar.classList.toggle('ps-bulk--active', n > 0);
  const text = bar.querySelector('[data-viele]');
  text.textContent = n === 1 ? text.dataset.eins : text.dataset.viele.replace('2', n);
}
document.addEventListener('change', (event) => {
  if (event.target.matches('[data-alle]')) for (const mark of marks()) mark.checked = event.target.checked;
  if (event.target.matches('.ps-check')) count();
});
