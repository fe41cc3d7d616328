// Small comforts for every page. Nothing here is needed: each page works without it.
// Rules: no markup from strings, no inline styles, no global names; an element asks for help with a data attribute.

const all = (selector) => document.querySelectorAll(selector);
const page = document.body;

// Texts that count characters: the limit and the sentence stand on the counter, the server decides.
for (const area of all('[data-zaehler]')) {
  const counter = document.getElementById(area.dataset.zaehler);
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const show = () => {
    const used = area.value.length;
    counter.textContent = counter.dataset.text.replace('{used}', number.format(used));
    counter.toggleAttribute('data-voll', used > Number(counter.dataset.max));
  };
  area.addEventListener('input', show);
  show();
}

// After a refused form the list of errors is read first; after the assistant moved on, the heading.
const first = document.getElementById('fehler') || (page.dataset.fokus && !location.hash && document.querySelector('h1'));
if (first) {
  if (!first.hasAttribute('tabindex')) first.tabIndex = -1;
  first.focus({ preventScroll: first.tagName === 'H1' });
}

// A link of the error list puts the caret into its field.
for (const link of all('.ps-errors a')) {
  link.addEventListener('click', (event) => {
    const field = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!field) return;
    event.preventDefault();
    (field.labels?.[0] || field).scrollIntoView({ block: 'start' });
    field.focus({ preventScroll: true });
  });
}

for (const button of all('[data-kopieren]')) {
  const source = document.getElementById(button.dataset.kopieren);
  const label = button.querySelector('.kern-label');
  if (!source || !navigator.clipboard) continue;
  button.hidden = false;
  label.setAttribute('aria-live', 'polite');
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(source.textContent.replace(/\s+/g, ''));
    label.textContent = button.dataset.fertig;
  });
}

for (const button of all('[data-drucken]')) {
  button.hidden = false;
  button.addEventListener('click', () => print());
}

// Long uploads say that they run, after a second; the page may be left by then, which is why nothing is disabled.
for (const state of all('[data-hochladen]')) {
  const form = state.closest('form');
  form?.addEventListener('submit', () => {
    if (![...form.querySelectorAll('[type=file]')].some((field) => field.files.length)) return;
    setTimeout(() => {
      const bar = document.createElement('progress');
      state.replaceChildren(bar, ' ' + state.dataset.hochladen);
      bar.setAttribute('aria-label', state.dataset.hochladen);
    }, 1000);
  });
}

// Help texts remember that they were opened or closed; the button for it is for pages without scripts.
all('.ps-help__keep').forEach((line) => line.remove());
addEventListener('load', () => setTimeout(() => {
  for (const details of all('details[data-anzeige]')) {
    details.addEventListener('toggle', () => {
      const body = new URLSearchParams({ name: details.dataset.anzeige, value: details.open ? 'auf' : 'zu', back: '/' });
      fetch(page.dataset.anzeigeZiel, { method: 'POST', body, redirect: 'manual', keepalive: true }).catch(() => {});
    });
  }
}));

// Two minutes before the session ends there is a choice; the request that extends it is this page once more.
const session = document.querySelector('[data-sitzung]');
if (session) {
  let timer;
  const start = () => {
    session.hidden = true;
    clearTimeout(timer);
    timer = setTimeout(() => { session.hidden = false; }, Math.max(0, session.dataset.sitzung - 120) * 1000);
  };
  session.querySelector('button').addEventListener('click', async () => {
    const answer = await fetch(location.href, { method: 'HEAD', cache: 'no-store' }).catch(() => null);
    if (answer?.ok) start();
  });
  start();
}
