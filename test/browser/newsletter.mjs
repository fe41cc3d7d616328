// The newsletter: ordered and confirmed, written and sent at the desk, ended by link, by the mail program's own button and by mail.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { journey, until } from './harness.mjs';
import { deliver } from './smtp.mjs';
import * as step from './steps.mjs';

const desk = '/amt/redaktion/newsletter';
const info = 'kontakt@kdvm.example'; // the published address of the operator

/** Orders the newsletter and returns the path that confirms it. */
async function order(ps, v, email) {
  await v.go('/newsletter');
  await v.look();
  await step.fill(v, { email });
  await v.at('/newsletter/gesendet');
  await v.look();
  return step.link(ps, email, '/newsletter/bestaetigen/');
}

/** Sends a form without a browser, and follows to the page that it leads to. */
async function post(tenant, path, fields = {}) {
  const res = await fetch(new URL(path, tenant.url), { method: 'POST', body: new URLSearchParams(fields) });
  assert.equal(res.status, 200, path);
}

/** How many have subscribed, as the desk counts them. */
async function readers(editor) {
  await editor.go(desk);
  return Number(await editor.page.locator('.ps-stat__value').first().innerText());
}

/** An editor writes an issue as a draft and stands on its page. */
async function draft(editor, subject) {
  await editor.go(`${desk}/neu`);
  await editor.look();
  await editor.page.locator('main [name=subject]').fill(subject);
  await editor.page.locator('main [name=body]').fill('## Neues\n\nBeispielingen ist **dabei**. Mehr auf [unserer Seite](https://example.org/neu).\n\n* Wartung am Sonntag');
  await editor.press(step.submit);
  await editor.at(/\/newsletter\/[A-Za-z0-9_-]{10,}$/);
}

/** Sends the draft to everybody; the report says that it is through. */
async function send(editor) {
  const issue = editor.path();
  await editor.press('main a[href$="/senden"]');
  await editor.look();
  await editor.press(step.submit);
  await editor.at(issue);
  await until(async () => {
    await editor.go(issue);
    return /versendet|sent/.test(await editor.page.locator('main .kern-badge').first().innerText());
  }, 'the issue is not through');
  await editor.look();
}

export function newsletters(demo) {
  for (const [lang, js] of [['de', true], ['en', false]]) {
    test(`a newsletter from the order to its end (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.operator;
      const mark = crypto.randomBytes(4).toString('hex');
      const [byLink, byButton, byWord, byMail] = ['link', 'knopf', 'wort', 'mail'].map((way) => `${way}-${mark}@example.org`);
      const people = [await ps.visitor({ tenant, lang, js }), await ps.visitor({ tenant, lang, js, name: 'editor' }), await ps.visitor({ tenant, lang, js, name: 'clerk' })];
      await journey(t, people, async (v, editor, clerk) => {
        v.expect(410, 422);
        editor.expect(422);
        await step.signIn(editor, ps.person(tenant, 'f.winter'), '/amt/redaktion');
        await editor.look();
        const before = await readers(editor);
        await editor.look();

        // What is no address is asked for again; the other links of the page lead somewhere.
        await v.go('/newsletter');
        await step.fill(v, { email: 'kim@' });
        await v.look();
        assert.equal(await v.page.locator('main [name=email]').inputValue(), 'kim@', 'what was typed stays');
        await v.go('/newsletter/verwalten');
        await v.look();

        // A program that opens the link confirms nothing, and neither does the page. The button does.
        const confirm = await order(ps, v, byLink);
        const opened = await fetch(new URL(confirm, tenant.url));
        assert.equal(opened.status, 200);
        await v.go(confirm);
        await v.look();
        assert.equal(await readers(editor), before, 'opening the link confirms nothing');
        await v.press(step.submit);
        await v.at('/newsletter/bestaetigt');
        await v.look();
        assert.equal(await readers(editor), before + 1);
        for (const email of [byButton, byWord, byMail]) {
          await post(tenant, v.url('/newsletter'), { email });
          await post(tenant, await step.link(ps, email, '/newsletter/bestaetigen/'));
        }
        assert.equal(await readers(editor), before + 4);

        // The desk: nothing empty, preview as page and as text, a mail to oneself, then to all.
        await editor.go(`${desk}/neu`);
        await editor.press(step.submit);
        await editor.look();
        assert.equal(await editor.page.locator('main [aria-invalid]').count(), 2);
        const subject = `Neues im Herbst ${mark}`;
        await draft(editor, subject);
        await editor.look();
        const issue = editor.path();
        await editor.press('main a[href$="/vorschau"]');
        await editor.look();
        assert.match(await editor.page.locator('main').innerText(), /\/newsletter\/abmelden\/…/, 'the text as it will be sent');
        await editor.go(issue);
        await editor.press('form[action$="/probe"] button');
        await editor.look();
        await ps.waitForMail((m) => m.to === 'f.winter@kdvm.example' && m.subject.includes(subject));
        await send(editor);
        assert.equal((await ps.mail()).filter((m) => m.to === byLink && m.subject === subject).length, 1, 'once to each');

        // Every mail: the list in its header, the way out at its end, and nothing that is fetched.
        const issueTo = (email) => ps.waitForMail((m) => m.to === email && m.subject === subject);
        for (const email of [byLink, byButton, byWord, byMail]) {
          const m = await issueTo(email);
          assert.equal(m.headers['List-Unsubscribe-Post'], 'List-Unsubscribe=One-Click');
          assert.match(m.headers['List-Unsubscribe'], /^<https?:[^>]+>, <mailto:[^>]+>$/);
          assert.match(m.headers['List-Id'], /<[^<>\s]+>$/);
          assert.match(m.text.trim(), /\/newsletter\/abmelden\/\S+$/, 'the way out stands at the end');
          assert.doesNotMatch(m.html, /<(img|link|script|iframe)|src=|url\(/i);
          assert.ok(m.html.includes('href="https://example.org/neu"'), 'links are not rewritten');
        }

        // The archive and its feed.
        await v.go('/newsletter/archiv');
        await v.look();
        await v.leads(() => v.page.locator('main a', { hasText: subject }).click());
        await v.look();
        const feed = await fetch(new URL('/newsletter/archiv/feed.xml', tenant.url));
        assert.match(feed.headers.get('content-type'), /^application\/atom\+xml/);
        assert.ok((await feed.text()).includes(subject), 'the feed has the issue');

        // By link: the page alone ends nothing, its button does at once.
        const leave = await step.link(ps, byLink, '/newsletter/abmelden/');
        await v.go(leave);
        await v.look();
        assert.equal(await readers(editor), before + 4);
        await v.press(step.submit);
        await v.at('/newsletter/abgemeldet');
        await v.look();
        assert.equal(await readers(editor), before + 3);

        // By the mail program: one request without cookies, answered and not led elsewhere (RFC 8058).
        const oneClick = await fetch(new URL(await step.link(ps, byButton, '/newsletter/abmelden/'), tenant.url), { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }), redirect: 'manual' });
        assert.equal(oneClick.status, 200);
        assert.equal(await readers(editor), before + 2);

        // By mail, with the word that the header names: at once. A wish alone proves nothing. Whoever had a mail today is not
        // asked back by another one; a clerk reads the wish.
        const to = /<mailto:([^?>]+)\?subject=([^>]+)>/.exec((await issueTo(byWord)).headers['List-Unsubscribe']);
        await deliver(ps.smtp, { from: byWord, to: to[1], subject: decodeURIComponent(to[2]) });
        await until(async () => await readers(editor) === before + 1, 'the mail with the word ended nothing');
        await deliver(ps.smtp, { from: byMail, name: `Kim ${mark}`, to: info, subject: 'Abmelden', text: 'Abmelden' });
        await step.signIn(clerk, ps.person(tenant, 't.lindner'));
        await until(async () => {
          await clerk.go('/amt/eingang');
          return clerk.page.locator('[data-zeile]', { hasText: mark }).count();
        }, 'the mail reached nobody');
        await clerk.look();
        assert.equal(await readers(editor), before + 1, 'nobody ends it for somebody else');
        await v.go(await step.link(ps, byMail, '/newsletter/abmelden/'));
        await v.press(step.submit);
        await v.at('/newsletter/abgemeldet');
        assert.equal(await readers(editor), before);
        await v.go(confirm);
        await v.press(step.submit);
        await v.look(); // the link is used up
        assert.equal(await readers(editor), before);

        // The next issue reaches none of them.
        const late = `Noch etwas ${mark}`;
        await draft(editor, late);
        await send(editor);
        assert.deepEqual((await ps.mail()).filter((m) => m.subject === late && m.to.includes(mark)), []);
        await editor.go(`${desk}/einstellungen`);
        await editor.look();
      });
    });
  }
}
