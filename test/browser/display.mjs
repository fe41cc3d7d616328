// Pages that everybody can open, and what the browser keeps: messages, themes, languages, cookies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journey } from './harness.mjs';

const pages = ['/', '/abholen', '/quittung', '/impressum', '/datenschutz', '/cookies', '/barrierefreiheit', '/nutzungsbedingungen'];

export function display(demo) {
  for (const { lang, site, dark, width, js } of [
    { lang: 'de', site: 'authority', dark: false, width: 375, js: true },
    { lang: 'en', site: 'authority', dark: true, width: 1280, js: false },
    { lang: 'de', site: 'operator', dark: true, width: 1280, js: true },
  ]) {
    test(`reading pages keep nothing: ${site}, ${lang}, ${dark ? 'dark' : 'light'}, ${width} px`, async (t) => {
      const ps = demo();
      await journey(t, [await ps.visitor({ lang, dark, width, js, tenant: site === 'operator' ? ps.operator : ps.authorities[1] })], async (v) => {
        for (const p of pages) {
          await v.go(p);
          await v.look();
        }
        await v.go('/gibt-es-nicht', { status: 404 });
        await v.look();
        assert.deepEqual(await v.context.cookies(), [], 'reading sets no cookie');
      });
    });
  }

  test('what a page may not do is noticed', async (t) => {
    const v = await demo().visitor();
    await journey(t, [v], async () => {
      await v.go('/impressum');
      await v.page.evaluate(() => {
        console.error('planted');
        const image = document.createElement('img');
        image.setAttribute('style', 'width: 2000px');
        image.src = 'http://127.0.0.9:9/bild.png';
        const wide = document.createElement('pre');
        wide.textContent = 'x'.repeat(999);
        document.querySelector('main').append(image, wide);
      });
      await v.look();
      for (const sign of [/console: planted/, /Content Security Policy.*style/, /127\.0\.0\.9/, /axe .*image-alt/, /scrolls sideways/]) {
        assert.ok(v.problems.some((p) => sign.test(p)), `${sign} is among ${JSON.stringify(v.problems)}`);
      }
      v.problems.length = 0;
    });
  });

  test('the operator finds the authority of a place', async (t) => {
    const ps = demo();
    await journey(t, [await ps.visitor({ tenant: ps.operator, js: false })], async (v) => {
      await v.go('/');
      await v.page.locator('[name=ort]').fill('Muster');
      await v.press('main form button');
      await v.look();
      await v.page.getByRole('link', { name: ps.authorities[0].name }).first().waitFor();
      await v.go('/?ort=Hintertupfing');
      await v.look();
    });
  });

  for (const js of [true, false]) {
    test(`messages, theme and language, ${js ? 'with' : 'without'} JavaScript`, async (t) => {
      const ps = demo();
      await journey(t, [await ps.visitor({ js, tenant: ps.authorities[0] })], async (v) => {
        const { page } = v;
        const kept = async () => (await v.context.cookies()).map((c) => c.name);
        await v.go('/impressum');
        const open = page.locator('.ps-banner:not(.ps-banner--closed)');
        const banners = await open.count();
        assert.ok(banners > 0, 'the demo has a message');
        await v.press('.ps-banner__close');
        await v.at('/impressum');
        assert.equal(await open.count(), banners - 1, 'a hidden message is one line');
        await v.go('/');
        assert.equal(await open.count(), banners - 1, 'and stays so');
        await v.press('.ps-banner--closed button');
        assert.equal(await open.count(), banners, 'and is shown again when asked for');
        await v.press('.ps-banner__close');

        await v.press('.ps-theme__button[value=dunkel]');
        assert.equal(await page.locator('html').getAttribute('data-kern-theme'), 'dark');
        await v.go('/cookies');
        assert.equal(await page.locator('html').getAttribute('data-kern-theme'), 'dark');
        await v.look();

        // What the browser was given is what the page says, and every cookie is in the table.
        await v.go('/nachricht');
        await v.go('/cookies');
        const rows = await page.locator('main table tbody tr').evaluateAll((all) => all.map((tr) => ({ name: tr.querySelector('th, td').innerText.trim(), text: tr.innerText })));
        const listed = (name) => rows.find((r) => (r.name.endsWith('*') ? name.startsWith(r.name.slice(0, -1)) : name === r.name || name === `__Host-${r.name}`));
        const cookies = await v.context.cookies();
        assert.equal(cookies.length, 3, `session, message, theme: ${cookies.map((c) => c.name)}`);
        for (const c of cookies) {
          const row = listed(c.name);
          assert.ok(row, `${c.name} is in the table`);
          assert.equal(c.expires === -1, !/30 Tage/.test(row.text), `${c.name} lives as long as the table says`);
          if (!c.name.endsWith('ps_sitzung')) assert.ok(row.text.includes(c.value), `${c.name} holds one of the listed words`);
          assert.equal(c.sameSite === 'Lax' || c.sameSite === 'Strict', true);
        }
        await v.press('form[action$="/cookies/loeschen"] button');
        assert.deepEqual((await kept()).filter((n) => !n.endsWith('ps_sitzung')), [], 'one button deletes the display cookies');

        await v.go('/barrierefreiheit');
        await v.press('.ps-topbar a[hreflang=en]');
        assert.equal(new URL(page.url()).pathname, '/en/barrierefreiheit', 'the switch keeps the page');
        assert.equal(await page.locator('html').getAttribute('lang'), 'en');
      });
    });
  }
}
