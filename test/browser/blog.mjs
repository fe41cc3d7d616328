// Comments: written, looked at, published, reported, decided on with reasons, objected to, deleted by their authors. The address
// of the sender, which two people open together. The proof of work where many write from one network.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import * as step from './steps.mjs';

const post = '/aktuelles/die-digitale-poststelle-geht-an-den-start';
const desk = '/amt/redaktion';

/** Writes a comment under a post, as fast as a person at least, and returns the page that belongs to it. */
async function comment(v, path, text, early = true) {
  await v.go(path);
  const drawn = Date.now();
  await v.look();
  const write = () => v.page.locator('main [name=kommentar]').fill(text);
  if (early) await write();
  await v.page.waitForTimeout(Math.max(0, drawn + 3500 - Date.now())); // faster counts as a machine
  if (!early) await write();
  await v.press('#kommentarformular button');
  await v.at(/^\/aktuelles\/kommentar\/[A-Z0-9]+$/);
  await v.look();
  return v.path();
}

/** What the page says of where a comment stands. */
const state = async (v, path) => {
  await v.go(path);
  return v.page.locator('main .kern-alert').first().innerText();
};

/** A public comment by its text. */
const shown = (v, text) => v.page.locator('.ps-comment', { hasText: text });

/** Everything that is public of a post: page, list as JSON, feed. */
async function outputs(tenant) {
  const all = await Promise.all([post, `${post}/kommentare.json`, '/aktuelles/feed.xml', '/aktuelles'].map((p) => fetch(new URL(p, tenant.url)).then((r) => r.text())));
  return all.join('\n');
}

/** The editor decides on the newest report or complaint with that text. */
async function decide(editor, text, decision) {
  await editor.go(`${desk}/meldungen`);
  await editor.look();
  await editor.leads(() => editor.page.locator('.ps-clip a', { hasText: text }).first().click());
  await editor.look();
  await editor.press(step.submit);
  await editor.look(); // nothing without a decision and its reasons
  await editor.page.locator(`[name=entscheidung][value=${decision}]`).check({ force: true });
  await editor.page.locator('[name=begruendung]').fill(`Begründung der Redaktion: ${decision}.`);
  await editor.press(step.submit);
  await editor.at(`${desk}/meldungen`);
}

export function blogs(demo) {
  for (const [lang, js] of [['de', true], ['en', false]]) {
    test(`a comment from writing to deleting (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.operator;
      const mark = crypto.randomBytes(4).toString('hex');
      const from = `203.0.113.${crypto.randomInt(1, 250)}`;
      const text = `Gute Sache <b>${mark}</b> & mehr: https://verein.example/${mark}`;
      const people = [];
      for (const [name, more] of [['author', { from }], ['editor', {}], ['reporter', { from: '198.51.100.7' }], ['second', {}]]) people.push(await ps.visitor({ tenant, lang, js, name, ...more }));
      await journey(t, people, async (v, editor, reporter, second) => {
        for (const one of people) one.expect(422);
        await v.go('/aktuelles');
        await v.look();
        await v.go(post);
        await v.press('#kommentarformular button');
        await v.look(); // an empty one is refused at the field
        const mine = await comment(v, post, text);
        const waiting = await state(v, mine);
        await v.go(post);
        assert.equal(await shown(v, mark).count(), 0, 'nobody has looked at it yet');

        await step.signIn(editor, ps.person(tenant, 'f.winter'), desk);
        await editor.go(`${desk}/kommentare`);
        await editor.look();
        await editor.leads(() => editor.page.locator('.ps-clip a', { hasText: mark }).click());
        await editor.look();
        const record = editor.path();
        await editor.press('main button:has-text("Freigeben"), main button:has-text("Approve")');
        await editor.at(`${desk}/kommentare`);
        await editor.look();

        // Published are the text, as text, and the time. The address is nowhere.
        assert.notEqual(await state(v, mine), waiting);
        await v.go(post);
        assert.equal(await shown(v, mark).count(), 1);
        assert.equal(await shown(v, mark).locator('b').count(), 0, 'a comment is no markup');
        await v.look();
        await step.onPaper(v, ['main h1', '.ps-post__meta', '.ps-post__body', `.ps-comment:has-text("${mark}")`],
          ['.ps-topbar', '.ps-nav', '.ps-footer', '.ps-back', '.ps-comment__ways', '#kommentieren', '#kommentarformular', '#kommentieren ~ .kern-alert']);
        const open = await outputs(tenant);
        assert.ok(open.includes(mark) && !open.includes(from), 'the address is in no public output');

        // Somebody reports it; the desk takes it down and says why.
        await reporter.go(post);
        await reporter.leads(() => shown(reporter, mark).locator('a[href*="/melden/"]').click());
        await reporter.look();
        await reporter.press(step.submit);
        await reporter.look();
        await reporter.page.locator('[name=grund]').selectOption('persoenlich');
        await reporter.page.locator('[name=begruendung]').fill(`Das verrät, wer ich bin (${mark}).`);
        await reporter.press(step.submit);
        await reporter.at(/^\/aktuelles\/meldung\/[A-Z0-9]+$/);
        await reporter.look();
        const report = reporter.path();
        await decide(editor, mark, 'removed');
        await reporter.go(report);
        await reporter.look();
        assert.match(await reporter.page.locator('main').innerText(), /Begründung der Redaktion: removed/, 'the statement of reasons');
        await v.go(post);
        assert.equal(await shown(v, mark).count(), 0);
        await v.look();
        assert.ok(!(await outputs(tenant)).includes(mark), 'what was taken down is in no output');

        // The author objects, and the comment comes back.
        await v.go(mine);
        await v.look();
        assert.match(await v.page.locator('main').innerText(), /Begründung der Redaktion: removed/);
        const object = 'form:has([name=begruendung]) button';
        await v.press(object);
        await v.look();
        await v.page.locator('[name=begruendung]').fill(`Da steht kein Name (${mark}).`);
        await v.press(object);
        await v.look();
        await decide(editor, mark, 'restored');
        await v.go(post);
        assert.equal(await shown(v, mark).count(), 1, 'public again');

        // Where it came from: one person asks, and only another can open it, once.
        await editor.go(record);
        await editor.look();
        await editor.press('main a[href*="/nachweise/neu/"]');
        await editor.look();
        await editor.press(step.submit);
        await editor.look();
        await editor.page.locator('[name=ground]').selectOption({ index: 1 });
        await editor.page.locator('[name=reason]').fill(`Schreiben der Kanzlei (${mark})`);
        await editor.press(step.submit);
        await editor.at(`${desk}/nachweise`);
        await editor.look();
        const asked = (one) => one.page.locator('main section', { hasText: mark });
        assert.equal(await asked(editor).locator('[name=aktion][value=oeffnen]').count(), 0, 'not for who asked');
        await step.signIn(second, ps.person(tenant, 'g.roth'), /^\/amt\//);
        await second.go(`${desk}/nachweise`);
        await second.look();
        await second.leads(() => asked(second).locator('form:has([name=aktion][value=oeffnen]) button').click());
        await second.at(`${desk}/nachweise`);
        await second.look();
        assert.equal(await second.page.locator('#ip').innerText(), from);
        await second.page.reload();
        assert.equal(await second.page.locator('#ip').count(), 0, 'shown once');
        await editor.go(`${desk}/nachweise`);
        assert.equal(await editor.page.locator('#ip').count(), 0, 'and to nobody else');

        // The author deletes it, with the page that nobody else knows.
        await v.go(mine);
        await v.press('form:has([name=aktion][value=loeschen]) button');
        await v.at(post);
        await v.look();
        assert.equal(await shown(v, mark).count(), 0);
        assert.ok(!(await outputs(tenant)).includes(mark));
        await v.go(mine, { status: 404 });
      });
    });
  }

  test('a post from draft to page; many comments of one network prove some work', async (t) => {
    const ps = demo();
    const tenant = ps.operator;
    const mark = crypto.randomBytes(4).toString('hex');
    const network = { from: '192.0.2.77', tenant };
    const people = [await ps.visitor({ tenant, name: 'editor' }), await ps.visitor({ ...network, name: 'scripts' }), await ps.visitor({ ...network, js: false, name: 'none' })];
    await journey(t, people, async (editor, v, bare) => {
      editor.expect(422);
      await step.signIn(editor, ps.person(tenant, 'f.winter'), desk);
      await editor.go(`${desk}/beitraege/neu`);
      await editor.look();
      await editor.press(step.submit);
      await editor.look();
      await editor.page.locator('main [name=titel]').fill(`Viele Stimmen ${mark}`);
      await editor.page.locator('main [name=text]').fill('## Was meinen Sie?\n\nSchreiben Sie es **hier**.');
      await editor.page.locator('main [name=pruefen]').uncheck({ force: true });
      await editor.press('button[value=vorschau]');
      await editor.look();
      await editor.press(step.submit);
      await editor.look();
      const edit = editor.path();
      await editor.press('form[action$="/bild"] .ps-actions button');
      await editor.look(); // no picture without its description
      await editor.page.locator('main [name=bild]').setInputFiles(step.png('Foto.png'));
      await editor.page.locator('main [name=alt]').fill('Ein Punkt');
      await editor.press('form[action$="/bild"] .ps-actions button');
      await editor.at(edit);
      assert.equal(await editor.page.locator('main figure img[alt="Ein Punkt"]').count(), 1);
      await editor.look();
      await editor.press('form:has([value=veroeffentlichen]) button');
      await editor.at(edit);
      await editor.look();
      await editor.go(`${desk}/beitraege`);
      await editor.look();

      // Six have come from this network: from now on its browsers work a little, or its comments wait.
      const path = `/aktuelles/viele-stimmen-${mark}`;
      await v.go(path);
      assert.equal(await v.page.locator('[name=nachweis]').count(), 0, 'nobody works for the first comments');
      for (let n = 0; n < 6; n++) {
        const res = await fetch(new URL(`${path}/kommentare`, tenant.url), { method: 'POST', redirect: 'manual', headers: { 'X-Forwarded-For': '192.0.2.78' }, body: new URLSearchParams({ kommentar: `Stimme ${n} ${mark}` }) });
        assert.equal(res.status, 303);
      }
      const sent = [];
      v.page.on('request', (r) => { if (r.method() === 'POST') sent.push(new URLSearchParams(r.postData())); });
      for (const [n, early] of [true, false].entries()) {
        const text = `Mit Skript ${n} ${mark}`;
        await comment(v, path, text, early);
        const sum = crypto.createHash('sha256').update(`${sent[n].get('formular')}:${sent[n].get('nachweis')}`).digest();
        assert.equal(sum.readUInt16BE(), 0, `the proof ${sent[n].get('nachweis')} has sixteen bits`);
        await v.go(path);
        assert.equal(await shown(v, text).count(), 1, 'who has worked is published at once');
      }
      assert.equal(sent.length, 2, 'each is sent once');

      await comment(bare, path, `Ohne Skript ${mark}`);
      await bare.go(path);
      assert.equal(await shown(bare, `Ohne Skript ${mark}`).count(), 0, 'without a script a person looks first');
      await editor.go(`${desk}/kommentare`);
      await editor.leads(() => editor.page.locator('.ps-clip a', { hasText: `Ohne Skript ${mark}` }).click());
      await editor.look();
      assert.equal(await editor.page.locator('main .kern-alert li').count(), 1, 'the desk says why');

      await editor.go(`${edit}/loeschen`);
      await editor.look();
      await editor.press('main form button.ps-btn--danger');
      await editor.at(`${desk}/beitraege`);
      await v.go(path, { status: 404 });
    });
  });
}
