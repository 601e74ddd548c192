// A real browser opens reports and does what a planner does.
//
//   node check.mjs [--out DIR] [--update] REPORT.html...
//   node check.mjs --aloud [--lang ko] REPORT.html
//
// Prints one line per check and "N passed, M failed"; exit code 1 if any failed.
// Reports in folders named in pictures.mjs are compared with the pictures beside it;
// what differs is written to DIR; --update takes the pictures anew. --aloud prints a
// report as a screen reader has it. CHROMIUM names the browser, /usr/bin/chromium if
// unset.
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { partsCut, textsFaint, textsOverlap } from './layout.mjs';
import { comparePictures } from './pictures.mjs';
import { aloud, readTree, readerProblems } from './reader.mjs';

const { values: flags, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: join(tmpdir(), 'rollcall-pictures') }, update: { type: 'boolean' }, aloud: { type: 'boolean' }, lang: { type: 'string', default: 'en' } },
});
if (files.length === 0) {
  console.error('usage: node check.mjs [--out DIR] [--update] [--aloud [--lang ko]] REPORT.html...');
  process.exit(2);
}

const references = join(dirname(fileURLToPath(import.meta.url)), 'pictures');

let passed = 0;
let failed = 0;
const report = (name, problem) => {
  if (problem) {
    failed++;
    console.log(`FAIL  ${name}: ${problem}`);
  } else {
    passed++;
    console.log(`ok    ${name}`);
  }
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  // The pictures are compared on many machines: no drawing that depends on the screen.
  args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--font-render-hinting=none', '--disable-lcd-text', '--force-color-profile=srgb'],
});

for (const file of files) await (flags.aloud ? read(resolve(file)) : checkReport(resolve(file)));
await browser.close();
if (flags.aloud) process.exit(0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function read(path) {
  const page = await (await browser.newContext({ viewport: { width: 1200, height: 900 } })).newPage();
  await page.goto(pathToFileURL(path).href);
  if (flags.lang !== 'en') await page.click(`[data-lang=${flags.lang}]`);
  console.log(aloud(await readTree(page)).join('\n'));
}

async function checkReport(path) {
  const title = `${basename(dirname(path))}/${basename(path)}`;
  const url = pathToFileURL(path).href;
  const complaints = [];
  const requests = [];

  // open gives a fresh page in a fresh context; its complaints are collected.
  const open = async (options, prepare) => {
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.setDefaultNavigationTimeout(30_000);
    page.on('console', (m) => m.type() !== 'log' && complaints.push(`${m.type()}: ${m.text()}`));
    page.on('pageerror', (e) => complaints.push(e.message));
    page.on('request', (r) => r.url() !== url && !r.url().startsWith('data:') && requests.push(r.url()));
    await prepare?.(page);
    await page.goto(url);
    return page;
  };
  const check = async (name, options, what, prepare) => {
    let page;
    try {
      page = await open(options, prepare);
      report(`${title}: ${name}`, await what(page));
    } catch (e) {
      report(`${title}: ${name}`, e.message.split('\n')[0]);
    }
    await page?.context().close();
  };
  const paper = (page) => page.pdf({ format: 'A4', printBackground: true, margin: { top: '12mm', bottom: '12mm', left: '12mm', right: '12mm' } });
  const unless = (ok, problem) => (ok ? undefined : problem);

  if (flags.update) {
    await comparePictures({ open, report, name: basename(dirname(path)), references, out: flags.out, update: true });
    return;
  }
  report(`${title}: under three megabytes`, unless(statSync(path).size < 3_000_000, `${statSync(path).size} bytes`));

  // A page of results side by side has neither map nor slider.
  const first = await open();
  const slides = (await first.locator('#day').count()) > 0;
  await first.context().close();

  // What the slider moves: shades, circles, table, tiles, time line, and the
  // pointers of all that is a figure.
  const picture = (page) => page.evaluate(() => ({
    day: document.getElementById('day').value,
    name: document.getElementById('day-name').textContent,
    map: [...document.querySelectorAll('.map [data-region]')].map((e) => [e.getAttribute('class'), e.dataset.pointer, e.dataset.v].join()),
    table: document.querySelector('.bars tbody').textContent,
    tiles: document.querySelector('.tiles').textContent,
    cursors: [...document.querySelectorAll('.cursor')].map((e) => e.style.left).join(),
  }));
  const slide = (page, day) => page.locator('#day').fill(String(day));
  const lastDay = (page) => page.evaluate(() => +document.getElementById('day').max);

  if (slides) {
    await check('the slider moves map, table, tiles and time line together', {}, async (page) => {
      const before = await picture(page);
      await slide(page, 0);
      const after = await picture(page);
      const still = ['day', 'name', 'table', 'tiles', 'cursors'].filter((k) => before[k] === after[k]);
      if (before.map.every((m, i) => m === after.map[i])) still.push('map');
      return unless(still.length === 0, `did not move: ${still.join(', ')}`);
    });

    await check('the slider answers to arrow keys', {}, async (page) => {
      await page.focus('#day');
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowLeft');
      const [day, last] = [+(await picture(page)).day, await lastDay(page)];
      return unless(day === last - 2, `day ${day} of ${last}`);
    });

    await check('play begins at the first day, goes on, and stops when pressed again', {}, async (page) => {
      const pressed = () => page.getAttribute('#play', 'aria-pressed');
      const said = await page.evaluate(() => {
        const play = document.getElementById('play');
        play.click();
        return [play.getAttribute('aria-pressed'), document.getElementById('day').value].join();
      });
      if (said !== 'true,0') return `after the first click: ${said}`;
      // In one breath, for a short run is over soon.
      await page.waitForFunction(() => {
        const [day, play] = [document.getElementById('day'), document.getElementById('play')];
        if (+day.value < 1 || day.value === day.max || play.getAttribute('aria-pressed') !== 'true') return false;
        play.click();
        return true;
      });
      if ((await pressed()) !== 'false') return 'the button does not say that it stopped';
      const at = (await picture(page)).day;
      await page.waitForTimeout(400);
      return unless((await picture(page)).day === at, 'goes on after it was stopped');
    });

    await check('play stops at the last day', {}, async (page) => {
      await slide(page, (await lastDay(page)) - 2);
      await page.click('#play');
      await page.waitForFunction(() => document.getElementById('play').getAttribute('aria-pressed') === 'false');
      return unless(+(await picture(page)).day === (await lastDay(page)), 'stopped before');
    });

    await check('nothing moves by itself for those who want less motion', { reducedMotion: 'reduce' }, async (page) => {
      if (await page.isVisible('#play')) return 'the play button is there';
      await slide(page, 0);
      const moving = await page.evaluate(() => [...document.querySelectorAll('.map path, .bars i')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length);
      return unless(moving === 0, `${moving} shapes glide`);
    });
  }

  await check('every picture is named, in the tab order, and says its values by arrow keys', {}, async (page) => {
    const pictures = await page.locator('.points').count();
    const problems = [];
    for (let i = 0; i < pictures; i++) {
      const area = page.locator('.points').nth(i);
      const id = await area.getAttribute('aria-labelledby');
      if ((await area.getAttribute('tabindex')) !== '0') problems.push(`${id} cannot be reached`);
      if ((await area.locator('[data-v]').count()) === 0) continue;
      await area.focus();
      const told = [];
      for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowUp']) {
        await page.keyboard.press(key);
        const box = page.locator('#tip');
        if (!(await box.isVisible())) problems.push(`${id} says nothing after ${key}`);
        told.push(await box.textContent());
        if ((await page.locator('#said').textContent()) !== told.at(-1)) problems.push(`${id} does not say aloud what it shows`);
        if ((await page.locator('.at').count()) !== 1) problems.push(`${id} marks no point`);
      }
      if (told.some((t) => !/ · .+: .*\d|.+: .*\d/.test(t) || /undefined|NaN/.test(t))) problems.push(`${id} says ${JSON.stringify(told)}`);
      await page.keyboard.press('Escape');
      if (await page.locator('#tip').isVisible()) problems.push(`${id} does not fall silent`);
    }
    return unless(problems.length === 0 && pictures > 0, problems.slice(0, 3).join('; ') || 'there are no pictures');
  });

  await check('a point says its value under the mouse', {}, async (page) => {
    const problems = [];
    for (const selector of ['.map path[data-v]', '.map circle[data-v]:not(.none)', 'rect[data-x]', '.pt[data-v]']) {
      const points = page.locator(selector);
      if ((await points.count()) === 0) continue;
      await points.first().evaluate((e) => e.scrollIntoView({ block: 'center', behavior: 'instant' }));
      // A place of the shape that nothing else covers.
      const at = await points.evaluateAll((all) => {
        for (const e of all) {
          const r = e.getBoundingClientRect();
          const [w, h] = [Math.max(r.width, 1), Math.max(r.height, 1)];
          for (let i = 0; i < 100; i++) {
            const [x, y] = [r.left + (((i % 10) + 0.5) / 10) * w, r.top + ((Math.floor(i / 10) + 0.5) / 10) * h];
            if (document.elementFromPoint(x, y) === e) return { x, y, value: e.dataset.v };
          }
        }
        return null;
      });
      if (!at) {
        problems.push(`${selector}: not one can be pointed at`);
        continue;
      }
      await page.mouse.move(at.x, at.y);
      const told = (await page.locator('#tip').isVisible()) && (await page.locator('#tip').textContent());
      if (!told || !told.endsWith(`: ${at.value}`)) problems.push(`${selector}: ${told}, not ${at.value}`);
    }
    return unless(problems.length === 0, problems.join('; '));
  });

  await check('every figure carries a pointer, whatever the day and the language', {}, async (page) => {
    if (slides) await slide(page, 1);
    await page.click('[data-lang=ko]');
    const bad = await page.evaluate(() => [...document.querySelectorAll('[data-pointer]')].filter((e) => !/^(\/[a-z0-9_~-]+)+$/i.test(e.dataset.pointer) || !(e.dataset.v ?? e.textContent)).length);
    return unless(bad === 0, `${bad} do not`);
  });

  // Text that the reader sees, outside of what is marked as the other language.
  const wrongLanguage = (page, lang) => page.evaluate((wanted) => {
    const hangul = /[\u3131-\u318e\uac00-\ud7a3]/;
    const out = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    document.querySelectorAll('details').forEach((d) => { d.open = true; });
    while (walk.nextNode()) {
      const e = walk.currentNode.parentElement;
      const text = walk.currentNode.data.trim();
      if (!text || e.closest('script, style, code, pre, .switch, #tip, #said, desc') || (e.tagName !== 'title' && !e.checkVisibility())) continue;
      const marked = e.closest('[lang]').lang;
      if (wanted === 'en' && marked === 'en' && hangul.test(text)) out.push(text);
      // Korean readers are shown Latin letters only in names: QR, IC, S1.
      if (wanted === 'ko' && marked === 'ko' && /[a-z]{3,} [a-z]{2,}/i.test(text)) out.push(text);
    }
    return out;
  }, lang);

  await check('the switch turns the page into Korean and back', {}, async (page) => {
    const english = await page.innerText('body');
    await page.click('[data-lang=ko]');
    const korean = await page.innerText('body');
    const lang = () => page.evaluate(() => [document.documentElement.lang, document.querySelector('[data-lang=ko]').getAttribute('aria-pressed')].join());
    if ((await lang()) !== 'ko,true') return `the page says it is ${await lang()}`;
    if (!/20\d\d\.\s\d+\.\s\d+\.\([일월화수목금토]\)/.test(korean)) return 'no date is written as Koreans write it';
    await page.click('[data-lang=en]');
    if ((await lang()) !== 'en,false') return `back, the page says it is ${await lang()}`;
    return unless((await page.innerText('body')) === english && korean !== english, 'English is not what it was');
  });
  await check('English readers are shown no Korean', {}, async (page) => {
    const wrong = await wrongLanguage(page, 'en');
    return unless(wrong.length === 0, wrong.slice(0, 3).join(' | '));
  });
  await check('Korean readers are shown no English that is not marked', {}, async (page) => {
    await page.click('[data-lang=ko]');
    const wrong = await wrongLanguage(page, 'ko');
    return unless(wrong.length === 0, wrong.slice(0, 3).join(' | '));
  });

  await check('without script the page is English, whole, and shows the last day', { javaScriptEnabled: false }, async (page) => {
    const problems = [];
    if (await page.locator('.slider').isVisible()) problems.push('the slider is there');
    if (await page.locator('.switch').isVisible()) problems.push('the switch is there');
    if (await page.locator('.ko').first().isVisible()) problems.push('Korean is there');
    const ofRuns = ['.map svg', '.bars tbody tr', '.tile', '.w0, .w1, .w2, .w3, .w4, .w5, .w6'];
    const besides = ['.results tbody tr', '#h-changed', '.sides tbody tr', '.area .line.s0', '.area .line.s1'];
    for (const s of ['h1', '#h-trust', '#h-again', ...(slides ? ofRuns : besides)]) {
      if (!(await page.locator(s).first().isVisible())) problems.push(`${s} is missing`);
    }
    return unless(problems.length === 0, problems.join('; '));
  });

  await check('pictures have title and description, and ids are there once', {}, async (page) => {
    const wrong = await page.evaluate(() => {
      const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
      const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
      const nameless = [...document.querySelectorAll('svg[role=img]')].filter((s) => s.getAttribute('aria-labelledby').split(' ').some((id) => !document.getElementById(id)?.textContent));
      return [...twice, ...nameless.map(() => 'a picture without a name')];
    });
    return unless(wrong.length === 0, wrong.join('; '));
  });

  const grounds = {};
  for (const colorScheme of ['light', 'dark']) {
    await check(`text stands out in ${colorScheme}`, { colorScheme }, async (page) => {
      grounds[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const wrong = await textsFaint(page);
      return unless(wrong.length === 0, wrong.slice(0, 4).join('; '));
    });
  }
  report(`${title}: dark is dark`, unless(grounds.light !== grounds.dark, `${grounds.light} in both`));

  for (const width of [1440, 768, 360]) {
    for (const lang of ['en', 'ko']) {
      await check(`nothing overlaps or scrolls sideways at ${width} px, ${lang}`, { viewport: { width, height: 844 } }, async (page) => {
        if (lang === 'ko') await page.click('[data-lang=ko]');
        const overlaps = await textsOverlap(page);
        if (overlaps.length > 0) return `${overlaps.length}: ${overlaps.slice(0, 3).join('; ')}`;
        const wide = await page.evaluate(() => {
          document.querySelectorAll('details').forEach((d) => { d.open = true; });
          const w = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= w) return '';
          const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > w + 1 && !e.closest('svg'));
          return `${document.documentElement.scrollWidth} px wide: ${out.slice(0, 3).map((e) => `${e.tagName.toLowerCase()}.${e.className}`).join(', ')}`;
        });
        return unless(!wide, wide);
      });
    }
  }

  await check('printed it is light, without controls, and a PDF comes out', { colorScheme: 'dark' }, async (page) => {
    const pdf = await paper(page);
    if (pdf.subarray(0, 5).toString() !== '%PDF-' || pdf.length < 20_000) return `the PDF has ${pdf.length} bytes`;
    await page.emulateMedia({ media: 'print' });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    if (ground !== 'rgb(255, 255, 255)') return `the paper is ${ground}`;
    for (const s of ['.switch', '.slider', 'details', '.skip']) {
      if (await page.locator(s).first().isVisible()) return `${s} is printed`;
    }
  });
  await check('printed, no picture is cut by the end of a page', {}, async (page) => {
    const { problems, parts, pages } = await partsCut(page, paper);
    if (parts < 5 || pages < 3) return `${parts} parts on ${pages} pages`;
    return unless(problems.length === 0, problems.join('; '));
  });

  for (const lang of ['en', 'ko']) {
    await check(`a screen reader has landmarks, headings, named pictures with findings, tables with names: ${lang}`, {}, async (page) => {
      if (lang === 'ko') await page.click('[data-lang=ko]');
      if ((await page.evaluate(() => document.documentElement.lang)) !== lang) return 'the page does not say its language';
      const closed = await page.evaluate(() => document.querySelectorAll('table').length - document.querySelectorAll('details:not([open]) table').length);
      const problems = readerProblems(await readTree(page), { lang, tables: closed, slides });
      const tables = await page.evaluate(() => {
        document.querySelectorAll('details').forEach((d) => { d.open = true; });
        return document.querySelectorAll('table').length;
      });
      problems.push(...readerProblems(await readTree(page), { lang, tables, slides }));
      return unless(problems.length === 0, [...new Set(problems)].slice(0, 4).join('; '));
    });
    if (!slides) continue;
    await check(`a screen reader is told where the slider stands: ${lang}`, {}, async (page) => {
      if (lang === 'ko') await page.click('[data-lang=ko]');
      // Some versions of Chromium show the bare number in this tree, whatever aria-valuetext says (156.0.8078.108).
      const slider = async () => {
        const node = (await readTree(page)).find((n) => n.role === 'slider');
        return node && (node.valueText === String(node.value) ? page.getAttribute('#day', 'aria-valuetext') : node.valueText);
      };
      const before = await slider();
      await page.focus('#day');
      await page.keyboard.press('ArrowLeft');
      const after = await slider();
      return unless(before && after && before !== after && (lang === 'en' ? /^[A-Z][a-z]{2} \d/ : /^20\d\d\./).test(after), `${before}, then ${after}`);
    });
  }

  await comparePictures({ open, report, name: basename(dirname(path)), references, out: flags.out });

  report(`${title}: no complaint on the console`, unless(complaints.length === 0, complaints.slice(0, 3).join(' | ')));
  report(`${title}: no request but for the page`, unless(requests.length === 0, [...new Set(requests)].slice(0, 3).join(' ')));
}
