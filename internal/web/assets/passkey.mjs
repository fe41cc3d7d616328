// Passkeys (WebAuthn Level 3). A form may hold one button inside [data-passkey]; it stays hidden where the browser knows no
// passkeys. Pressed, it fetches a challenge, lets the device answer, and sends the form with the answer in two fields. The
// server decides about everything; nothing is kept here.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const opened = (list) => list?.map((entry) => ({ ...entry, id: bytes(entry.id) }));

// Browsers before 2024 do not read the JSON form themselves.
function creation(o) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(o);
  return { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: opened(o.excludeCredentials) };
}
function request(o) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(o);
  return { ...o, challenge: bytes(o.challenge), allowCredentials: opened(o.allowCredentials) };
}
function answer(c) {
  if (c.toJSON) return c.toJSON();
  const response = { clientDataJSON: text(c.response.clientDataJSON) };
  for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (c.response[name]) response[name] = text(c.response[name]);
  }
  if (c.response.getTransports) response.transports = c.response.getTransports();
  return { id: c.id, rawId: text(c.rawId), type: c.type, response, clientExtensionResults: {} };
}

function field(form, name, value) {
  const input = form.querySelector(`input[name=${name}]`) || form.appendChild(Object.assign(document.createElement('input'), { type: 'hidden', name }));
  input.value = value;
}

async function use(box, form) {
  const use = box.dataset.passkey;
  const body = new URLSearchParams({ zweck: use });
  for (const [name, value] of new FormData(form)) if (typeof value === 'string' && name !== 'password') body.set(name, value);
  const offer = await fetch(box.dataset.angebot, { method: 'POST', body });
  if (!offer.ok) throw new Error(`offer ${offer.status}`);
  const { challenge, options } = await offer.json();
  const fresh = use === 'registrieren' || use === 'hinzufuegen';
  const credential = fresh ? await navigator.credentials.create({ publicKey: creation(options) }) : await navigator.credentials.get({ publicKey: request(options) });
  field(form, 'challenge', challenge);
  field(form, 'credential', JSON.stringify(answer(credential)));
  form.submit();
}

for (const box of globalThis.PublicKeyCredential && navigator.credentials ? document.querySelectorAll('[data-passkey]') : []) {
  const button = box.querySelector('button');
  const state = box.querySelector('[role=status]');
  const form = box.closest('form');
  box.hidden = false;
  button.addEventListener('click', async () => {
    const missing = [...form.querySelectorAll('input[data-noetig]')].find((input) => !input.value.trim());
    if (missing) return missing.focus();
    state.textContent = state.dataset.warten;
    try {
      await use(box, form);
    } catch {
      state.textContent = state.dataset.fehler; // the person said no, or the device did
    }
  });
}
