// Harness of the browser journeys: builds the program once, starts its demo on a free port and a temporary directory,
// opens pages in Debian's Chromium and looks at each of them while a journey walks through.
//
//   const ps = await start();                      // one server for all journeys; ps.stop() in after()
//   const v = await ps.visitor({ js: false, lang: 'en', tenant: ps.authorities[0], cookies: false, from: '203.0.113.9' });
//   await v.go('/nachricht');                      // /en/nachricht at that authority
//   await v.look();                                // axe, one h1, language, no sideways scrolling
//   await v.end();                                 // fails on any console error, CSP violation or failed request
//
// What a page may not do is collected from the first request to end(): console errors, violations of the content
// security policy, requests to another origin, answers of 500 and above. Variables: CHROMIUM=/path to another browser,
// POSTSTELLE_BIN=/path to a program built elsewhere, HEADED=1 to watch.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const artifacts = path.join(here, 'artifacts');
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const axeTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

function browserPath() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const dir of (process.env.PATH ?? '').split(':')) {
    for (const name of ['chromium', 'chromium-browser']) {
      const file = path.join(dir, name);
      if (fs.existsSync(file)) return file;
    }
  }
  throw new Error('no Chromium found: run dev/setup, or set CHROMIUM');
}

/** Builds the program into dir, or takes the one that POSTSTELLE_BIN names. */
export function build(dir) {
  if (process.env.POSTSTELLE_BIN) return process.env.POSTSTELLE_BIN;
  const bin = path.join(dir, 'poststelle');
  execFileSync('go', ['build', '-o', bin, './cmd/poststelle'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  return bin;
}

/** Starts the demo and waits for its first line. */
async function serve(bin, data) {
  // The browser stands in for the proxy in front of the program: it may say from which network somebody comes.
  const child = spawn(bin, ['demo', '--addr', '127.0.0.1:0', '--trusted-proxy', '127.0.0.1/32', '--data', data, '--json'], { cwd: data, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (b) => { log = (log + b).slice(-20000); });
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const lines = readline.createInterface({ input: child.stdout });
  const first = new Promise((resolve) => lines.once('line', resolve));
  const timer = new Promise((resolve) => setTimeout(resolve, 60_000, null).unref());
  const line = await Promise.race([first, timer, ended.then(() => null)]);
  if (line === null) {
    child.kill('SIGKILL');
    throw new Error(`the demo did not come up:\n${log}`);
  }
  lines.on('line', () => {}); // keep the pipe empty
  return {
    info: JSON.parse(line),
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      const { code, signal } = await ended;
      clearTimeout(killer);
      assert.ok(code === 0 || signal === 'SIGTERM', `the demo ended with code ${code}, signal ${signal}:\n${log}`);
    },
  };
}

/** One server and one browser for a file of journeys. */
export async function start() {
  const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'poststelle-browser-'));
  const data = path.join(tmp, 'data');
  fs.mkdirSync(data);
  let server, browser;
  try {
    server = await serve(build(tmp), data);
    browser = await chromium.launch({ executablePath: browserPath(), headless: !process.env.HEADED, args });
  } catch (err) {
    await server?.stop().catch(() => {});
    fs.rmSync(tmp, { recursive: true, force: true });
    throw err;
  }
  const { info } = server;
  const ps = {
    ...info,
    data,
    authorities: info.tenants.filter((t) => t.kind === 'authority'),
    operator: info.tenants.find((t) => t.kind === 'operator'),
    log: server.log,

    /** The sign-ins of a tenant, of one role if asked. */
    staffOf(tenant, role) {
      const found = info.staff.filter((s) => s.tenant === tenant.id && (!role || s.role === role));
      assert.ok(found.length > 0, `the demo lists no staff for ${tenant.id} ${role ?? ''}`);
      return found;
    },

    /** The sign-in of one member of staff. */
    person: (tenant, login) => ps.staffOf(tenant).find((s) => s.login === login),

    /** Outgoing mail, newest first: [{to, subject, text, html, at, headers}]. */
    async mail() {
      const res = await fetch(info.mail_url.endsWith('.json') ? info.mail_url : `${info.mail_url}.json`);
      assert.equal(res.status, 200, 'the demo mailbox');
      return res.json();
    },

    /** Waits until a mail fits, for at most ten seconds. */
    async waitForMail(fits) {
      return until(async () => (await ps.mail()).find(fits), 'no such mail arrived');
    },

    visitor: (options = {}) => visitor(browser, info, tmp, options),

    async stop() {
      try {
        await browser.close();
        await server.stop();
      } finally {
        fs.rmSync(tmp, { recursive: true, force: true });
      }
    },
  };
  return ps;
}

/** Asks again until there is an answer, for at most ten seconds. */
export async function until(ask, message) {
  const end = Date.now() + 10_000;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(message);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A browser profile that takes no cookies. */
function refusing(tmp) {
  const dir = fs.mkdtempSync(path.join(tmp, 'profile-'));
  fs.mkdirSync(path.join(dir, 'Default'));
  fs.writeFileSync(path.join(dir, 'Default', 'Preferences'), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
  return dir;
}

/** What a page is made of: its route and every kind of element on it, without words, addresses and numbers. */
function shapeOf(html, route) {
  const tags = html.match(/<[a-z][^>]*>/g) ?? [];
  const kinds = new Set(tags.map((t) => `${/^<[a-z0-9]+/.exec(t)[0]} ${/ class="([^"]*)"/.exec(t)?.[1] ?? ''} ${(t.match(/ [a-z-]+(?==|\s|>|$)/g) ?? []).sort().join('')}`));
  return `${route} ${[...kinds].sort().join('|')}`;
}

const examined = new Set(); // shapes that axe has seen in this run
const given = new Map(); // origin -> lines of the Set-Cookie headers of this run

/** The cookies that browsers were given by a tenant in all journeys so far: [{name, value, attributes}]. */
export const givenCookies = (tenant) => [...given.get(new URL(tenant.url).port + tenant.id) ?? []].map((line) => {
  const [pair, ...attributes] = line.split(/;\s*/);
  const at = pair.indexOf('=');
  return { name: pair.slice(0, at), value: pair.slice(at + 1), attributes };
});

/** One person with a browser profile of their own. */
async function visitor(browser, info, tmp, { js = true, cookies = true, lang = 'de', tenant = info.tenants[0], width = 1280, dark = false, name = '', from } = {}) {
  const settings = {
    javaScriptEnabled: js, locale: lang === 'de' ? 'de-DE' : 'en-GB', viewport: { width, height: width > 800 ? 900 : 812 },
    colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce', acceptDownloads: true,
    ...(from && { extraHTTPHeaders: { 'X-Forwarded-For': from } }),
  };
  // Who refuses cookies has a browser of their own with that setting, as people have it.
  const context = cookies ? await browser.newContext(settings) : await chromium.launchPersistentContext(refusing(tmp), { ...settings, executablePath: browserPath(), headless: !process.env.HEADED, args });
  context.setDefaultTimeout(45_000);
  const page = context.pages()[0] ?? await context.newPage();
  const problems = [];
  const expected = new Set(); // statuses that the journey provokes on purpose
  const base = new URL(tenant.url);

  page.on('console', (m) => {
    if (m.type() !== 'error') return;
    // The browser reports every status from 400 on as an error; the response below decides about those.
    if (/Failed to load resource/.test(m.text())) return;
    problems.push(`console: ${m.text()}`);
  });
  page.on('pageerror', (e) => problems.push(`script: ${e.message}`));
  page.on('request', (r) => {
    const url = new URL(r.url());
    if (/^https?:$/.test(url.protocol) && url.origin !== base.origin) problems.push(`request to another origin: ${url.origin}`);
  });
  page.on('response', (r) => {
    r.headersArray().then((all) => {
      const key = base.port + tenant.id;
      if (!given.has(key)) given.set(key, new Set());
      for (const h of all) if (h.name.toLowerCase() === 'set-cookie') for (const line of h.value.split('\n')) given.get(key).add(line);
    }, () => {}); // the page was closed while the answer came
    if (r.status() >= 400 && !expected.has(r.status())) problems.push(`${r.status()} ${r.request().method()} ${new URL(r.url()).pathname}`);
  });

  // axe needs scripts in the page: where the person has none, a copy of the page as the server sent it is looked at in a
  // context of its own. Its content policy is set aside there, for axe itself; the person's own page keeps it.
  const looker = await browser.newContext({ bypassCSP: true, locale: lang, viewport: { width, height: 900 }, colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce' });

  const v = {
    page, context, js, lang, tenant, problems, ended: false,
    /** The address of a path in this person's language. */
    url: (p) => new URL((lang === 'en' ? '/en' : '') + p, base).href,

    async go(p, { status = 200 } = {}) {
      if (status !== 200) expected.add(status);
      const res = await page.goto(v.url(p));
      assert.equal(res.status(), status, `GET ${p}`);
      return res;
    },

    /** The path of the page without the language. */
    path: () => new URL(page.url()).pathname.replace(/^\/en(?=\/|$)/, '') || '/',

    /** From now on these statuses belong to the journey. */
    expect(...statuses) { for (const s of statuses) expected.add(s); },

    /** The page has loaded and stands at a path. */
    async at(p) {
      await page.waitForLoadState('load');
      if (p instanceof RegExp) assert.match(v.path(), p, await where(page));
      else assert.equal(v.path(), p, await where(page));
    },

    /** Holds the page to what every page keeps. */
    async look() {
      await page.waitForLoadState('load');
      const at = v.path();
      assert.equal(await page.locator('h1').count(), 1, `${at}: one h1`);
      assert.ok((await page.title()).trim() !== '', `${at}: a title`);
      assert.equal(await page.locator('html').getAttribute('lang'), lang, `${at}: language`);
      const text = await page.locator('body').innerText();
      assert.ok(!/[⟦⟧]/.test(text), `${at}: a sentence is missing: ${/.{0,30}⟦[^⟧]*⟧/.exec(text)?.[0]}`);
      await v.axe();
      for (const size of width === 320 ? [width] : [width, 320]) {
        await page.setViewportSize({ width: size, height: 900 });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (over > 0) problems.push(`${at}: scrolls sideways by ${over} px at ${size} px`);
      }
      if (width !== 320) await page.setViewportSize({ width, height: width > 800 ? 900 : 812 });
    },

    /** axe, once for each shape of a page, language and theme. */
    async axe() {
      const html = await page.content();
      const shape = `${lang} ${dark} ${shapeOf(html, v.path().replace(/[^/]{20,}/g, '*'))}`;
      if (examined.has(shape)) return;
      examined.add(shape);
      const copy = await looker.newPage();
      try {
        // Served under the page's own address, so that its styles load; nothing is asked of the server twice.
        const address = page.url().split('#')[0];
        await copy.route((url) => url.href === address, (route) => route.fulfill({ status: 200, contentType: 'text/html; charset=utf-8', body: html.replace(/<script\b[^>]*>[\s\S]*?<\/script>/g, '') }));
        await copy.goto(address);
        await copy.evaluate(() => document.fonts.ready.then(() => true));
        await copy.evaluate(axe);
        const res = await copy.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags }), axeTags);
        for (const f of res.violations) {
          problems.push(`${v.path()}: axe ${f.impact} ${f.id}: ${f.nodes.length} × ${f.nodes[0].html.slice(0, 160)}`);
        }
      } finally {
        await copy.close();
      }
    },

    /** Does something that leads to another page, and waits for that page. */
    async leads(act) {
      await Promise.all([page.waitForEvent('framenavigated', (f) => f === page.mainFrame()), act()]);
      await page.waitForLoadState('load');
    },

    /** Waits until the browser holds a cookie with this value. */
    cookie: (cookieName, value) => until(async () => (await context.cookies()).find((c) => c.name === cookieName && c.value === value), `no cookie ${cookieName}=${value}`),

    /** Presses the first element that fits a selector; it leads to another page. */
    press: (selector) => v.leads(() => page.locator(selector).first().click()),

    /** A picture and the page's text, for whoever reads the failure. */
    async snapshot(label) {
      fs.mkdirSync(artifacts, { recursive: true });
      const file = path.join(artifacts, `${label}${name ? `-${name}` : ''}`.replace(/[^\p{L}\p{N}-]+/gu, '-'));
      await page.screenshot({ path: `${file}.png`, fullPage: true }).catch(() => {});
      fs.writeFileSync(`${file}.html`, await page.content().catch(() => ''));
      return `${path.relative(root, file)}.png`;
    },

    /** Ends the visit; everything that was collected fails the journey now. */
    async end() {
      await looker.close();
      await context.close();
      v.ended = true;
      assert.deepEqual(problems, [], 'what the pages did that they may not');
    },
  };
  return v;
}

/** A short text for failures: where the browser stands and what the page says first. */
async function where(page) {
  const said = await page.locator('main').innerText().catch(() => '');
  return `at ${new URL(page.url()).pathname}: ${said.slice(0, 300).replace(/\s+/g, ' ')}`;
}

/** Runs a journey with its visitors; a failure leaves a screenshot of each in test/browser/artifacts. */
export async function journey(t, visitors, walk) {
  try {
    await walk(...visitors);
  } catch (err) {
    for (const [i, v] of visitors.entries()) {
      if (!v.page.isClosed()) t.diagnostic(`screenshot: ${await v.snapshot(`${t.name}-${i + 1}`)}`);
      for (const p of v.problems) t.diagnostic(`seen before: ${p}`);
    }
    for (const v of visitors) if (!v.ended) await v.end().catch(() => {});
    throw err;
  }
  for (const v of visitors) if (!v.ended) await v.end();
}
