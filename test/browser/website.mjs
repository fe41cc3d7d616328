// The operator's contact, whose messages go by a rule, and the members' area, which opens to its networks alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import * as step from './steps.mjs';

export function website(demo) {
  for (const [lang, js] of [['de', true], ['en', false]]) {
    test(`the operator's contact says when the message goes (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.operator;
      const l = step.letter(lang);
      await journey(t, [await ps.visitor({ tenant, lang, js, from: '203.0.113.20' }), await ps.visitor({ tenant, lang, js, name: 'clerk' })], async (v, clerk) => {
        l.begin = async () => {
          await v.go('/kontakt');
          await v.look();
          await v.press('main a[href*="/nachricht?"]');
        };
        const code = await step.writeLetter(v, l);
        await step.collect(v, code);
        const goes = lang === 'de' ? /am (\d\d\.\d\d\.\d{4}) gelöscht|löscht diesen Vorgang am (\d\d\.\d\d\.\d{4})/ : /deletes? (?:it|this case) on (\d+ \w+ \d{4})|deleted on (\d+ \w+ \d{4})/;
        const said = async (one) => (goes.exec(await one.page.locator('main').innerText()) ?? []).slice(1).find(Boolean);
        assert.equal(await said(v), undefined, 'no day while the matter is open');
        await step.signIn(clerk, ps.person(tenant, 't.lindner'));
        await step.openFromInbox(clerk, l.mark);
        await step.close(clerk);
        const day = await said(clerk);
        assert.ok(day, 'the office sees the day');
        await step.collect(v, code);
        assert.equal(await said(v), day, 'and so does the person');
      });
    });
  }

  test("the members' area opens to its networks, and says to others why not", async (t) => {
    const ps = demo();
    const tenant = ps.operator;
    const box = 'main [name=mailbox][value=datenschutz-extern]';
    const visitor = (more) => ps.visitor({ tenant, ...more });
    // The last one claims another address before the proxy adds the true one.
    const people = [await visitor({}), await visitor({ js: false, from: '203.0.113.9' }), await visitor({ lang: 'en', from: '127.0.0.1, 203.0.113.9' })];
    await journey(t, people, async (inside, outside, forged) => {
      await inside.go('/mitglieder');
      await inside.look();
      await inside.press('main a[href*="/nachricht?"]');
      await inside.at('/nachricht/1');
      await inside.look();
      assert.ok(await inside.page.locator(box).isChecked(), 'the request form begins with the service');
      for (const v of [outside, forged]) {
        await v.go('/datenschutz'); // the way there is public
        await v.page.locator('main details:has(a[href$="/mitglieder"]) > summary').click();
        v.expect(403);
        await v.press('main a[href$="/mitglieder"]');
        await v.at('/mitglieder');
        await v.look();
        assert.match(await v.page.locator('main').innerText(), /LVN/, 'the page explains');
        assert.equal(await v.page.locator('main a[href$="/kontakt"]').count(), 1, 'and names a way');
        await v.go('/nachricht?amt=datenschutz-extern');
        assert.equal(await v.page.locator(box).count(), 0, 'there is no way around it');
      }
    });
  });
}
