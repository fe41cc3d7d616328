// The staff of an authority: a new person from the first password to the end of the access, cover during absence, the log, and a
// passkey of a member of staff.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import { device, named, totp } from './signs.mjs';
import { submit } from './steps.mjs';

const password = 'drei grüne Kraniche';

async function enter(v, login, secret, otp = '') {
  await v.go('/amt/anmelden');
  await v.look();
  await v.page.locator('[name=login]').fill(login);
  await v.page.locator('main [name=password]').fill(secret);
  await v.page.locator('[name=otp]').fill(otp);
  await v.press(submit);
}

export function personal(demo) {
  for (const [lang, js] of [['de', true], ['en', false]]) {
    test(`a new colleague comes, works and leaves (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.authorities[0];
      const secret = (login) => ps.staffOf(tenant).find((s) => s.login === login).password;
      const login = `n.${crypto.randomBytes(4).toString('hex')}`;
      const people = [];
      for (const name of ['admin', 'lead', 'new']) people.push(await ps.visitor({ tenant, lang, js, name }));
      await journey(t, people, async (admin, lead, fresh) => {
        admin.expect(422);
        await enter(admin, 'p.vogel', secret('p.vogel'));
        await admin.at('/amt/personal');
        await admin.look();
        await admin.go('/amt/personal/neu');
        await admin.page.locator('main [name=name]').fill(' ');
        await admin.page.locator('[name=kennung]').fill(login);
        await admin.press(submit);
        await admin.look();
        assert.equal(await admin.page.locator('[name=kennung]').inputValue(), login, 'what was typed stays');
        await admin.page.locator('main [name=name]').fill(`Nora ${login}`);
        await admin.page.locator('[name=postfach][value=buergerbuero]').check();
        await admin.press(submit);
        await admin.at('/amt/personal/zugang');
        await admin.look();
        const start = await admin.page.locator('#startpasswort').innerText();
        const seed = await admin.page.locator('#geheimnis').innerText();
        await admin.press(submit);
        await admin.at('/amt/personal');
        await admin.look();
        await admin.go('/amt/personal/zugang');
        await admin.at('/amt/personal'); // shown once

        // Who proposed cannot confirm; the lead of the mailbox can.
        assert.equal(await admin.page.locator('.ps-panel', { hasText: login }).locator('[value=bestaetigen]').count(), 0);
        await enter(lead, 'm.keller', secret('m.keller'));
        await lead.go('/amt/personal');
        await lead.look();
        await lead.leads(() => lead.page.locator('.ps-panel', { hasText: login }).locator('[value=bestaetigen]').click());
        await lead.look();

        // The first sign-in leads to a password of one's own, and nowhere else.
        await enter(fresh, login, start, totp(seed));
        await fresh.at('/amt/einstellungen/passwort');
        await fresh.look();
        await fresh.go('/amt/eingang');
        await fresh.at('/amt/einstellungen/passwort');
        await fresh.page.locator('main [name=password]').fill(password);
        await fresh.press(submit);
        await fresh.at('/amt/einstellungen');
        await fresh.look();
        await fresh.go('/amt/eingang');
        await fresh.at('/amt/eingang');
        assert.ok((await fresh.page.locator('[data-zeile]').count()) > 0, 'letters of the mailbox');
        await fresh.go('/amt/personal', { status: 403 });
        await fresh.look();

        // The end counts at once.
        await admin.go('/amt/personal');
        await admin.leads(() => admin.page.locator('main a', { hasText: login }).click());
        await admin.look();
        await admin.press('a[href$="/sperren"]');
        await admin.look();
        await admin.press('main form button.ps-btn--danger');
        await admin.at('/amt/personal');
        const before = Date.now();
        await fresh.go('/amt/eingang');
        await fresh.at('/amt/anmelden');
        assert.ok(Date.now() - before < 5000);

        await admin.go('/amt/protokoll?aktion=staff.');
        await admin.look();
        assert.match(await admin.page.locator('main table').innerText(), /Zugang gesperrt|Access blocked/);
        await admin.press('form[action$="/pruefen"] button');
        await admin.look();
        assert.equal(await admin.page.locator('#pruefung ~ .kern-alert--success, section[aria-labelledby=pruefung] .kern-alert--success').count(), 1);
      });
    });
  }

  test('a person has a colleague stand in, somebody else confirms', async (t) => {
    const ps = demo();
    const tenant = ps.authorities[0];
    const secret = (login) => ps.staffOf(tenant).find((s) => s.login === login).password;
    const people = [await ps.visitor({ tenant, js: false, name: 'absent' }), await ps.visitor({ tenant, name: 'admin' }), await ps.visitor({ tenant, name: 'deputy' })];
    await journey(t, people, async (absent, admin, deputy) => {
      absent.expect(422);
      await enter(absent, 'e.aydin', secret('e.aydin'));
      await absent.go('/amt/einstellungen/vertretung');
      await absent.look();
      await absent.press('[value=vorschlagen]');
      await absent.look();
      assert.equal(await absent.page.locator('[aria-invalid]').count(), 2);
      await absent.page.locator('[name=vertretung]').selectOption({ label: 'Lena Sauer' });
      await absent.page.locator('[name=bis]').fill(new Date(Date.now() + 5 * 864e5).toISOString().slice(0, 10));
      await absent.press('[value=vorschlagen]');
      await absent.look();
      await enter(admin, 'a.weber', secret('a.weber'));
      await admin.go('/amt/personal');
      await admin.leads(() => admin.page.locator('.ps-panel', { hasText: 'Lena Sauer' }).locator('[value=bestaetigen]').click());
      await admin.look();
      await enter(deputy, 'l.sauer', secret('l.sauer'));
      await deputy.go('/amt/eingang?postfach=ordnungsamt');
      assert.ok((await deputy.page.locator('[data-zeile]').count()) > 0, 'the deputy sees the mailbox of the absent person');
      await absent.go('/amt/einstellungen/vertretung');
      await absent.look();
      await absent.press('main section form button');
      await absent.look();
      await deputy.go('/amt/eingang?postfach=ordnungsamt', { status: 404 }); // and no longer after the end
    });
  });

  test('staff sign in with a passkey', async (t) => {
    const ps = demo();
    const tenant = named(ps.authorities[0]);
    const secret = ps.staffOf(ps.authorities[0]).find((s) => s.login === 'r.simon').password;
    await journey(t, [await ps.visitor({ tenant })], async (v) => {
      await device(v.page);
      await enter(v, 'r.simon', secret);
      await v.at('/amt/protokoll');
      await v.go('/amt/einstellungen/passkeys');
      await v.look();
      await v.page.locator('main [name=name]').fill('Dienstgerät');
      await v.press('[data-passkey] button');
      await v.at('/amt/einstellungen/passkeys');
      await v.look();
      assert.equal(await v.page.locator('main section h2', { hasText: 'Dienstgerät' }).count(), 1);
      await v.go('/amt/einstellungen/sitzungen');
      await v.look();
      await v.press('form[action$="/amt/abmelden"] button');
      await v.at('/amt/anmelden');
      await v.press('[data-passkey] button');
      await v.at('/amt/protokoll');
      await v.go('/amt/einstellungen/nachweis');
      await v.look();
      await v.go('/amt/einstellungen/passkeys');
      await v.press('main section.ps-panel form button');
      await v.at('/amt/einstellungen/passkeys');
      assert.equal(await v.page.locator('main section h2', { hasText: 'Dienstgerät' }).count(), 0);
    });
  });
}
