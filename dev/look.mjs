// Looks at pages: screenshots at several widths, light, dark and in forced colours; axe-core; sideways scrolling; small
// targets; failed requests; violations of the Content Security Policy. Exit code 1 on any finding.
//
//   node dev/look.mjs --base http://127.0.0.1:8080 --out shots / /abholen /datenschutz
//   node dev/look.mjs --base http://127.0.0.1:8080 --scenario inbox.json
//   node dev/look.mjs --dir DIR            (a folder of .html files, served with our policy: the component gallery)
//   node dev/look.mjs --scenario dev/look-demo.json      (starts the demo and walks through every page and state)
//
// Options: --widths 1280,375,320  --themes light,dark,forced  --no-axe  --no-shots  --no-csp  --full (shots at 320 too)
//          --only NAME (the walks whose name contains it)  --demo FILE (the first line of a demo that already runs)
// The tools come with `dev/assets tools`; Chromium is the distribution's (CHROMIUM=/path picks another).
//
// A scenario is JSON:
//   { "cookies": [{"name": "ps_darstellung", "value": "dunkel"}],
//     "steps":   [{"goto": "/amt/anmelden"}, {"fill": {"#anmeldename": "m.keller", "#passwort": "…"}},
//                 {"otp": {"#code": "BASE32SECRET"}}, {"click": "button.kern-btn--primary"}, {"shot": "angemeldet"}],
//     "paths":   ["/amt/eingang"] }
// Steps run once in every context before the paths; "shot" looks at the page where the steps stand, "check" ticks a box.
// A scenario with "walks" needs the demo: each walk is played once, in a browser profile of its own, and every "shot" is
// taken at all widths and in all themes.
//   { "walks": [{"name": "schreiben", "site": "authority" | "second" | "operator", "lang": "en", "js": false,
//                "steps": [{"goto": "/"}, {"keep": {"code": "#abholcode"}}, {"fill": {"#code": "{code}"}}, {"as": 2}, …]}] }
// {login}, {password}, {login2} … are the sign-ins of the site; "upload" names files that are made up on the spot; "as"
// goes on as another person; "link" keeps the path of the newest mail's link with that part, "otp" types the code of a secret;
// a walk on "host": "localhost" has a device for passkeys; "expect" allows a status; "forget" drops the cookies; "wide" limits a shot to the first width.

import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { device, totp } from '../test/browser/signs.mjs';

const { values: opt, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    base: { type: 'string' }, dir: { type: 'string' }, out: { type: 'string', default: 'shots' }, scenario: { type: 'string' },
    widths: { type: 'string', default: '1280,375,320' }, themes: { type: 'string', default: 'light,dark,forced' },
    only: { type: 'string' }, demo: { type: 'string' },
    'no-axe': { type: 'boolean' }, 'no-shots': { type: 'boolean' }, 'no-csp': { type: 'boolean' }, full: { type: 'boolean' },
  },
});
const require = createRequire(import.meta.url);
let chromium, axe;
try {
  ({ chromium } = require('playwright-core'));
  axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
} catch {
  console.error('look: playwright-core and axe-core are missing: run ./dev/assets tools');
  process.exit(2);
}
const exe = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) => fs.existsSync(file));
if (!exe) {
  console.error('look: no Chromium found: apt-get install chromium, or set CHROMIUM');
  process.exit(2);
}

const scenario = opt.scenario ? JSON.parse(fs.readFileSync(opt.scenario, 'utf8')) : {};
let paths = positionals.length ? positionals : scenario.paths || [];
let base = opt.base;
let server;
if (opt.dir) {
  const csp = "default-src 'none'; script-src 'nonce-galerie'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
  const types = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.mjs': 'text/javascript' };
  server = http.createServer((req, res) => {
    const file = path.join(opt.dir, path.normalize(decodeURIComponent(new URL(req.url, 'http://x').pathname)));
    fs.readFile(file, (err, data) => {
      res.writeHead(err ? 404 : 200, { 'content-type': types[path.extname(file)] || 'application/octet-stream', 'content-security-policy': csp });
      res.end(err ? '' : data);
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  base = `http://127.0.0.1:${server.address().port}`;
  if (!paths.length) paths = fs.readdirSync(opt.dir).filter((f) => f.endsWith('.html')).map((f) => '/' + f);
}
if (!scenario.walks && (!base || (!paths.length && !scenario.steps))) {
  console.error('look: give --base and paths, or --dir, or --scenario');
  process.exit(2);
}

const widths = opt.widths.split(',').map(Number);
const themes = opt.themes.split(',');
const variants = [];
for (const theme of themes) for (const width of widths) {
  if (theme === 'forced' && width !== widths[0]) continue;
  if (theme === 'dark' && width < 375) continue;
  variants.push({ theme, width });
}
fs.mkdirSync(opt.out, { recursive: true });
const nameOf = (p) => p.replace(/^\//, '').replace(/\.html$/, '').replace(/[^A-Za-z0-9_.-]+/g, '-') || 'start';
let findings = 0;
const say = (where, problems, note = '') => {
  console.log(`${problems.length ? 'FAIL' : 'ok  '} ${where}${note}`);
  for (const problem of problems) console.log('     ' + problem);
  findings += problems.length;
};

async function prepare(context) {
  if (scenario.cookies) await context.addCookies(scenario.cookies.map((c) => ({ url: base, ...c })));
}

async function play(page, look) {
  for (const step of scenario.steps || []) {
    if (step.goto) await page.goto(new URL(step.goto, base).href);
    for (const [selector, value] of Object.entries(step.fill || {})) await page.fill(selector, value);
    for (const [selector, secret] of Object.entries(step.otp || {})) await page.fill(selector, totp(secret));
    for (const [selector, file] of Object.entries(step.files || {})) await page.setInputFiles(selector, file);
    for (const selector of [].concat(step.check || [])) await page.check(selector, { force: true });
    if (step.click) {
      await page.click(step.click);
      await page.waitForLoadState('load');
    }
    if (step.press) await page.keyboard.press(step.press);
    if (step.shot) await look(step.shot);
  }
}

async function examine(page, problems) {
  await page.evaluate(() => document.fonts.ready);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) {
    const widest = await page.evaluate(() => [...document.querySelectorAll('main *, header *, footer *')]
      .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest('.kern-sr-only')).slice(0, 3).map((e) => e.outerHTML.slice(0, 80)));
    problems.push(`scrolls sideways by ${over}px: ${widest.join(' | ')}`);
  }
  // WCAG 2.5.8; links inside sentences are excepted there.
  const small = await page.evaluate(() => [...document.querySelectorAll('button, input:not([type=hidden]), select, textarea, summary, nav a, .kern-btn')]
    .filter((e) => {
      const box = e.getBoundingClientRect();
      return box.width > 1 && box.right > 0 && !e.hasAttribute('aria-hidden') && (box.height < 24 || box.width < 24);
    }).map((e) => e.outerHTML.slice(0, 100)));
  for (const html of small) problems.push('target under 24 px: ' + html);
  if (opt['no-axe']) return;
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  for (const v of result.violations) {
    problems.push(`axe ${v.impact} ${v.id} ${v.nodes.length}x: ${v.nodes[0].html.slice(0, 160)} | ${v.nodes[0].failureSummary.split('\n').slice(1, 2).join(' ').trim()}`);
  }
}

// ---- Walks through the demo ----

/** The demo's first line: of one that runs, or of one started here. */
async function demo() {
  if (opt.demo) return { info: JSON.parse(fs.readFileSync(opt.demo, 'utf8').split('\n')[0]), stop() {} };
  const bin = process.env.POSTSTELLE_BIN;
  const args = ['demo', '--addr', '127.0.0.1:0', '--json'];
  const child = bin ? spawn(bin, args, { stdio: ['ignore', 'pipe', 'ignore'] }) : spawn('go', ['run', './cmd/poststelle', ...args], { cwd: path.resolve(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const part of child.stdout) {
    text += part;
    if (text.includes('\n')) break;
  }
  if (!text.includes('\n')) throw new Error('the demo did not come up');
  return { info: JSON.parse(text.split('\n')[0]), stop: () => child.kill('SIGTERM') };
}

/** A file that is made up: its kind follows from the name, "20MB-" before it makes it large. */
function madeUp(name) {
  const kinds = { png: ['image/png', Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')],
    pdf: ['application/pdf', Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')] };
  const [mimeType, buffer] = kinds[name.split('.').at(-1)] ?? ['application/octet-stream', Buffer.from('MZ unbekannt')];
  const size = Number(/^(\d+)MB-/.exec(name)?.[1] ?? 0) * 1e6;
  return { name, mimeType, buffer: size ? Buffer.concat([buffer, Buffer.alloc(size)]) : buffer };
}

/** The path of a link in the newest mail that has one with this part. */
async function mailed(info, part) {
  for (let tries = 0; tries < 50; tries++) {
    for (const m of await (await fetch(info.mail_url + '.json')).json()) {
      const found = (m.text.match(/https?:\/\/[^\s]+/g) ?? []).find((link) => link.includes(part));
      if (found) return new URL(found).pathname;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`no mail with a link to ${part}`);
}

async function walk(w, info, browser) {
  const authorities = info.tenants.filter((t) => t.kind === 'authority');
  const site = { ...({ operator: info.tenants.find((t) => t.kind === 'operator'), second: authorities[1] }[w.site] ?? authorities[0]) };
  if (w.host) site.url = site.url.replace(/\/\/[^:/]+/, `//${w.host}`);
  const kept = { mark: crypto.randomBytes(3).toString('hex') };
  info.staff.filter((s) => s.tenant === site.id).forEach((s, i) => Object.assign(kept, { ['login' + (i ? i + 1 : '')]: s.login, ['password' + (i ? i + 1 : '')]: s.password }));
  const put = (text) => text.replace(/\{(\w+)\}/g, (all, name) => kept[name] ?? all);
  const people = new Map();
  const person = async (n) => {
    if (!people.has(n)) {
      const context = await browser.newContext({ bypassCSP: !opt['no-axe'], javaScriptEnabled: w.js !== false, locale: 'de-DE', timezoneId: 'Europe/Berlin', viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
      context.setDefaultTimeout(30_000);
      const page = await context.newPage();
      if (w.host) await device(page);
      const problems = [], expected = new Set();
      page.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !/Failed to load resource/.test(m.text())) problems.push('console: ' + m.text()); });
      page.on('pageerror', (e) => problems.push('script: ' + e.message));
      page.on('response', (r) => { if (r.status() >= 400 && !expected.has(r.status())) problems.push(`${r.status()} ${r.url()}`); });
      people.set(n, { context, page, problems, expected });
    }
    return people.get(n);
  };
  let { context, page, problems, expected } = await person(1);
  const look = async (step) => {
    const only = step.wide ? [widths[0]] : widths;
    for (const theme of themes) for (const width of only) {
      if ((theme === 'forced' || step.print) && width !== only[0]) continue;
      if (theme === 'dark' && width < 375) continue;
      await page.setViewportSize({ width, height: width > 800 ? 900 : 812 });
      await page.emulateMedia({ colorScheme: theme === 'dark' ? 'dark' : 'light', forcedColors: theme === 'forced' ? 'active' : 'none', media: step.print ? 'print' : 'screen' });
      const name = `${w.name}-${step.shot}`;
      await examine(page, problems);
      if (!opt['no-shots'] && (width >= 375 || opt.full)) await page.screenshot({ path: path.join(opt.out, `${name}-${width}${theme === 'light' ? '' : '-' + theme}.png`), fullPage: true });
      say(`${name} ${width} ${theme}`, problems.splice(0));
    }
    await page.setViewportSize({ width: widths[0], height: 900 });
    await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none', media: 'screen' });
  };
  try {
    for (const step of w.steps) {
      try {
        if (step.as) ({ context, page, problems, expected } = await person(step.as));
        for (const s of [].concat(step.expect ?? [])) expected.add(s);
        if (step.goto) await page.goto(new URL((w.lang === 'en' && step.goto.startsWith('/') ? '/en' : '') + put(step.goto), site.url).href);
        for (const [selector, text] of Object.entries(step.fill ?? {})) await page.fill(selector, put(text));
        for (const [selector, secret] of Object.entries(step.otp ?? {})) await page.fill(selector, totp(put(secret)));
        for (const [selector, text] of Object.entries(step.select ?? {})) await page.selectOption(selector, Number.isInteger(text) ? { index: text } : text);
        for (const [selector, names] of Object.entries(step.upload ?? {})) await page.setInputFiles(selector, [].concat(names).map(madeUp));
        for (const selector of [].concat(step.check ?? [])) await page.check(selector, { force: true });
        if (step.forget) await context.clearCookies();
        if (step.click) {
          await page.locator(put(step.click)).first().click();
          await page.waitForLoadState('load');
        }
        if (step.press) await page.keyboard.press(step.press);
        if (step.at) await page.waitForURL((url) => url.pathname === step.at);
        for (const [name, part] of Object.entries(step.link ?? {})) kept[name] = await mailed(info, part);
        for (const [name, selector] of Object.entries(step.keep ?? {})) kept[name] = selector === 'url' ? new URL(page.url()).pathname + new URL(page.url()).search : (await page.locator(selector).first().innerText()).trim();
        if (step.shot) await look(step);
      } catch (err) {
        say(`${w.name} ${JSON.stringify(step)}`, [String(err.message).split('\n').slice(0, 3).join(' '), `at ${page.url()}`]);
        return;
      }
    }
  } finally {
    for (const one of people.values()) await one.context.close();
  }
}

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'look-'));
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: exe, headless: true, args });
try {
  if (scenario.walks) {
    const { info, stop } = await demo();
    try {
      for (const w of scenario.walks) if (!opt.only || w.name.includes(opt.only)) await walk(w, info, browser);
    } finally {
      stop();
    }
  }
  for (const { theme, width } of scenario.walks ? [] : variants) {
    const context = await browser.newContext({
      bypassCSP: true, // axe is injected; the policy is tried below
      locale: 'de-DE', timezoneId: 'Europe/Berlin', viewport: { width, height: width > 800 ? 900 : 812 }, reducedMotion: 'reduce',
      colorScheme: theme === 'dark' ? 'dark' : 'light', forcedColors: theme === 'forced' ? 'active' : 'none',
    });
    await prepare(context);
    const page = await context.newPage();
    let problems = [];
    page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) problems.push('console: ' + m.text()); });
    page.on('pageerror', (e) => problems.push('script: ' + e.message));
    page.on('requestfailed', (r) => problems.push('failed: ' + r.url()));
    page.on('response', (r) => { if (r.status() >= 400 && r.url() !== page.url() && !r.request().isNavigationRequest()) problems.push(`${r.status()} ${r.url()}`); });
    const look = async (name) => {
      await examine(page, problems);
      if (!opt['no-shots'] && (width !== 320 || opt.full)) {
        await page.screenshot({ path: path.join(opt.out, `${name}-${width}${theme === 'light' ? '' : '-' + theme}.png`), fullPage: true });
      }
      say(`${name} ${width} ${theme}`, problems);
      problems = [];
    };
    await play(page, look);
    for (const p of paths) {
      const response = await page.goto(new URL(p, base).href);
      if (!response || response.status() >= 500) problems.push(`status ${response?.status()}`);
      // The document of an error page is a page too; only its own status line is no finding.
      problems = problems.filter((x) => !/Failed to load resource.*\b4\d\d\b/.test(x) || response.status() < 400);
      await look(nameOf(p));
    }
    await context.close();
  }
  if (!opt['no-csp'] && !scenario.walks) {
    const context = await browser.newContext({ locale: 'de-DE' });
    await prepare(context);
    await context.addInitScript(() => addEventListener('securitypolicyviolation', (e) => console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile || ''}:${e.lineNumber}`)));
    const page = await context.newPage();
    let violations = [];
    page.on('console', (m) => { if (/^CSP |Content Security Policy|TrustedHTML|TrustedScript/.test(m.text())) violations.push(m.text()); });
    const look = async (name) => {
      await page.evaluate(() => document.fonts.ready);
      say(`${name} CSP`, violations);
      violations = [];
    };
    await play(page, look);
    for (const p of paths) {
      const response = await page.goto(new URL(p, base).href);
      if (!response.headers()['content-security-policy']) violations.push('the answer has no Content-Security-Policy');
      await look(nameOf(p));
    }
    await context.close();
  }
} finally {
  await browser.close();
  server?.close();
  fs.rmSync(profile, { recursive: true, force: true });
}
console.log(findings === 1 ? '1 finding' : `${findings} findings`);
process.exit(findings ? 1 : 0);
