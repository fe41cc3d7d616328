// Citizens' accounts: registering with a password and with a passkey, signing in, second factor, recovery, change of the
// address, sessions, deletion. The wait of a recovery is the business of the Go tests, which move the clock.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import { device, named, totp } from './signs.mjs';
import { citizenPassword, enter, fill, link, register, submit } from './steps.mjs';

const other = 'fünf rote Kraniche';

export function accounts(demo) {
  for (const [lang, js, at] of [['de', true, 0], ['en', false, 1]]) {
    test(`an account with a password (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const tenant = ps.authorities[at];
      const mark = crypto.randomBytes(4).toString('hex');
      const [email, moved] = [`kim-${mark}@example.org`, `neu-${mark}@example.org`];
      const people = [await ps.visitor({ tenant, lang, js }), await ps.visitor({ tenant: ps.authorities[1 - at], lang, js })];
      await journey(t, people, async (v, second) => {
        v.expect(403, 410, 422);
        second.expect(422);
        await v.go('/konto/registrieren');
        await fill(v, { email: 'kim@', password: 'kurz' });
        await v.look();
        assert.equal(await v.page.locator('[aria-invalid]').count(), 2, 'both fields say what is wrong');
        await register(ps, v, email);

        // A second sign-in at the other authority, seen and ended from the first.
        await enter(second, email);
        await second.at('/postfach');
        await v.go('/konto/sitzungen');
        await v.look();
        assert.equal(await v.page.locator('main section.ps-panel').count(), 2);
        await v.press('main button:has(.ps-btn__icon)');
        await v.look();
        await second.go('/konto');
        await second.at('/konto/anmelden');

        // The second factor.
        await v.go('/konto/zweiter-faktor');
        await v.look();
        await v.press(submit);
        const secret = await v.page.locator('#geheimnis').innerText();
        await v.look();
        await fill(v, { code: '000000' });
        await v.look();
        await fill(v, { code: totp(secret) });
        await v.at('/konto');

        // The address: both are told, the old one opens nothing any more.
        await v.go('/konto/adresse');
        await v.look();
        await fill(v, { email: moved });
        await v.at('/konto');
        await v.go(await link(ps, moved, '/konto/adresse/'));
        await v.look();
        await v.press(submit);
        await v.at('/konto/adresse/geaendert');
        await v.look();
        for (const to of [email, moved]) await ps.waitForMail((m) => m.to === to && /geändert|was changed/.test(m.subject));

        // Sign-out, and in again: address, password and a code.
        await v.press('form[action$="/konto/abmelden"] button');
        await v.at('/konto/anmelden');
        await v.look();
        await v.go('/postfach');
        await v.at('/konto/anmelden');
        await enter(v, email);
        await v.look();
        assert.equal(await v.page.locator('main [name=password]').inputValue(), '', 'the password is not shown again');
        await enter(v, moved);
        await v.at('/konto/code');
        await v.look();

        // Recovery begins, and is stopped by its owner.
        await second.go('/konto/wiederherstellen');
        await second.look();
        await fill(second, { email: moved });
        await second.look();
        await second.go(await link(ps, moved, '/konto/wiederherstellen/'));
        await second.look();
        await fill(second, { password: other });
        await second.at('/konto/wiederherstellen/begonnen');
        await second.look();
        await second.go(await link(ps, moved, '/konto/nicht-ich/'));
        await second.look();
        await second.press(submit);
        await second.at('/konto/nicht-ich');
        await second.look();
      });
    });

    test(`deleting an account (${lang}, scripts ${js ? 'on' : 'off'})`, async (t) => {
      const ps = demo();
      const email = `ada-${crypto.randomBytes(4).toString('hex')}@example.org`;
      await journey(t, [await ps.visitor({ tenant: ps.authorities[at], lang, js })], async (v) => {
        v.expect(422);
        await register(ps, v, email);
        for (const p of ['/konto/passwort', '/konto/hinweise', '/konto/passkeys', '/konto/nachweis']) {
          await v.go(p);
          await v.look();
        }
        await v.go('/konto/loeschen');
        await v.look();
        await v.press(submit);
        await v.look();
        await v.page.locator('main [name=ja]').check({ force: true });
        await v.press(submit);
        await v.at('/konto/geloescht');
        await v.look();
        await enter(v, email);
        await v.at('/konto/anmelden');
      });
    });
  }

  test('an account with a passkey', async (t) => {
    const ps = demo();
    const email = `pia-${crypto.randomBytes(4).toString('hex')}@example.org`;
    await journey(t, [await ps.visitor({ tenant: named(ps.authorities[0]) })], async (v) => {
      v.expect(422);
      await device(v.page);
      await v.go('/konto/registrieren');
      await v.page.locator('main [name=email]').fill(email);
      await v.look();
      await v.press('[data-passkey] button');
      await v.at('/konto/registrieren/gesendet');
      await v.go(await link(ps, email, '/konto/bestaetigen/'));
      await v.press(submit);
      await v.at('/konto');
      await v.press('form[action$="/konto/abmelden"] button');
      await v.look();
      await v.leads(() => v.page.locator('[data-passkey] button').click());
      await v.at('/postfach');

      // The last way in stays; with a password beside it, it may go.
      await v.go('/konto/passkeys');
      await v.look();
      await v.press('main section.ps-panel form button');
      assert.equal(await v.page.locator('#fehler').count(), 1, 'the only passkey is not removed');
      await v.look();
      await v.go('/konto/nachweis?weiter=%2Fkonto%2Fpasswort');
      await v.look();
      await v.leads(() => v.page.locator('[data-passkey] button').click());
      await v.at('/konto/passwort');
      await fill(v, { password: citizenPassword });
      await v.at('/konto');
      await v.go('/konto/passkeys');
      await v.press('main section.ps-panel form button');
      assert.equal(await v.page.locator('main section.ps-panel').count(), 0);
      await v.look();
    });
  });

  test('passkeys are not offered where none can be', async (t) => {
    const ps = demo();
    await journey(t, [await ps.visitor(), await ps.visitor({ tenant: named(ps.authorities[0]), js: false })], async (byNumber, plain) => {
      await byNumber.go('/konto/anmelden');
      assert.equal(await byNumber.page.locator('[data-passkey]').count(), 0, 'no button on an address by number');
      await plain.go('/konto/anmelden');
      assert.equal(await plain.page.locator('[data-passkey]:visible').count(), 0, 'no button without scripts');
      await plain.look();
    });
  });
}
