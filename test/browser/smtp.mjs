// A mail client for incoming mail: one conversation by RFC 5321, as any server has it.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import net from 'node:net';
import readline from 'node:readline';

/** Hands a mail in at address ("127.0.0.1:2525"); every answer has to be the one that takes the mail. */
export async function deliver(address, { from, name = '', to, subject, text = '' }) {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  const lines = readline.createInterface({ input: socket })[Symbol.asyncIterator]();
  const say = (line) => socket.write(`${line}\r\n`);
  const answer = async (code) => {
    for (;;) {
      const { value, done } = await lines.next();
      assert.ok(!done, 'the server hung up');
      assert.match(value, new RegExp(`^${code}[ -]`), 'the answer of the server');
      if (value[3] === ' ') return;
    }
  };
  try {
    await answer(220);
    for (const [line, code] of [['EHLO mail.example.org', 250], [`MAIL FROM:<${from}>`, 250], [`RCPT TO:<${to}>`, 250], ['DATA', 354]]) {
      say(line);
      await answer(code);
    }
    for (const line of [`From: ${name} <${from}>`, `To: ${to}`, `Subject: ${subject}`, `Message-ID: <${crypto.randomUUID()}@example.org>`, `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`, '', ...text.split('\n').map((l) => l.replace(/^\./, '..')), '.']) say(line);
    await answer(250);
    say('QUIT');
    await answer(221);
  } finally {
    socket.destroy();
  }
}
