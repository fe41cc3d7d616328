// The steps of the journeys, in terms of what people do. They find fields by the names that the program promises
// (mailbox, topic, subject, body, reply, email, name, address, files, code, login, password) and buttons by what they
// say in German or English, so that a page can be rearranged without a change here.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';

/** What buttons and links are called, in both languages. */
const words = {
  next: /^(weiter|next|continue)/i,
  send: /(nachricht|brief|verbindlich)?.*(senden|absenden)|^send/i,
  signIn: /^(anmelden|sign in|log in)/i,
  open: /(abholen|öffnen|anzeigen|collect|open|show)/i,
  answer: /(antwort senden|antworten|senden|send)/i,
  forward: /(weiterleiten|forward)/i,
  close: /(abschließen|close)/i,
  reallyDelete: /(endgültig löschen|unwiderruflich|löschen|delete)/i,
  noted: /(notiert|gesichert|noted|kept)/i,
};

/** A file for an upload field: a small valid PDF or a text. */
export function pdf(name, text) {
  const body = `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n`
    + `3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n% ${text}\ntrailer<</Root 1 0 R>>\n%%EOF\n`;
  return { name, mimeType: 'application/pdf', buffer: Buffer.from(body) };
}

/** A picture of one pixel, so that kinds other than PDF travel too. */
export function png(name) {
  return { name, mimeType: 'image/png', buffer: Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64') };
}

export const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

/** The form that holds a field of this name. */
const formWith = (v, name) => v.page.locator('form').filter({ has: v.page.locator(`[name="${name}"]`) }).first();

/** Presses the button of a form, by what it says, else its first submit button. */
async function submit(v, form, pattern) {
  const named = form.getByRole('button', { name: pattern });
  const button = (await named.count()) > 0 ? named.last() : form.locator('button[type="submit"], button:not([type]), input[type="submit"]').last();
  await Promise.all([v.page.waitForEvent('framenavigated'), button.click()]);
  await v.page.waitForLoadState('load');
}

/** Fills what a step asks for and this letter has; leaves the rest. */
async function fill(v, letter) {
  const { page } = v;
  const has = async (name) => (await page.locator(`main [name="${name}"]`).count()) > 0;
  if (await has('mailbox')) {
    const field = page.locator('main [name="mailbox"]').first();
    if ((await field.evaluate((e) => e.tagName)) === 'SELECT') {
      const values = await field.locator('option').evaluateAll((all) => all.map((o) => ({ value: o.value, text: o.textContent })));
      const want = values.find((o) => letter.mailbox && o.text.includes(letter.mailbox)) ?? values.find((o) => o.value !== '');
      await field.selectOption(want.value);
    } else if ((await field.getAttribute('type')) === 'radio') {
      const wanted = letter.mailbox ? page.getByRole('radio', { name: letter.mailbox }) : page.locator('main [name="mailbox"]');
      await wanted.first().check({ force: true });
    }
  }
  if (await has('topic')) {
    const field = page.locator('main [name="topic"]').first();
    const tag = await field.evaluate((e) => e.tagName);
    if (tag === 'SELECT') await field.selectOption({ index: Math.min(1, (await field.locator('option').count()) - 1) });
    else if ((await field.getAttribute('type')) === 'radio') await field.check({ force: true });
    else if (letter.topic) await field.fill(letter.topic);
  }
  for (const name of ['subject', 'body', 'name', 'address', 'email']) {
    if (letter[name] !== undefined && (await has(name))) await page.locator(`main [name="${name}"]`).first().fill(letter[name]);
  }
  if (await has('reply')) {
    const radio = page.locator(`main [name="reply"][value="${letter.reply ?? 'code'}"]`);
    if ((await radio.count()) > 0) await radio.check({ force: true });
  }
  if (letter.files?.length && (await has('files')) && !letter.uploaded) {
    await page.locator('main input[name="files"]').first().setInputFiles(letter.files);
    letter.uploaded = true;
    return true;
  }
  return false;
}

/** A citizen writes a letter through the five steps and returns the collection code. */
export async function writeLetter(v, letter) {
  const { page } = v;
  letter = { reply: 'code', ...letter };
  await v.go('/nachricht');
  await v.look();
  if (!/^\/nachricht\/\d$/.test(v.path())) await v.press(/(beginnen|nachricht schreiben|starten|weiter|start|begin|write|continue)/i);
  for (let step = 1; step <= 12 && v.path() !== '/nachricht/gesendet'; step += 1) {
    await v.at(/^\/nachricht\/[1-5]$/);
    await v.look();
    const before = v.path();
    const uploads = await fill(v, letter);
    const form = page.locator('main form').filter({ has: page.locator('button') }).last();
    const last = before === '/nachricht/5';
    const main = page.locator('main');
    const upload = main.getByRole('button', { name: /(hochladen|hinzufügen|upload|add)/i });
    if (uploads && (await upload.count()) > 0) {
      await upload.first().click();
      await page.waitForLoadState('load');
      for (const f of letter.files) await page.getByText(f.name).first().waitFor();
      if (v.path() === before) { step -= 1; letter.files.length && (letter.uploaded = true); }
      const next = main.getByRole('button', { name: words.next });
      await next.last().click();
    } else {
      const named = main.getByRole('button', { name: last ? words.send : words.next });
      if ((await named.count()) > 0) await named.last().click();
      else await submit(v, form, last ? words.send : words.next);
    }
    await page.waitForLoadState('load');
    assert.notEqual(v.path(), before, `step ${before} did not go on: ${(await main.innerText()).slice(0, 400)}`);
  }
  await v.at('/nachricht/gesendet');
  await v.look();
  const code = (await page.locator('#abholcode').innerText()).trim();
  assert.match(code.replaceAll(/[\s–—-]/g, ''), /^[0-9A-HJKMNP-TV-Z]{24}$/, 'the collection code has 24 characters of Crockford base32');
  return code;
}

/** The citizen reloads the confirmation: the same code, no second letter. */
export async function reloadConfirmation(v, code) {
  await v.page.reload();
  await v.at('/nachricht/gesendet');
  assert.equal((await v.page.locator('#abholcode').innerText()).trim(), code, 'a reload shows the same code');
}

/** The receipt as text, downloaded from the confirmation; undefined where the page offers none. */
export async function receipt(v) {
  const link = v.page.getByRole('link', { name: /(empfangsbestätigung|quittung|receipt)/i }).first();
  await link.waitFor();
  const address = new URL(await link.getAttribute('href'), v.page.url());
  // Fetched with the cookies of this person by hand: unlike the browser, the request context does not take 127.0.0.1 for
  // a secure place and would leave out cookies marked Secure.
  const cookies = (await v.context.cookies()).filter((c) => c.domain === address.hostname).map((c) => `${c.name}=${c.value}`);
  const res = await fetch(address, { headers: { cookie: cookies.join('; '), 'accept-language': v.lang } });
  assert.equal(res.status, 200, 'the receipt');
  return res.text();
}

/** Staff signs in; in the demo the password alone is enough. */
export async function signIn(v, who) {
  const { page } = v;
  await v.go('/amt/anmelden');
  await v.look();
  await page.locator('[name="login"]').fill(who.login);
  await page.locator('[name="password"]').fill(who.password);
  await submit(v, formWith(v, 'password'), words.signIn);
  await v.at(/^\/amt\/(eingang)?$/);
}

/** Staff opens a letter of the inbox by its subject. */
export async function openFromInbox(v, subject) {
  await v.go('/amt/eingang');
  await v.look();
  await v.page.getByRole('link', { name: subject }).first().click();
  await v.at(/^\/amt\/vorgang\/[^/]+$/);
  await v.look();
  return v.path();
}

/** The thread shows the text and hands out each file unchanged. */
export async function readThread(v, { text, files = [] }) {
  const main = v.page.locator('main');
  await main.getByText(text).first().waitFor();
  for (const f of files) {
    const link = main.getByRole('link', { name: f.name }).first();
    const [download] = await Promise.all([v.page.waitForEvent('download'), link.click()]);
    assert.equal(sha256(fs.readFileSync(await download.path())), sha256(f.buffer), `${f.name} arrives unchanged`);
  }
}

/** Staff answers with text and files; the page then shows the answer. */
export async function answer(v, { text, files = [] }) {
  const { page } = v;
  const thread = v.path();
  if ((await page.locator('main form [name="body"]').count()) === 0) await v.press(/^(antworten|answer|reply)/i);
  const form = formWith(v, 'body');
  await form.locator('[name="body"]').fill(text);
  if (files.length) await form.locator('input[name="files"]').setInputFiles(files);
  await submit(v, form, words.answer);
  await v.at(new RegExp(`^${thread}`));
  await page.locator('main').getByText(text).first().waitFor();
}

/** The citizen opens the thread with the code, typed as people type: lower case, with spaces. */
export async function collect(v, code, { sloppy = true } = {}) {
  await v.go('/abholen');
  await v.look();
  await v.page.locator('[name="code"]').fill(sloppy ? code.toLowerCase().replaceAll('-', ' ') : code);
  await submit(v, formWith(v, 'code'), words.open);
  await v.look();
}

/** A code that opens nothing leads back to the same page with the same sentence. */
export async function collectNothing(v, code) {
  v.expect(403, 404, 410, 422);
  await v.go('/abholen');
  await v.page.locator('[name="code"]').fill(code);
  await submit(v, formWith(v, 'code'), words.open);
  await v.at(/^\/abholen/);
  assert.ok((await v.page.locator('[name="code"]').count()) > 0, 'the page asks for the code again');
  return (await v.page.locator('main').innerText()).replaceAll(code, '').trim();
}

/** The citizen writes again in the opened thread. */
export async function writeAgain(v, { text, files = [] }) {
  const form = formWith(v, 'body');
  await form.locator('[name="body"]').fill(text);
  if (files.length) await form.locator('input[name="files"]').setInputFiles(files);
  await submit(v, form, words.answer);
  await v.page.locator('main').getByText(text).first().waitFor();
}

/** Opens an action of the thread that has a page or a fold of its own. */
async function action(v, pattern, field) {
  const visible = async () => field && (await v.page.locator(`main [name="${field}"]:visible`).count()) > 0;
  if (await visible()) return;
  const summary = v.page.locator('main summary').filter({ hasText: pattern }).first();
  if ((await summary.count()) > 0) await summary.click();
  else await v.press(pattern);
}

/** Staff forwards the thread to another mailbox, with a reason. */
export async function forward(v, { reason }) {
  const { page } = v;
  await action(v, words.forward, 'reason');
  const form = formWith(v, 'reason');
  const target = form.locator('select[name="mailbox"]');
  if ((await target.count()) > 0) {
    const values = await target.locator('option:not([disabled]):not([selected])').evaluateAll((all) => all.map((o) => o.value).filter(Boolean));
    assert.ok(values.length > 0, 'there is another mailbox to forward to');
    await target.selectOption(values[0]);
  } else {
    await form.locator('input[name="mailbox"]:not(:checked):not(:disabled)').first().check({ force: true });
  }
  await form.locator('[name="reason"]').fill(reason);
  await submit(v, form, words.forward);
  await page.waitForLoadState('load');
}

/** Staff closes the thread. */
export async function close(v) {
  const button = v.page.locator('main').getByRole('button', { name: words.close }).first();
  await button.click();
  await v.page.waitForLoadState('load');
  await v.page.getByText(/(abgeschlossen|closed)/i).first().waitFor();
}

/** Staff deletes the thread on its own page, which says what goes. */
export async function remove(v) {
  const { page } = v;
  const thread = v.path();
  const main = page.locator('main');
  await main.getByRole('link', { name: words.reallyDelete }).or(main.getByRole('button', { name: words.reallyDelete })).first().click();
  await page.waitForLoadState('load');
  await v.look();
  const box = main.locator('input[type="checkbox"]:visible');
  for (let i = 0; i < (await box.count()); i += 1) await box.nth(i).check({ force: true });
  await main.getByRole('button', { name: words.reallyDelete }).last().click();
  await page.waitForLoadState('load');
  v.expect(404);
  const res = await page.goto(new URL(thread, page.url()).href);
  assert.equal(res.status(), 404, 'a deleted thread is gone for the office too');
}
