// The steps of the journeys, in terms of what people do. Fields are found by the names that the program promises (mailbox,
// topic, subject, body, reply, email, name, address, files, code, login, password), buttons by their values.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';

/** A small valid PDF. */
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

/** Every letter carries a mark of its own, so that journeys do not find each other's. */
let count = 0;
export function letter(lang, more = {}) {
  count += 1;
  const mark = `${Date.now().toString(36)}-${count}`;
  const de = lang === 'de';
  return {
    mark,
    subject: de ? `Laterne in der Lindenstraße ${mark}` : `Street lamp in Lindenstraße ${mark}`,
    body: de ? `Guten Tag,\n\ndie Laterne vor Haus 14 ist seit Montag dunkel (${mark}).\n\nFreundliche Grüße` : `Hello,\n\nthe lamp at number 14 has been dark since Monday (${mark}).\n\nKind regards`,
    files: [],
    ...more,
  };
}

const next = 'button[value=weiter]';

/** The main button of a page that is a form. */
export const submit = 'main form button.kern-btn--primary';

/** Goes from the start of the assistant to the step that asks for the matter; begin leads to that start. */
export async function toMatter(v, mailbox, begin = () => v.go('/nachricht')) {
  const { page } = v;
  await begin();
  await v.at('/nachricht/1');
  await v.look();
  await page.locator(mailbox ? `main [name=mailbox][value="${mailbox}"]` : 'main [name=mailbox]').first().check({ force: true });
  await v.press(next);
  await v.at('/nachricht/2');
  await v.look();
  await page.locator('main [name=topic]').first().check({ force: true });
  await v.press(next);
  await v.at('/nachricht/3');
}

/** Fills in the step of the matter. */
export async function fillMatter(v, l) {
  for (const name of ['subject', 'body', 'name', 'address', 'email']) {
    if (l[name] !== undefined) await v.page.locator(`main [name="${name}"]`).fill(l[name]);
  }
  if (l.reply) await v.page.locator(`main [name=reply][value="${l.reply}"]`).check({ force: true });
}

/** Writes a letter up to the page "check and send". */
export async function toCheck(v, l) {
  const { page } = v;
  await toMatter(v, l.mailbox, l.begin);
  await v.look();
  await fillMatter(v, l);
  await v.press(next);
  await v.at('/nachricht/4');
  await v.look();
  if (l.files.length) {
    await page.locator('main input[name=files]').setInputFiles(l.files);
    await v.press('button[value=hochladen]');
    await v.at('/nachricht/4');
    for (const f of l.files) await page.getByText(f.name).first().waitFor();
    await v.look();
  }
  await v.press(next);
  await v.at('/nachricht/5');
  await page.locator('main').getByText(l.subject).first().waitFor();
}

/** The button that sends a letter, on the check page. */
export const sendButton = 'main .ps-actions button.kern-btn--primary';

/** Presses "send" on the check page and returns the collection code. */
export async function send(v) {
  await v.press(sendButton);
  await v.at('/nachricht/gesendet');
  return codeOf(v);
}

/** A citizen writes a letter through the five steps and returns the collection code. */
export async function writeLetter(v, l) {
  await toCheck(v, l);
  await v.look();
  const code = await send(v);
  await v.look();
  return code;
}

/** The code on the confirmation page. */
export async function codeOf(v) {
  const code = (await v.page.locator('#abholcode').innerText()).trim();
  assert.match(code.replaceAll(/[\s–—-]/g, ''), /^[0-9A-HJKMNP-TV-Z]{24}$/, 'the collection code has 24 characters of Crockford base32');
  return code;
}

/** The citizen reloads the confirmation: the same code, no second letter. */
export async function reloadConfirmation(v, code) {
  await v.page.reload();
  await v.at('/nachricht/gesendet');
  assert.equal(await codeOf(v), code, 'a reload shows the same code');
}

/** The receipt as text, downloaded from the confirmation. */
export async function receipt(v) {
  await fitsPaper(v);
  const [download] = await Promise.all([v.page.waitForEvent('download'), v.page.locator('a[href*="quittung.txt"]').first().click()]);
  return fs.readFileSync(await download.path(), 'utf8');
}

/** Nothing of the page is wider than a sheet of A4 within its margins, where browsers shrink or cut. */
export async function fitsPaper(v) {
  const screen = v.page.viewportSize();
  await v.page.emulateMedia({ media: 'print' });
  await v.page.setViewportSize({ width: 718, height: 1000 });
  const width = await v.page.evaluate(() => document.documentElement.scrollWidth);
  await v.page.emulateMedia({ media: null });
  await v.page.setViewportSize(screen);
  assert.ok(width <= 718, `the printed page is ${width} px wide`);
}

/** What a page leaves on paper: everything of the first list can be seen there, nothing of the second, all of which the screen shows. */
export async function onPaper(v, kept, left) {
  const seen = (selector) => v.page.locator(selector).first().isVisible();
  for (const selector of [...kept, ...left]) assert.ok(await seen(selector), `${selector} is not on the screen`);
  await v.page.emulateMedia({ media: 'print' });
  for (const selector of kept) assert.ok(await seen(selector), `${selector} is not printed`);
  for (const selector of left) assert.equal(await v.page.locator(`${selector} >> visible=true`).count(), 0, `${selector} is printed`);
  await v.page.emulateMedia({ media: null });
}

/** Anybody checks a receipt on the page for it. */
export async function checkReceipt(v, text, good) {
  if (!good) v.expect(422);
  await v.go('/quittung');
  await v.page.locator('[name=receipt]').fill(text);
  await v.press(submit);
  await v.look();
  assert.equal(await v.page.locator(good ? '#ergebnis.kern-alert--success' : '.kern-alert--danger').count(), 1, `the receipt is ${good ? '' : 'not '}true`);
}

/** Staff signs in; in the demo the password alone is enough. Who has no inbox begins elsewhere. */
export async function signIn(v, who, start = '/amt/eingang') {
  await v.go('/amt/anmelden');
  await v.look();
  await v.page.locator('[name=login]').fill(who.login);
  await v.page.locator('[name=password]').fill(who.password);
  await v.press(submit);
  await v.at(start);
}

/** Staff opens a letter of the inbox by its mark. */
export async function openFromInbox(v, mark) {
  await v.go('/amt/eingang?je=100');
  await v.look();
  await v.leads(() => v.page.locator('.ps-clip a', { hasText: mark }).first().click());
  await v.at(/^\/amt\/vorgang\/[^/]+$/);
  await v.look();
  return v.path();
}

/** The thread shows the text and hands out each file unchanged. */
export async function readThread(v, { text, files = [] }) {
  const main = v.page.locator('main');
  await main.getByText(text).first().waitFor();
  for (const f of files) {
    const [download] = await Promise.all([v.page.waitForEvent('download'), main.getByRole('link', { name: f.name }).first().click()]);
    assert.equal(sha256(fs.readFileSync(await download.path())), sha256(f.buffer), `${f.name} arrives unchanged`);
  }
}

/** Citizen or staff writes into the open thread; the page then shows the text. */
export async function write(v, { text, files = [], shown = text }) {
  await v.page.locator('main [name=body]').fill(text);
  if (files.length) await v.page.locator('main input[name=files]').setInputFiles(files);
  await v.press('button[value=senden]');
  await v.page.locator('main article').getByText(shown).first().waitFor();
}

/** The citizen opens the thread with the code, typed as people type: lower case, with spaces. */
export async function collect(v, code) {
  await v.go('/abholen');
  await v.look();
  await v.page.locator('[name=code]').fill(code.toLowerCase().replaceAll('-', ' '));
  await v.press(submit);
  await v.at('/abholen/vorgang');
  await v.look();
}

/** A code that opens nothing leads back to the same page; what it says is returned. */
export async function collectNothing(v, code) {
  v.expect(422);
  await v.go('/abholen');
  await v.page.locator('[name=code]').fill(code);
  await v.press(submit);
  await v.at('/abholen');
  assert.equal(await v.page.locator('[name=code]').count(), 1, 'the page asks for the code again');
  return (await v.page.locator('main').innerText()).replaceAll(code, '').trim();
}

/** Staff forwards the thread to another mailbox, with a reason. */
export async function forward(v, { to, reason }) {
  await v.press('main a[href*="/weiterleiten"]');
  await v.look();
  await v.page.locator('main [name=mailbox]').selectOption(to);
  await v.page.locator('main [name=grund]').fill(reason);
  await v.press(submit);
}

/** Staff closes the open thread. */
export async function close(v) {
  await v.press('form[action$="/abschliessen"] button');
  await v.page.locator('form[action$="/oeffnen"]').first().waitFor();
  await v.look();
}

/** Staff deletes the thread on its own page, which says what goes; the thread is gone for the office too. */
export async function remove(v) {
  const thread = v.path();
  await v.press('main a[href$="/loeschen"]');
  await v.look();
  await v.page.locator('main [name=grund]').selectOption({ index: 1 });
  await v.press(submit);
  await v.at('/amt/eingang');
  await v.go(thread, { status: 404 });
  await v.look();
}

/** Registered people of the journeys have this password until they change it. */
export const citizenPassword = 'vier blaue Kraniche';

/** Fills the fields of a form by their names and sends it. */
export async function fill(v, fields) {
  for (const [name, value] of Object.entries(fields)) await v.page.locator(`main [name=${name}]`).fill(value);
  await v.press(submit);
}

/** The path of the link with a part in a mail to an address, without the language. */
export async function link(ps, to, part) {
  const found = (m) => (m.text.match(/https?:\/\/\S+/g) ?? []).find((l) => l.includes(part));
  const m = await ps.waitForMail((mail) => mail.to === to && found(mail));
  return new URL(found(m)).pathname.replace(/^\/en(?=\/)/, '');
}

/** A citizen registers with a password and follows the link of the mail. */
export async function register(ps, v, email) {
  await v.go('/konto/registrieren');
  await v.look();
  await fill(v, { email, password: citizenPassword });
  await v.at('/konto/registrieren/gesendet');
  await v.look();
  await v.go(await link(ps, email, '/konto/bestaetigen/'));
  await v.look();
  await v.press(submit);
  await v.at('/konto');
  await v.look();
}

/** A citizen signs in with a password; where that leads is up to the account. */
export async function enter(v, email) {
  await v.go('/konto/anmelden');
  await v.look();
  await fill(v, { email, password: citizenPassword });
}
