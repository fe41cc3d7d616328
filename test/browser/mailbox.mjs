// The mailbox of a person with an account: writing signed in, the answer, taking over a matter with its code, the authority
// that writes first, drafts, and letting go.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import * as step from './steps.mjs';

/** The row of the list whose subject has the mark. */
const row = (v, mark) => v.page.locator('.ps-msg', { hasText: mark });

async function openRow(v, mark) {
  await v.go('/postfach');
  await v.look();
  await v.leads(() => row(v, mark).locator('.ps-msg__link').click());
  await v.at(/^\/postfach\/[^/]+$/);
  await v.look();
}

/** A letter of somebody who is signed in; it has no code. */
async function writeSignedIn(v, fields) {
  const l = step.letter(v.lang, fields);
  await step.toCheck(v, l);
  await v.look();
  await v.press(step.sendButton);
  await v.at('/nachricht/gesendet');
  await v.look();
  assert.equal(await v.page.locator('#abholcode').count(), 0, 'no collection code');
  return l;
}

export function mailboxes(demo) {
  test('one account at both authorities', async (t) => {
    const ps = demo();
    const [first, second] = ps.authorities;
    const email = `beide-${crypto.randomBytes(4).toString('hex')}@example.org`;
    const people = [await ps.visitor({ tenant: first }), await ps.visitor({ tenant: second }), await ps.visitor({ tenant: ps.operator })];
    await journey(t, people, async (town, village, operator) => {
      await step.register(ps, town, email);
      const here = await writeSignedIn(town, { mailbox: 'tiefbauamt' });
      await step.enter(village, email);
      await village.at('/postfach');
      const there = await writeSignedIn(village, { mailbox: 'rathaus' });
      await openRow(town, here.mark);
      await step.readThread(town, { text: here.mark, files: [] });
      await openRow(village, there.mark);
      await step.readThread(village, { text: there.mark, files: [] });
      await town.go('/postfach');
      assert.equal(await row(town, there.mark).count(), 0, 'an authority shows its own matters only');
      await step.enter(operator, email);
      await operator.at('/postfach');
      await operator.look();
      for (const [l, tenant] of [[here, first], [there, second]]) {
        const href = await row(operator, l.mark).locator('.ps-msg__link').getAttribute('href');
        // By its name; the visitors use its number, on the same port.
        assert.match(href, new RegExp(`^http://${tenant === first ? 'localhost' : `${tenant.id}\\.localhost`}:\\d+/postfach/`));
      }
    });
  });
  for (const [lang, js] of [['de', true], ['en', false]]) {
    test(`written to first, never having written (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.authorities[0];
      const mark = crypto.randomBytes(4).toString('hex');
      const email = `erlaubt-${mark}@example.org`;
      const clerk = ps.staffOf(tenant).find((s) => s.login === 'e.aydin');
      const people = [await ps.visitor({ tenant, lang, js }), await ps.visitor({ tenant, js })];
      await journey(t, people, async (v, office) => {
        v.expect(422);
        office.expect(409);
        await step.register(ps, v, email);
        await v.go('/konto');
        await v.press('main a[href$="/postfach/erlauben"]');
        await v.at('/postfach/erlauben');
        await v.look();
        await v.press(step.submit);
        assert.equal(await v.page.locator('[aria-invalid]').count(), 2, 'both fields say what is wrong');
        await v.look();
        const allow = async () => {
          await v.page.locator('main [name=mailbox]').selectOption('tiefbauamt');
          await v.page.locator('main [name=name]').fill(`Erika ${mark}`);
          await v.page.locator('main [name=wofuer]').fill(`Akte ${mark}`);
          await v.press(step.submit);
          await v.at('/postfach/erlauben');
        };
        await allow();
        await v.look();
        await allow(); // the same once more is the same
        assert.equal(await v.page.locator('form[action$="/zuruecknehmen"]').count(), 1, 'one permission');
        await v.go('/postfach');
        assert.equal(await v.page.locator('.ps-empty').count(), 1, 'a permission is no letter');

        // The office finds who asked, and writes.
        await step.signIn(office, clerk);
        await office.press('a[href$="/amt/erlaubnisse"]:visible');
        await office.look();
        assert.ok(!(await office.page.locator('body').innerText()).includes(email), 'the office does not see the address');
        const line = office.page.locator('tbody tr', { hasText: `Erika ${mark}` });
        assert.ok((await line.innerText()).includes(`Akte ${mark}`));
        await office.leads(() => line.locator('a[href$="/neu"]').click());
        await office.look();
        const form = office.path();
        await office.page.locator('main [name=subject]').fill(`Ihr Antrag ${mark}`);
        await office.page.locator('main [name=body]').fill('Bitte bringen Sie den Plan mit.');
        await office.press('button[value=senden]');
        await office.look();
        const thread = office.path();
        const mail = await ps.waitForMail((m) => m.to === email && m.text.includes('/postfach'));
        assert.ok(!mail.text.includes(mark) && !mail.text.includes('Tiefbauamt'), 'the notice has no content');
        await openRow(v, `Ihr Antrag ${mark}`);
        await step.readThread(v, { text: 'Bitte bringen Sie den Plan mit.' });
        await step.write(v, { text: `Den Plan bringe ich mit (${mark}).` });
        await office.go(thread);
        await office.page.getByText(`Den Plan bringe ich mit (${mark}).`).first().waitFor();

        // Taken back while the clerk writes again: nothing is sent, and the text is not lost.
        await office.go(form);
        await office.page.locator('main [name=subject]').fill(`Noch etwas ${mark}`);
        await office.page.locator('main [name=body]').fill('Dieser Text darf nicht verloren gehen.');
        await v.go('/postfach/erlauben');
        await v.press('form[action$="/zuruecknehmen"] button');
        await v.at('/postfach/erlauben');
        await v.look();
        assert.equal(await v.page.locator('form[action$="/zuruecknehmen"]').count(), 0);
        await office.press('button[value=senden]');
        assert.equal(await office.page.locator('main textarea').inputValue(), 'Dieser Text darf nicht verloren gehen.');
        await office.look();
        await office.go(form, { status: 404 });
        await v.go('/postfach');
        assert.equal(await row(v, `Noch etwas ${mark}`).count(), 0);
        assert.equal(await row(v, `Ihr Antrag ${mark}`).count(), 1, 'what was written stays');
      });
    });

    test(`a mailbox with an account (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.authorities[0];
      const email = `postfach-${crypto.randomBytes(4).toString('hex')}@example.org`;
      const clerk = ps.staffOf(tenant).find((s) => s.login === 'e.aydin');
      const people = [await ps.visitor({ tenant, lang, js }), await ps.visitor({ tenant }), await ps.visitor({ tenant, lang, js })];
      await journey(t, people, async (v, office, stranger) => {
        v.expect(422);
        await step.register(ps, v, email);
        await v.go('/postfach');
        await v.look();
        assert.equal(await v.page.locator('.ps-empty').count(), 1, 'an empty mailbox says so');

        // Written signed in: no code, and the thread is in the mailbox.
        const l = await writeSignedIn(v, { mailbox: 'tiefbauamt', files: [step.pdf('plan.pdf', 'plan')] });
        await openRow(v, l.mark);
        await step.readThread(v, { text: l.mark, files: l.files });

        // The office answers; a mail without content says so; reading changes nothing until the person says so.
        await step.signIn(office, clerk);
        await step.openFromInbox(office, l.mark);
        assert.ok(!(await office.page.locator('body').innerText()).includes(email), 'the office does not see the address');
        await step.write(office, { text: `Wir kommen am Montag (${l.mark}).` });
        const mail = await ps.waitForMail((m) => m.to === email && m.text.includes('/postfach'));
        assert.ok(!mail.text.includes(l.mark) && !mail.text.includes('Tiefbauamt'), 'the notice has no content');
        await openRow(v, l.mark);
        await v.go('/postfach');
        assert.equal(await v.page.locator('.ps-msg--unread').count(), 1);
        await openRow(v, l.mark);
        await v.press('#neu button');
        assert.equal(await v.page.locator('#neu').count(), 0);
        await step.write(v, { text: `Danke (${l.mark}).`, files: [step.pdf('mehr.pdf', 'mehr')] });
        await v.look();

        // A matter of nobody's account comes in with its code.
        const other = step.letter(lang, { mailbox: 'tiefbauamt' });
        const code = await step.writeLetter(stranger, other);
        await v.go('/postfach/uebernehmen');
        await v.page.locator('[name=code]').fill('hallo');
        await v.press(step.submit);
        await v.look();
        await v.page.locator('[name=code]').fill(code.toLowerCase());
        await v.press(step.submit);
        await v.at(/^\/postfach\/[^/]+$/);
        await v.look();

        // The authority writes first.
        await office.page.reload();
        await office.press('main a[href$="/neu"], aside a[href$="/neu"]');
        await office.look();
        await office.page.locator('main [name=subject]').fill(`Sperrung ${l.mark}`);
        await office.page.locator('main [name=body]').fill('Am Samstag wird gesperrt.');
        await office.press('button[value=senden]');
        await office.look();
        await openRow(v, `Sperrung ${l.mark}`);
        await step.readThread(v, { text: 'Am Samstag wird gesperrt.' });

        // A draft: saved, opened, sent.
        const d = step.letter(lang, { mailbox: 'tiefbauamt' });
        await step.toMatter(v, d.mailbox);
        await step.fillMatter(v, d);
        await v.press('button[value=speichern]');
        await v.look();
        assert.equal(await v.page.locator('#gespeichert').count(), 1);
        await v.go('/postfach/entwuerfe');
        await v.look();
        await v.press('.ps-msg form[action$="/oeffnen"] button');
        await v.at('/nachricht/3');
        assert.equal(await v.page.locator('[name=subject]').inputValue(), d.subject);
        await v.press('button[value=weiter]');
        await v.press('button[value=weiter]');
        await v.at('/nachricht/5');
        await v.press(step.sendButton);
        await v.at('/nachricht/gesendet');
        await v.go('/postfach/entwuerfe');
        assert.equal(await v.page.locator('.ps-msg').count(), 0, 'a sent draft is gone');

        // Letting go, with what it means.
        await openRow(v, d.mark);
        const address = v.path();
        await v.press('a[href$="/verlauf"]');
        await v.look();
        await v.go(address);
        await v.press('a[href$="/entfernen"]');
        await v.look();
        await v.press('main button.ps-btn--danger');
        await v.look();
        assert.equal(await row(v, d.mark).count(), 0);
        await v.go(address, { status: 404 });
      });
    });
  }
}
