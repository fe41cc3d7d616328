// The main journey, once for each way of using it: a citizen writes without an account, a clerk answers with a file, the
// citizen collects the answer and writes again, the clerk forwards, closes and deletes, and the code opens nothing more.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { journey, start } from './harness.mjs';
import * as step from './steps.mjs';

let ps;
before(async () => { ps = await start(); });
after(async () => { await ps?.stop(); });

/** Every letter carries a mark of its own, so that journeys do not find each other's. */
let count = 0;
function letter(lang) {
  count += 1;
  const mark = `${Date.now().toString(36)}-${count}`;
  const de = lang === 'de';
  return {
    subject: de ? `Laterne in der Lindenstraße ${mark}` : `Street lamp in Lindenstraße ${mark}`,
    body: de ? `Guten Tag,\n\ndie Laterne vor Haus 14 ist seit Montag dunkel (${mark}).\n\nFreundliche Grüße` : `Hello,\n\nthe lamp at number 14 has been dark since Monday (${mark}).\n\nKind regards`,
    said: mark,
    files: [step.pdf(`Skizze-${mark}.pdf`, mark), step.png(`Foto-${mark}.png`)],
    answer: de ? `Vielen Dank, die Laterne wird am Freitag repariert (A-${mark}).` : `Thank you, the lamp will be repaired on Friday (A-${mark}).`,
    answerFile: step.pdf(`Auftrag-${mark}.pdf`, `A-${mark}`),
    more: de ? `Danke! Gilt das auch für Haus 16? (B-${mark})` : `Thanks! Does that include number 16? (B-${mark})`,
    reason: de ? `Zuständig ist das Bauamt (${mark}).` : `The building department is in charge (${mark}).`,
  };
}

async function wholeLife(citizen, clerk, who, l) {
  const code = await step.writeLetter(citizen, { subject: l.subject, body: l.body, files: l.files });
  await step.reloadConfirmation(citizen, code);
  assert.match(await step.receipt(citizen), new RegExp(step.sha256(l.files[0].buffer).slice(0, 16), 'i'), 'the receipt names the digest of a file');

  await step.signIn(clerk, who);
  const thread = await step.openFromInbox(clerk, l.subject);
  await step.readThread(clerk, { text: l.said, files: l.files });
  await step.answer(clerk, { text: l.answer, files: [l.answerFile] });

  await step.collect(citizen, code);
  await step.readThread(citizen, { text: l.answer, files: [l.answerFile] });
  await step.writeAgain(citizen, { text: l.more });

  await clerk.page.goto(new URL(clerk.lang === 'en' ? `/en${thread}` : thread, clerk.page.url()).href);
  await step.readThread(clerk, { text: l.more });
  return { code, thread };
}

for (const { authority, js, lang } of [
  { authority: 0, js: true, lang: 'de' },
  { authority: 0, js: false, lang: 'de' },
  { authority: 1, js: false, lang: 'en' },
  { authority: 1, js: true, lang: 'en' },
]) {
  test(`a letter's life, authority ${authority + 1}, ${lang}, ${js ? 'with' : 'without'} JavaScript`, async (t) => {
    const tenant = ps.authorities[authority];
    // The demo's clerk must be in both mailboxes to see the thread after forwarding; the administrator of the tenant is.
    const who = ps.staffOf(tenant)[0];
    const l = letter(lang);
    await journey(t, [await ps.visitor({ js, lang, tenant, name: 'citizen' }), await ps.visitor({ js, lang, tenant, name: 'clerk' })], async (citizen, clerk) => {
      const { code, thread } = await wholeLife(citizen, clerk, who, l);
      await step.forward(clerk, { reason: l.reason });
      await clerk.page.goto(clerk.url(thread));
      await step.close(clerk);
      await step.remove(clerk);

      const gone = await step.collectNothing(citizen, code);
      const unknown = await step.collectNothing(citizen, code.replace(/[0-9A-Z](?=[^0-9A-Z]*$)/, (c) => (c === '7' ? '8' : '7')));
      assert.equal(unknown, gone, 'a deleted and a mistyped code look alike');
    });
  });
}

test('both authorities side by side keep their letters apart', async (t) => {
  const [one, two] = ps.authorities;
  const l = letter('de');
  await journey(t, [await ps.visitor({ tenant: one, name: 'one' }), await ps.visitor({ tenant: two, name: 'two' }), await ps.visitor({ tenant: two, name: 'clerk' })], async (here, there, clerk) => {
    const code = await step.writeLetter(here, { subject: l.subject, body: l.body });
    await step.collectNothing(there, code); // the code of another authority opens nothing
    await step.signIn(clerk, ps.staffOf(two)[0]);
    await clerk.go('/amt/eingang');
    assert.equal(await clerk.page.getByText(l.subject).count(), 0, 'the other authority does not see the letter');
  });
});

test('the notice about an answer says nothing of the letter', async (t) => {
  const tenant = ps.authorities[0];
  const l = letter('de');
  const address = `leser-${count}@example.org`;
  await journey(t, [await ps.visitor({ tenant, js: false, name: 'citizen' }), await ps.visitor({ tenant, js: false, name: 'clerk' })], async (citizen, clerk) => {
    const code = await step.writeLetter(citizen, { subject: l.subject, body: l.body, email: address });
    await step.signIn(clerk, ps.staffOf(tenant)[0]);
    await step.openFromInbox(clerk, l.subject);
    await step.answer(clerk, { text: l.answer });
    const mail = await ps.waitForMail((m) => m.to.includes(address));
    for (const secret of [l.said, l.subject, l.answer, code]) {
      assert.ok(!`${mail.subject} ${mail.text} ${mail.html}`.includes(secret), 'the mail carries no content and no code');
    }
  });
});
