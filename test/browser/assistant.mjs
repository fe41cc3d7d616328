// What people do on the way through the assistant: open help, go back, use two tabs, press twice, refuse cookies, come
// back too late, use only the keyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import * as step from './steps.mjs';

const next = 'button[value=weiter]';
const help = 'details[data-anzeige=hilfe_nachricht]';

export function assistant(demo) {
  for (const js of [true, false]) {
    test(`an opened help text stays open, answers stay, ${js ? 'with' : 'without'} JavaScript`, async (t) => {
      const l = step.letter('de');
      await journey(t, [await demo().visitor({ js })], async (v) => {
        const { page } = v;
        const open = () => page.locator(help).evaluate((e) => e.open);
        await step.toMatter(v);
        await step.fillMatter(v, l);
        assert.equal(await open(), false, 'help is closed at first');
        await page.locator(`${help} summary`).click();
        if (js) await v.cookie('ps_hilfe_nachricht', 'auf');
        else await v.press(`${help} .ps-help__keep button`);
        assert.equal(await page.locator('[name=subject]').inputValue(), l.subject, 'opening help loses no answer');
        await v.press(next);
        await v.at('/nachricht/4');
        await v.press('button[value=zurueck]');
        await v.at('/nachricht/3');
        assert.equal(await open(), true, 'help is still open');
        assert.equal(await page.locator('[name=body]').inputValue(), l.body, '"back" keeps the answers');
        await v.look();
        await page.locator(`${help} summary`).click();
        if (js) {
          await v.cookie('ps_hilfe_nachricht', 'zu');
          await page.reload();
        } else {
          await page.locator(`${help} summary`).click();
          await v.press(`${help} .ps-help__keep button`);
        }
        assert.equal(await open(), false, 'closed help stays closed');

        // The browser's own back button: two pages back, nothing lost.
        await v.press(next);
        await v.at('/nachricht/4');
        await v.press('.ps-steps a[href*="/nachricht/2"]');
        await page.goBack();
        await page.goBack();
        await v.at('/nachricht/3');
        assert.equal(await page.locator('[name=subject]').inputValue(), l.subject, 'the back button keeps the answers');
      });
    });
  }

  test('errors are listed, lead to their fields and keep what was typed', async (t) => {
    await journey(t, [await demo().visitor()], async (v) => {
      const { page } = v;
      v.expect(422);
      await v.go('/nachricht');
      await v.press(next);
      await v.look();
      assert.match(await page.title(), /^Fehler:/);
      await step.toMatter(v);
      await step.fillMatter(v, { body: 'Kaputt', email: 'kim@' });
      await v.press(next);
      await v.look();
      assert.equal(await page.evaluate(() => document.activeElement.id), 'fehler', 'the list of errors has the focus');
      const links = page.locator('#fehler a');
      assert.equal(await links.count(), 3);
      await links.last().click();
      assert.equal(await page.evaluate(() => document.activeElement.name), 'email', 'a link leads to its field');
      assert.equal(await page.locator('[name=body]').inputValue(), 'Kaputt');
      const l = step.letter('de');
      await step.fillMatter(v, { ...l, email: '' });
      await v.press(next);
      await v.at('/nachricht/4');
      await page.locator('main input[name=files]').setInputFiles([{ name: 'Programm.pdf', mimeType: 'application/pdf', buffer: Buffer.from('MZ kein PDF') }, step.png('Foto.png'), step.pdf('leer.pdf', '')].map((f) => (f.name === 'leer.pdf' ? { ...f, buffer: Buffer.alloc(0) } : f)));
      await v.press('button[value=hochladen]');
      await v.look();
      assert.equal(await page.locator('#fehler li').count(), 2, 'a wrong kind and an empty file are named');
      await page.getByText('Foto.png').first().waitFor();
      await v.press('button[name=entfernen]');
      await v.at('/nachricht/4');
      assert.equal(await page.getByText('Foto.png').count(), 0, 'a removed file is gone');
    });
  });

  for (const js of [true, false]) {
    test(`two tabs do not disturb each other, sending twice is one letter, ${js ? 'with' : 'without'} JavaScript`, async (t) => {
      const ps = demo();
      const tenant = ps.authorities[0];
      const one = step.letter('de', { mailbox: 'buergerbuero' });
      const two = step.letter('de', { mailbox: 'buergerbuero' });
      await journey(t, [await ps.visitor({ js, tenant, name: 'citizen' }), await ps.visitor({ js: false, tenant, name: 'clerk' })], async (v, clerk) => {
        await step.toCheck(v, one);
        const first = v.page.url();
        await step.toCheck(v, two);
        const second = v.page.url();
        // Both letters were open at once; each address still has its own.
        await v.page.goto(first);
        await v.page.locator('main').getByText(one.subject).first().waitFor();
        await v.leads(() => v.page.locator('main .ps-actions button.kern-btn--primary').dblclick());
        await v.page.waitForURL(/\/nachricht\/gesendet/);
        const code = await step.codeOf(v);
        // Back to the form and sent once more: the same letter, the same code.
        await v.page.goto(first);
        await v.at('/nachricht/gesendet');
        assert.equal(await step.codeOf(v), code, 'the sent letter shows its code again');
        await v.page.goto(second);
        await v.at('/nachricht/5');
        assert.notEqual(await step.send(v), code, 'the second letter has a code of its own');
        await v.press('button[value=notiert]');
        await v.look();
        assert.equal(await v.page.locator('#abholcode').count(), 0, 'a code that was noted is shown no more');

        await step.signIn(clerk, ps.staffOf(tenant).find((s) => s.login === 'm.keller'));
        await clerk.go('/amt/eingang?je=100');
        for (const l of [one, two]) assert.equal(await clerk.page.locator('.ps-clip a', { hasText: l.mark }).count(), 1, 'each letter arrived once');
      });
    });
  }

  test('cookies refused: the page explains and gives back what was typed', async (t) => {
    for (const js of [true, false]) {
      await journey(t, [await demo().visitor({ js, cookies: false })], async (v) => {
        v.expect(403);
        await v.go('/');
        await v.look();
        await v.go('/nachricht');
        await v.at('/nachricht/1');
        await v.page.locator('main [name=mailbox]').first().check({ force: true });
        await v.press(next);
        await v.look();
        await v.page.locator('main').getByText(/Cookie/).first().waitFor();
        assert.equal(await v.page.locator(next).count(), 0, 'the form is not shown again and again');
        assert.equal((await v.context.cookies()).length, 0);
      });
    }
  });

  test('unknown, foreign and ended drafts begin anew and say why', async (t) => {
    const [one, other] = [await demo().visitor({ js: false }), await demo().visitor({ js: false })];
    await journey(t, [one, other], async (v, stranger) => {
      v.expect(403, 409, 422);
      await v.go('/nachricht/3?e=unbekannt');
      await v.at('/nachricht/1');
      await v.page.locator('main .kern-alert').first().waitFor();
      await v.look();
      const l = step.letter('de');
      await step.toCheck(v, l);
      await stranger.page.goto(v.page.url());
      await stranger.at('/nachricht/1');
      assert.equal(await stranger.page.getByText(l.mark).count(), 0, 'the address of a draft opens nothing for others');

      // The session ends between two steps: what this request carried is shown, earlier answers are gone.
      await step.toMatter(v);
      await step.fillMatter(v, l);
      const session = (await v.context.cookies()).find((c) => c.name.endsWith('ps_sitzung'));
      await v.context.addCookies([{ ...session, value: session.value.replace(/./g, 'A') }]);
      await v.press(next);
      await v.look();
      await v.page.locator('main .kern-alert').first().waitFor();
      assert.ok((await v.page.content()).includes(l.mark), 'the text of this request is not lost');
    });
  });

  test('the whole assistant by keyboard alone', async (t) => {
    const l = step.letter('de');
    await journey(t, [await demo().visitor()], async (v) => {
      const { page } = v;
      const keys = page.keyboard;
      /** Presses Tab until the focus stands on an element that fits. */
      const tabTo = async (selector) => {
        for (let i = 0; i < 60; i += 1) {
          if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) {
            assert.ok(await page.evaluate(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' || s.boxShadow !== 'none' || document.activeElement.matches('[type=radio]'); }), `the focus is visible on ${selector}`);
            return;
          }
          await keys.press('Tab');
        }
        assert.fail(`no way by keyboard to ${selector}`);
      };
      await v.go('/');
      await keys.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.className.includes('ps-skip')), true, 'the skip link comes first');
      await tabTo('main a[href="/nachricht"]');
      await v.leads(() => keys.press('Enter'));
      await v.at('/nachricht/1');
      await tabTo('[name=mailbox]');
      await keys.press('Space');
      await v.leads(() => keys.press('Enter'));
      await v.at('/nachricht/2');
      await tabTo('[name=topic]');
      await keys.press('Space');
      await v.leads(() => keys.press('Enter'));
      await v.at('/nachricht/3');
      await tabTo('[name=subject]');
      await keys.type(l.subject);
      await tabTo(`${help} summary`);
      await keys.press('Enter');
      assert.equal(await page.locator(help).evaluate((e) => e.open), true, 'help opens by keyboard');
      await tabTo('[name=body]');
      await keys.type('Die Laterne vor Haus 14 ist seit Montag dunkel.');
      await tabTo('[name=email]');
      await v.leads(() => keys.press('Enter')); // Enter in a field goes on; it opens no help
      await v.at('/nachricht/4');
      await tabTo(next);
      await v.leads(() => keys.press('Enter'));
      await v.at('/nachricht/5');
      await tabTo('main .ps-actions button.kern-btn--primary');
      await v.leads(() => keys.press('Enter'));
      await v.at('/nachricht/gesendet');
      await step.codeOf(v);
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the heading has the focus');
    });
  });
}
