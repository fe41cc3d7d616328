// The cookie table of each tenant against what browsers were given in all journeys before, in both directions: nothing that
// the table does not name, with the values and the lifetime it says, and nothing in the table that nobody was ever given.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { givenCookies, journey } from './harness.mjs';

const month = 30 * 24 * 3600;

/** The rows of a page /cookies: [{name, fits, words, seconds}]. */
async function table(v) {
  const rows = await v.page.locator('main tbody tr').all();
  return Promise.all(rows.map(async (row) => {
    const [name, , , life, values] = await row.locator('th, td').allInnerTexts();
    const pattern = name.trim().replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace('*', '[A-Za-z0-9_-]{1,40}');
    const listed = /Möglich sind: ([^.]*)\./.exec(values)?.[1].split(/,\s*/);
    return { name: name.trim(), fits: new RegExp(`^${pattern}$`), words: listed, seconds: /30 Tage/.test(life) ? month : 0 };
  }));
}

/** What is wrong with a cookie that a browser was given, in the light of the table; '' if nothing. */
export function wrong(cookie, rows) {
  const row = rows.find((r) => r.fits.test(cookie.name));
  const has = (a) => cookie.attributes.some((x) => x.toLowerCase() === a.toLowerCase());
  const age = cookie.attributes.map((a) => /^max-age=(-?\d+)$/i.exec(a)?.[1]).find((x) => x !== undefined);
  if (!row) return 'not in the table';
  if (!has('HttpOnly') || !has('Path=/') || cookie.attributes.some((a) => /^domain=/i.test(a))) return 'attributes';
  if (!cookie.attributes.some((a) => /^samesite=(lax|strict)$/i.test(a))) return 'SameSite';
  if (cookie.value === '' && age !== undefined && Number(age) <= 0) return ''; // removed
  if (row.words && !row.words.includes(cookie.value)) return 'a value that the table does not say';
  if (!row.words && !/^[A-Za-z0-9_-]{20,200}$/.test(cookie.value)) return 'not a random value';
  if (row.seconds === 0 ? age !== undefined || cookie.attributes.some((a) => /^expires=/i.test(a)) : Number(age) !== row.seconds) return 'a lifetime that the table does not say';
  return '';
}

export function cookieTable(demo) {
  test('the cookie table equals what browsers were given in all journeys', async (t) => {
    const ps = demo();
    const seen = new Set();
    const names = new Set();
    for (const tenant of ps.tenants) {
      await journey(t, [await ps.visitor({ tenant })], async (v) => {
        await v.go('/cookies');
        const rows = await table(v);
        assert.ok(rows.length > 0, `${tenant.id}: a table`);
        for (const row of rows) names.add(row.name);
        const cookies = givenCookies(tenant);
        for (const c of cookies) {
          assert.equal(wrong(c, rows), '', `${tenant.id}: ${c.name}; ${c.attributes.join('; ')}`);
          seen.add(rows.find((r) => r.fits.test(c.name)).name);
        }
        // The check itself: each kind of deviation is found.
        const [good] = cookies.filter((c) => c.value !== '' && !rows.find((r) => r.fits.test(c.name)).words);
        if (good) {
          for (const bad of [{ name: 'fremd' }, { value: 'kim' }, { attributes: [...good.attributes, 'Domain=example.org'] }, { attributes: [...good.attributes, 'Max-Age=5'] }, { attributes: good.attributes.filter((a) => a !== 'HttpOnly') }]) {
            assert.notEqual(wrong({ ...good, ...bad }, rows), '', `found: ${JSON.stringify(bad)}`);
          }
        }
      });
    }
    assert.deepEqual([...seen].sort(), [...names].sort(), 'every cookie of the table was given to somebody');
  });
}
