// The life of a letter, once for each way of using it: a citizen writes without an account, a clerk answers with a file,
// the citizen collects the answer and writes again, the clerk forwards, another clerk reads, closes and deletes, and the
// code opens nothing more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journey } from './harness.mjs';
import * as step from './steps.mjs';

/** Who opens the first mailbox, where the thread goes, and who reads it there. */
const ways = [
  { mailbox: 'buergerbuero', clerk: 'm.keller', to: 'ordnungsamt', other: 'e.aydin' },
  { mailbox: 'rathaus', clerk: 'j.brandt', to: 'kinder-bildung', other: 's.nowak' },
];

export function letters(demo) {
  for (const { authority, js, lang, width } of [
    { authority: 0, js: true, lang: 'de', width: 1280 },
    { authority: 0, js: false, lang: 'de', width: 375 },
    { authority: 1, js: false, lang: 'en', width: 1280 },
    { authority: 1, js: true, lang: 'en', width: 375 },
  ]) {
    test(`a letter's life, authority ${authority + 1}, ${lang}, ${js ? 'with' : 'without'} JavaScript`, async (t) => {
      const ps = demo();
      const tenant = ps.authorities[authority];
      const way = ways[authority];
      const staff = (login) => ps.staffOf(tenant).find((s) => s.login === login);
      const l = step.letter(lang, { mailbox: way.mailbox });
      l.files = [step.pdf(`Skizze-${l.mark}.pdf`, l.mark), step.png(`Foto-${l.mark}.png`)];
      const answerFile = step.pdf(`Auftrag-${l.mark}.pdf`, `A-${l.mark}`);
      const moreFile = step.pdf(`Nachtrag-${l.mark}.pdf`, `B-${l.mark}`);
      await journey(t, [await ps.visitor({ js, lang, tenant, width, name: 'citizen' }), await ps.visitor({ js, lang, tenant, name: 'clerk' }), await ps.visitor({ js, lang, tenant, name: 'other' })], async (citizen, clerk, other) => {
        const code = await step.writeLetter(citizen, l);
        await step.reloadConfirmation(citizen, code);
        const receipt = await step.receipt(citizen);
        for (const f of l.files) assert.ok(receipt.includes(step.sha256(f.buffer)), 'the receipt names the digest of each file');
        assert.ok(!receipt.includes(l.mark), 'the receipt reveals no content');
        await step.checkReceipt(citizen, receipt, true);
        await step.checkReceipt(citizen, receipt.replace(/[0-9a-f](?=\s*-----)/, (c) => (c === '0' ? '1' : '0')), false);
        await citizen.page.goBack();
        await citizen.go(citizen.path());

        await step.signIn(clerk, staff(way.clerk));
        const thread = await step.openFromInbox(clerk, l.mark);
        await step.readThread(clerk, { text: `(${l.mark})`, files: l.files });
        await step.write(clerk, { text: `**Danke** für den Hinweis.\n\n* Termin: Freitag (A-${l.mark})\n* <b>kein</b> HTML`, shown: `A-${l.mark}`, files: [answerFile] });
        await clerk.look();
        assert.equal(await clerk.page.locator('article .ps-prose strong').count(), 1, 'Markdown becomes HTML');
        assert.equal(await clerk.page.locator('article .ps-prose b').count(), 0, 'HTML of the clerk stays text');

        await step.collect(citizen, code);
        await step.readThread(citizen, { text: `A-${l.mark}`, files: [answerFile] });
        await step.write(citizen, { text: `Gilt das auch für Haus 16? (B-${l.mark})`, files: [moreFile] });
        await citizen.look();

        await clerk.go(thread);
        await step.readThread(clerk, { text: `B-${l.mark}`, files: [moreFile] });
        await step.forward(clerk, { to: way.to, reason: `Dafür ist ein anderes Amt da (${l.mark}).` });

        await step.signIn(other, staff(way.other));
        assert.equal(await step.openFromInbox(other, l.mark), thread, 'the other office has the same case');
        await step.readThread(other, { text: `Dafür ist ein anderes Amt da (${l.mark}).`, files: [l.files[0]] });
        await step.close(other);
        await step.remove(other);

        const gone = await step.collectNothing(citizen, code);
        const unknown = await step.collectNothing(citizen, '7K2M-9QXD-4TBH-W3FN-8RJC-05ZP');
        assert.equal(unknown, gone, 'a deleted and an unknown code look alike');
        assert.equal(await step.collectNothing(citizen, 'kein Code'), gone, 'a malformed code looks alike');
      });
    });
  }

  test('both authorities side by side keep their letters apart', async (t) => {
    const ps = demo();
    const [one, two] = ps.authorities;
    const l = step.letter('de');
    await journey(t, [await ps.visitor({ tenant: one, js: false, name: 'one' }), await ps.visitor({ tenant: two, js: false, name: 'two' }), await ps.visitor({ tenant: two, js: false, name: 'clerk' })], async (here, there, clerk) => {
      const code = await step.writeLetter(here, l);
      await step.collectNothing(there, code); // the code of another authority opens nothing
      await step.signIn(clerk, ps.staffOf(two)[0]);
      await clerk.go('/amt/eingang?je=100');
      assert.equal(await clerk.page.getByText(l.mark).count(), 0, 'the other authority does not see the letter');
    });
  });

  test('the notice about an answer says nothing of the letter', async (t) => {
    const ps = demo();
    const tenant = ps.authorities[0];
    const l = step.letter('de', { mailbox: 'buergerbuero' });
    l.email = `leser-${l.mark}@example.org`;
    const answer = `Die Laterne wird repariert (A-${l.mark}).`;
    await journey(t, [await ps.visitor({ tenant, js: false, name: 'citizen' }), await ps.visitor({ tenant, js: false, name: 'clerk' })], async (citizen, clerk) => {
      const code = await step.writeLetter(citizen, l);
      await step.signIn(clerk, ps.staffOf(tenant).find((s) => s.login === 'm.keller'));
      await step.openFromInbox(clerk, l.mark);
      await step.write(clerk, { text: answer });
      const mail = await ps.waitForMail((m) => m.to.includes(l.email));
      for (const secret of [l.subject, `(${l.mark})`, answer, code]) {
        assert.ok(!`${mail.subject} ${mail.text} ${mail.html}`.includes(secret), 'the mail carries no content and no code');
      }
    });
  });
}
