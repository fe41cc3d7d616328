// What a person has with them to sign in: an app for codes, and a device for passkeys.
import crypto from 'node:crypto';

/** The code of RFC 6238 that an app would show now. */
export function totp(secret) {
  const bits = [...secret.replace(/[=\s]/g, '').toUpperCase()].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = crypto.createHmac('sha1', Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))).update(counter).digest();
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
}

/** Gives a page a device that answers for passkeys by itself. */
export async function device(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
}

/** An authority under a name instead of a number: what passkeys belong to. */
export const named = (tenant) => ({ ...tenant, url: tenant.url.replace('127.0.0.1', 'localhost') });
