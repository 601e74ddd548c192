// A real browser spends a clerk's day at the console of a running service.
//
//   node check.mjs ROLLCALL DATA [--out DIR]
//
// ROLLCALL is the program, DATA a folder that does not exist yet; pictures of every
// page are written to DIR. Prints one line per check and "N passed, M failed"; exit
// code 1 if any failed. CHROMIUM names the browser, /usr/bin/chromium if unset.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { pageProblems, tabOrderProblems } from './page.mjs';

const { values: flags, positionals: [program, data] } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: join(tmpdir(), 'rollcall-console') } },
});
if (!data) {
  console.error('usage: node check.mjs ROLLCALL DATA [--out DIR]');
  process.exit(2);
}
mkdirSync(flags.out, { recursive: true });

let passed = 0;
let failed = 0;
const report = (name, problem) => {
  if (problem) failed++;
  else passed++;
  console.log(problem ? `FAIL  ${name}: ${problem}` : `ok    ${name}`);
};
const check = async (name, what) => {
  try {
    report(name, await what());
  } catch (e) {
    report(name, e.message.split('\n').slice(0, 3).join(' '));
  }
};
const unless = (ok, problem) => (ok ? undefined : problem);

// The service, with its demonstration.
const service = spawn(program, ['serve', '--demo', '--listen', '127.0.0.1:0', '--data', data], { stdio: ['ignore', 'pipe', 'ignore'] });
let said = '';
service.stdout.setEncoding('utf8');
await new Promise((resolve, reject) => {
  service.stdout.on('data', (text) => {
    said += text;
    if (said.includes('demo-shop')) resolve();
  });
  service.on('exit', (code) => reject(new Error(`the service ended with ${code}: ${said}`)));
});
service.removeAllListeners('exit');
const base = /Rollcall serves (\S+)/.exec(said)[1];
const passphrases = { admin: /passphrase +(\S+)/.exec(said)[1] };
for (const [, id, phrase] of said.matchAll(/(demo-\w+) +\S+ +passphrase (\S+)/g)) passphrases[id] = phrase;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--font-render-hinting=none'],
});
const complaints = [];

// person is somebody with a browser of their own.
async function person(lang, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: lang === 'ko' ? 'ko-KR' : 'en-GB', ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  watch(page);
  return page;
}

// watch notes what a page complains of. That a wrong passphrase or a conflict is
// answered with a status of its own is no complaint.
function watch(page) {
  page.on('console', (m) => {
    // Who presses Tab while a page still loads keeps the focus: the browser says so, and it is right.
    if (/^Autofocus processing was blocked because a document already has a focused element/.test(m.text())) return;
    if (m.type() !== 'log' && !/status of (401|404|409|422)/.test(m.text())) complaints.push(`${page.url().slice(0, 80)}: ${m.text()}`);
  });
  page.on('pageerror', (e) => complaints.push(`${page.url().slice(0, 80)}: ${e.message}`));
}

// What follows uses the keyboard alone: whatever is to be pressed is reached by Tab.
async function tabTo(page, name) {
  const named = new RegExp(name);
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      return (e.getAttribute('aria-label') ?? e.labels?.[0]?.innerText ?? e.innerText ?? e.value ?? '').trim();
    });
    if (named.test(at)) return;
  }
  throw new Error(`Tab does not reach ${name} on ${page.url().slice(0, 80)}`);
}
const press = async (page, name) => {
  await tabTo(page, name);
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
};
const type = async (page, name, text) => {
  await tabTo(page, name);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(text);
};
const choose = async (page, name) => {
  await tabTo(page, name);
  await page.keyboard.press('Space');
};
async function signIn(page, id, words) {
  await page.goto(`${base}/console/`);
  await type(page, words.id, id);
  await type(page, words.passphrase, passphrases[id]);
  await press(page, words.signIn);
}
const text = (page, selector) => page.locator(selector).innerText();
const until = (page, selector, pattern) => page.waitForFunction(([s, p]) => new RegExp(p).test(document.querySelector(s)?.innerText ?? ''), [selector, pattern]);

const words = {
  en: {
    id: '^Your id', passphrase: '^Passphrase', signIn: '^Sign in$', number: '^Number of the plastic card', find: '^Look up$', qr: '^Start a QR code',
    why: '^Why', report: '^Report$', release: '^Release$', plastic: '^The plastic card', waiting: 'Waiting', scanned: 'Scanned', issued: 'Issued',
    good: 'good', suspended: 'suspended', say: 'Tell the person: number', show: '^Show a QR code', age: '^19 or over', accepted: 'Accepted: the card is good',
    refused: 'Suspended: do not accept', yes: 'yes', back: '^Back to the resident', scan: '^Scan$', tx: '^The six digits', face: '^Take the picture', agree: '^Agree',
    other: '^한국어', home: '^Residents', signOut: '^Sign out', log: 'mobile card issued', text: '^The same as text',
    check: '^Check$', cardGood: 'Good: this number', cardSuspended: 'Suspended: do not accept', newPhone: '^A new phone', takePhone: '^Take a new phone', releasePhone: '^Release the phone$',
    phoneReleased: 'it may get a mobile card again', checkNav: '^Check a plastic card',
  },
  ko: {
    id: '^아이디', passphrase: '^비밀문구', signIn: '^로그인$', number: '^주민등록증 발급번호', find: '^조회$', qr: '^QR 코드 만들기',
    why: '^사유', report: '^신고 접수$', release: '^해제$', plastic: '^주민등록증\\. ', waiting: '대기', scanned: '스캔됨', issued: '발급 완료',
    good: '유효', suspended: '정지', say: '신고인에게 알려', show: '^QR 코드 보이기', age: '^19세 이상', accepted: '확인됨: 유효한 신분증',
    refused: '정지됨: 지금은', yes: '예', back: '^주민 화면으로', scan: '^스캔$', tx: '^직원이 알려 준', face: '^촬영하고', agree: '^동의하고',
    other: '^English', home: '^주민', signOut: '^로그아웃', log: '모바일 주민등록증 발급', text: '^글자로 보기',
    check: '^확인$', cardGood: '유효: 사용 중인', cardSuspended: '정지됨: 지금은', newPhone: '^새 휴대폰$', takePhone: '^새 휴대폰으로 바꾸기', releasePhone: '^휴대폰 해제$',
    phoneReleased: '다시 모바일 주민등록증을', checkNav: '^주민등록증 확인',
  },
};

for (const [lang, resident] of [['en', 2], ['ko', 3]]) await day(lang, resident, words[lang]);
await restOfTheHouse();
await withoutScript();
report('nothing was complained of', complaints.length > 0 ? complaints.slice(0, 5).join('; ') : undefined);

await browser.close();
service.kill('SIGTERM');
await new Promise((resolve) => service.on('exit', resolve));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// inspect holds a page as it stands against what every page has to be.
async function inspect(page, name, lang) {
  await check(`${lang} ${name}: to the ear, to the eye, at three widths`, async () => {
    const problems = await pageProblems(page, lang);
    await page.screenshot({ path: join(flags.out, `${lang}-${name}.png`), fullPage: true });
    await page.setViewportSize({ width: 320, height: 640 });
    await page.screenshot({ path: join(flags.out, `${lang}-${name}-320.png`), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    return unless(problems.length === 0, problems.slice(0, 6).join('; '));
  });
}

// phoneScans has a resident's emulated phone scan what a page shows.
async function phoneScans(phone, resident, page, w) {
  const content = await page.locator('#uri').inputValue();
  await phone.goto(`${base}/demo/phones/${resident}`);
  await phone.fill('#text', content);
  await press(phone, w.scan);
}

// day is a clerk's, with a citizen's phone and a bank beside it.
async function day(lang, resident, w) {
  const clerk = await person(lang);
  const phone = await person(lang);
  const bank = await person(lang);

  await check(`${lang} clerk: sign in by keyboard`, async () => {
    await clerk.goto(`${base}/`);
    await inspect(clerk, 'sign-in', lang);
    await signIn(clerk, 'demo-clerk', w);
    await inspect(clerk, 'find', lang);
    return unless(clerk.url() === `${base}/console/`, clerk.url());
  });
  await check(`${lang} clerk: look up a resident by the number of the card`, async () => {
    const all = await (await clerk.request.get(`${base}/demo/residents`)).json();
    await type(clerk, w.number, all[resident - 1].document.toLowerCase());
    await press(clerk, w.find);
    await inspect(clerk, 'resident', lang);
    return unless((await text(clerk, 'h1')).includes(all[resident - 1].name), await text(clerk, 'h1'));
  });
  await check(`${lang} clerk: Tab goes through the page in the order in which it is read`, async () => {
    const problems = await tabOrderProblems(clerk);
    return unless(problems.length === 0, problems.join('; '));
  });
  await check(`${lang} clerk: start a QR code`, async () => {
    await press(clerk, w.qr);
    await inspect(clerk, 'offer', lang);
    await clerk.evaluate(() => { window.region = document.getElementById('state'); });
    await until(clerk, '#state .verdict', w.waiting);
    const left = await text(clerk, '[data-until]');
    return unless(/\b[5-9]\d|90/.test(left), `the countdown says ${left}`);
  });
  await check(`${lang} phone: scans the code, and the clerk sees it`, async () => {
    await phoneScans(phone, resident, clerk, w);
    await inspect(phone, 'phone-offered', lang);
    await until(clerk, '#state .verdict', w.scanned);
  });
  await check(`${lang} phone: the face passes and the card is issued, and the clerk sees it`, async () => {
    await type(phone, w.tx, (await text(clerk, '.tx')).trim());
    await press(phone, w.face);
    await until(clerk, '#state .verdict', w.issued);
    await inspect(clerk, 'issued', lang);
    return unless((await phone.locator('#copies li').count()) === 2, 'the phone does not hold the card in two formats');
  });
  await check(`${lang} clerk: each state is told in the one live region, and once`, async () => {
    await clerk.waitForFunction(() => !document.getElementById('live-only').checkVisibility());
    const region = await clerk.evaluate(() => {
      const e = document.getElementById('state');
      return { same: e === window.region, role: e.getAttribute('role'), live: e.getAttribute('aria-live') };
    });
    return unless(region.same && region.role === 'status' && region.live === 'polite', JSON.stringify(region));
  });

  // The bank looks three times: after the issue, after the report, after the release.
  const bankAsks = async (picture) => {
    await bank.goto(`${base}/console/verify`);
    await choose(bank, w.age);
    if (picture) await inspect(bank, 'ask', lang);
    await press(bank, w.show);
    await until(bank, '#state .verdict', w.waiting);
    if (picture) await inspect(bank, 'asked', lang);
    await phoneScans(phone, resident, bank, w);
    await until(bank, '#state .verdict', w.scanned);
    if (picture) await inspect(phone, 'phone-asked', lang);
    await press(phone, w.agree);
    await bank.waitForFunction(() => !document.getElementById('live-only').checkVisibility());
    await inspect(bank, picture || 'outcome', lang);
    return text(bank, '#state');
  };
  await check(`${lang} bank: accepts, and sees what was asked for and nothing else`, async () => {
    await signIn(bank, 'demo-bank', w);
    const state = await bankAsks('accepted');
    const rows = await bank.locator('.claims tbody tr').count();
    return unless(state.includes(w.accepted) && rows === 1 && state.includes(w.yes), `${rows} rows: ${state}`);
  });
  const checksCard = async (picture) => {
    await clerk.goto(`${base}/console/`);
    await press(clerk, w.checkNav);
    if (picture) await inspect(clerk, 'check', lang);
    await type(clerk, w.number, document.toLowerCase());
    await press(clerk, w.check);
    await inspect(clerk, picture || 'checked', lang);
    const focused = await clerk.evaluate(() => document.activeElement.getAttribute('role'));
    return focused === 'status' ? text(clerk, '#verdict') : `the focus is on ${focused}`;
  };
  const document = (await (await clerk.request.get(`${base}/demo/residents`)).json())[resident - 1].document;
  await check(`${lang} clerk: checks a plastic card without a terminal`, async () => {
    const verdict = await checksCard('card-good');
    return unless(verdict.includes(w.cardGood), verdict);
  });
  await check(`${lang} clerk: reports the plastic card as lost, and is told what to say`, async () => {
    await clerk.goto(`${base}/console/residents/${resident}`);
    await choose(clerk, w.plastic);
    await type(clerk, w.why, 'left on a bus');
    await press(clerk, w.report);
    await inspect(clerk, 'reported', lang);
    const told = await text(clerk, '.told');
    const focused = await clerk.evaluate(() => document.activeElement.classList.contains('told'));
    const states = [await text(clerk, '#plastic-state'), await text(clerk, '#mobile-state')].join();
    return unless(told.includes(w.say) && focused && states === `${w.suspended},${w.suspended}`, `${told} ${states} focus ${focused}`);
  });
  await check(`${lang} bank: refuses, and is not told why`, async () => {
    const state = await bankAsks('suspended');
    return unless(state.includes(w.refused) && (await bank.locator('.claims').count()) === 0 && !/lost|분실/.test(await text(bank, 'main')), state);
  });
  await check(`${lang} clerk: the plastic card is suspended, too`, async () => {
    const verdict = await checksCard();
    return unless(verdict.includes(w.cardSuspended) && !/lost|분실/.test(await text(clerk, 'main')), verdict);
  });
  await check(`${lang} clerk: releases, and a reload changes nothing`, async () => {
    await clerk.goto(`${base}/console/residents/${resident}`);
    await type(clerk, w.why, 'found under the seat'); // of the report, which stands first
    await clerk.locator('#release-why-physical-lost').fill('found under the seat');
    await press(clerk, w.release);
    const before = await text(clerk, '#plastic-state');
    const seq = await text(clerk, '.facts div:last-child dd');
    await clerk.reload();
    return unless(before === w.good && (await text(clerk, '.facts div:last-child dd')) === seq, `${before}, ${seq}`);
  });
  await check(`${lang} bank: accepts again`, async () => {
    const state = await bankAsks();
    return unless(state.includes(w.accepted), state);
  });
  await check(`${lang} clerk: a phone is lost, another takes its place, and the first is found`, async () => {
    await clerk.goto(`${base}/console/residents/${resident}`);
    await tabTo(clerk, w.plastic); // of a group Tab reaches one, and the arrows the others
    await clerk.keyboard.press('ArrowDown');
    await type(clerk, w.why, 'phone in the river');
    await press(clerk, w.report);
    await phone.goto(`${base}/demo/phones/${resident}`);
    await tabTo(phone, w.newPhone);
    await phone.keyboard.press('Enter'); // unfolds it
    await press(phone, w.takePhone);
    await clerk.goto(`${base}/console/residents/${resident}`);
    await press(clerk, w.qr);
    await phoneScans(phone, resident, clerk, w);
    await type(phone, w.tx, (await text(clerk, '.tx')).trim());
    await press(phone, w.face);
    await until(clerk, '#state .verdict', w.issued);
    await clerk.goto(`${base}/console/residents/${resident}`);
    await inspect(clerk, 'phone-replaced', lang);
    await clerk.locator('#phone-why-0').focus();
    await clerk.keyboard.insertText('found by divers');
    await press(clerk, w.releasePhone);
    const told = await text(clerk, '.told');
    return unless(told.includes(w.phoneReleased) && (await clerk.locator('[name=wallet]').count()) === 0 && (await text(clerk, '#mobile-state')) === w.good, told);
  });
  await check(`${lang} clerk: the other language, and it is remembered`, async () => {
    const other = lang === 'en' ? 'ko' : 'en';
    await press(clerk, w.other);
    const now = await clerk.evaluate(() => document.documentElement.lang);
    await clerk.goto(`${base}/console/`);
    const later = await clerk.evaluate(() => document.documentElement.lang);
    return unless(now === other && later === other, `${now}, ${later}`);
  });
  await check(`${lang} clerk: on paper there is what is known, and no controls`, async () => {
    await clerk.goto(`${base}/console/residents/${resident}`);
    await clerk.emulateMedia({ media: 'print' });
    const shown = await clerk.evaluate(() => [...document.querySelectorAll('button, nav, form')].filter((e) => e.checkVisibility()).length);
    const facts = await clerk.evaluate(() => document.querySelector('.facts').checkVisibility());
    return unless(shown === 0 && facts, `${shown} controls`);
  });
  await clerk.context().close();
  await phone.context().close();
  await bank.context().close();
}

// restOfTheHouse looks at the pages of those who are not at the counter.
async function restOfTheHouse() {
  const w = words.en;
  await check('auditor: reads the log and takes a checkpoint', async () => {
    const page = await person('en');
    await signIn(page, 'demo-auditor', w);
    await inspect(page, 'audit', 'en');
    if (!(await text(page, '.log')).includes(w.log)) return 'the issue is not in the log';
    const checkpoint = await page.request.get(`${base}/console/audit/checkpoint`);
    const parts = (await checkpoint.text()).split('.').length;
    await page.context().close();
    return unless(checkpoint.ok() && parts === 3, `${checkpoint.status()}, ${parts} parts`);
  });
  await check('administrator: enters a clerk, who signs in', async () => {
    const page = await person('en');
    await signIn(page, 'admin', w);
    await inspect(page, 'parties', 'en');
    await type(page, '^Id$', 'kim');
    await type(page, '^Name$', 'Kim at window 1');
    await type(page, '^Municipality code', '36110');
    passphrases.kim = await page.locator('#passphrase').inputValue();
    await type(page, '^Why$', 'hired');
    await press(page, '^Enter$');
    await inspect(page, 'party-entered', 'en');
    await page.goto(`${base}/console/parties/kim`);
    await inspect(page, 'party', 'en');
    await page.context().close();
    const kim = await person('en');
    await signIn(kim, 'kim', w);
    const title = await kim.title();
    await kim.context().close();
    return unless(title.startsWith('Look up a resident'), title);
  });
  for (const lang of ['en', 'ko']) {
    await check(`${lang} administrator: sees who is signed in, ends one session, then all of a person`, async () => {
      const kims = [await person('en'), await person('en'), await person('en')];
      for (const kim of kims) await signIn(kim, 'kim', w);
      const page = await person(lang);
      await signIn(page, 'admin', words[lang]);
      await page.goto(`${base}/console/sessions`);
      await inspect(page, 'sessions', lang);
      const before = await page.locator('section[aria-labelledby=of-kim] tbody tr').count();
      await press(page, lang === 'en' ? '^End the session of kim' : '^종료: kim');
      await inspect(page, 'session-ended', lang);
      const told = await page.evaluate(() => document.activeElement.classList.contains('told'));
      const after = await page.locator('section[aria-labelledby=of-kim] tbody tr').count();
      await press(page, lang === 'en' ? '^End all sessions of kim' : '^kim의 모든 세션 종료');
      const left = await page.locator('section[aria-labelledby=of-kim]').count();
      const out = [];
      for (const kim of kims) out.push((await kim.goto(`${base}/console/`)).status());
      for (const one of [...kims, page]) await one.context().close();
      return unless(before >= 3 && after === before - 1 && told && left === 0 && out.every((s) => s === 401), `${before}, ${after}, ${left} sessions, ${out}, focus ${told}`);
    });
  }
  await check('registrar: has forms of their own', async () => {
    const page = await person('en');
    await signIn(page, 'demo-registrar', w);
    await page.goto(`${base}/console/residents/6`);
    for (const summary of await page.locator('summary').all()) await summary.click();
    await inspect(page, 'registrar', 'en');
    await page.context().close();
  });
  await check('a wrong passphrase is said aloud, and the focus is on it', async () => {
    const page = await person('en');
    await page.goto(`${base}/console/`);
    await type(page, w.id, 'demo-clerk');
    await type(page, w.passphrase, 'no such passphrase');
    await press(page, w.signIn);
    await inspect(page, 'wrong', 'en');
    const focused = await page.evaluate(() => document.activeElement.getAttribute('role'));
    const title = await page.title();
    await page.context().close();
    return unless(focused === 'alert' && title.startsWith('Error:'), `${focused}, ${title}`);
  });
  await check('in the dark', async () => {
    const page = await person('en', { colorScheme: 'dark' });
    await signIn(page, 'demo-clerk', w);
    await page.goto(`${base}/console/residents/2`);
    await inspect(page, 'dark', 'en');
    await page.context().close();
  });
}

// withoutScript does the day's main things in a browser that runs none.
async function withoutScript() {
  await check('without script: look up, QR code, scan, issue, report', async () => {
    const w = words.en;
    const clerk = await person('en', { javaScriptEnabled: false });
    const phone = await person('en');
    await clerk.goto(`${base}/console/`);
    await clerk.fill('#id', 'demo-clerk');
    await clerk.fill('#passphrase', passphrases['demo-clerk']);
    await clerk.click('main button');
    await clerk.fill('#number', '4');
    await clerk.click('main button');
    await clerk.click('text=Start a QR code');
    await phoneScans(phone, 4, clerk, w);
    await clerk.click('text=Look again');
    if (!(await text(clerk, '#state .verdict')).includes(w.scanned)) return 'the clerk does not see that it was scanned';
    await type(phone, w.tx, (await text(clerk, '.tx')).trim());
    await press(phone, w.face);
    await clerk.click('text=Look again');
    if (!(await text(clerk, '#state .verdict')).includes(w.issued)) return 'the clerk does not see that it was issued';
    await clerk.click('text=Back to the resident');
    await clerk.check('input[value=mobile-lost]');
    await clerk.fill('#report-why', 'phone in the river');
    await clerk.click('button:text-is("Report")');
    const states = [await text(clerk, '#plastic-state'), await text(clerk, '#mobile-state')].join();
    await clerk.context().close();
    await phone.context().close();
    return unless(states === 'good,suspended', states);
  });
}
