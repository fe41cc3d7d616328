// The staff's side: signing in and out, the inbox with its views and keys, two clerks at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import * as step from './steps.mjs';

export function staff(demo) {
  test('the inbox: views, filters, choosing, undo and keys', async (t) => {
    const ps = demo();
    const tenant = ps.authorities[0];
    await journey(t, [await ps.visitor({ tenant })], async (v) => {
      const { page } = v;
      v.expect(401, 403, 422);
      await v.go('/amt/eingang');
      await v.at('/amt/anmelden');
      await page.locator('[name=login]').fill('m.keller');
      await page.locator('[name=password]').fill('falsch');
      await v.press(step.submit);
      await v.look();
      assert.equal(await page.locator('[name=password]').inputValue(), '', 'the password is not shown again');
      await step.signIn(v, ps.staffOf(tenant).find((s) => s.login === 'm.keller'));
      for (const href of await page.locator('.ps-side__link').evaluateAll((all) => all.map((a) => a.getAttribute('href')))) {
        await v.go(href);
        await v.look();
      }
      await v.go('/amt/eingang?nr=1999-000001');
      await v.look();
      assert.equal(await page.locator('[data-zeile]').count(), 0);
      await v.go('/amt/eingang');

      // J moves, X chooses, M takes; Ctrl+Z gives back.
      const before = await page.locator('[data-zeile]').first().innerText();
      await page.keyboard.press('j');
      await page.keyboard.press('x');
      await page.keyboard.press('j');
      await page.keyboard.press('Shift+X');
      assert.match(await page.locator('.ps-bulk__count').innerText(), /^2 /);
      await v.leads(() => page.keyboard.press('m'));
      await v.look();
      await page.locator('.ps-undo').waitFor();
      await v.leads(() => page.keyboard.press('Control+z'));
      assert.equal(await page.locator('[data-zeile]').first().innerText(), before, 'undo restores the row');
      await page.keyboard.press('j');
      await v.leads(() => page.keyboard.press('o'));
      await v.at(/^\/amt\/vorgang\//);
      const thread = v.path();
      await v.leads(() => page.keyboard.press('p'));
      await v.at(`${thread}/druck`);
      await v.look();
      for (const p of [`${thread}/weiterleiten`, `${thread}/loeschen`, '/amt/einstellungen', '/amt/tasten']) {
        await v.go(p);
        await v.look();
      }
      // Enter on the box of a row presses no action.
      await v.go('/amt/eingang');
      await page.locator('[data-zeile] .ps-check').first().focus();
      await page.keyboard.press('Enter');
      await page.waitForLoadState('load');
      await v.at('/amt/eingang');
      await v.press('form[action$="/amt/abmelden"] button');
      await v.go('/amt/eingang');
      await v.at('/amt/anmelden');
    });
  });

  test('two clerks at once: the second is told, nothing is sent, the draft stays', async (t) => {
    const ps = demo();
    const tenant = ps.authorities[0];
    const who = (login) => ps.staffOf(tenant).find((s) => s.login === login);
    const l = step.letter('de', { mailbox: 'buergerbuero' });
    await journey(t, [await ps.visitor({ tenant, js: false, name: 'citizen' }), await ps.visitor({ tenant, name: 'keller' }), await ps.visitor({ tenant, js: false, name: 'weber' })], async (citizen, one, two) => {
      const code = await step.writeLetter(citizen, l);
      await step.signIn(one, who('m.keller'));
      await step.signIn(two, who('a.weber'));
      await step.openFromInbox(one, l.mark);
      await step.openFromInbox(two, l.mark);
      await two.page.locator('main [name=body]').fill(`Zweite Antwort (Z-${l.mark})`);
      await step.write(one, { text: `Erste Antwort (E-${l.mark})` });
      two.expect(409);
      await two.press('button[value=senden]');
      await two.look();
      await two.page.locator('#konflikt').waitFor();
      assert.equal(await two.page.locator('main [name=body]').inputValue(), `Zweite Antwort (Z-${l.mark})`, 'the draft stays');
      await two.page.locator('article').getByText(`E-${l.mark}`).first().waitFor();
      await step.collect(citizen, code);
      assert.equal(await citizen.page.getByText(`Z-${l.mark}`).count(), 0, 'nothing was sent');
      await two.press('button[value=senden]'); // "Trotzdem senden"
      await two.page.locator('article').getByText(`Z-${l.mark}`).first().waitFor();
      await two.page.locator('[name=notiz]').fill(`Nur für uns (N-${l.mark})`);
      await two.press('#notiz-form .ps-actions button');
      await two.page.locator('article').getByText(`N-${l.mark}`).first().waitFor();
      await two.look();
      await citizen.page.reload();
      await citizen.page.locator('article').getByText(`Z-${l.mark}`).first().waitFor();
      assert.equal(await citizen.page.getByText(`N-${l.mark}`).count(), 0, 'notes stay inside');
      await citizen.press('main a[href*="/abholen/rueckzug"]');
      await citizen.look();
      await citizen.press('main form button.ps-btn--danger');
      await citizen.at('/abholen/vorgang');
      await two.go(two.path());
      await two.page.locator('.kern-alert--warning').first().waitFor();
      await two.look();
    });
  });
}
