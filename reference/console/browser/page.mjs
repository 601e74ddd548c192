// What every page of the console has to be (WCAG 2.2, levels A and AA): 1.1.1, 1.3.1,
// 1.4.3, 1.4.10, 2.4.2, 2.4.3, 2.4.6, 2.4.7, 2.5.8, 3.1.1, 3.3.2, 4.1.2.
import { textsFaint, textsOverlap } from '../../../reports/browser/layout.mjs';
import { readTree } from '../../../reports/browser/reader.mjs';

const widths = [1280, 768, 320];

export async function pageProblems(page, lang) {
  const problems = earProblems(await readTree(page));
  const [title, said] = await page.evaluate(() => [document.title, document.documentElement.lang]);
  if (!title) problems.push('no title');
  if (said !== lang) problems.push(`it says that it is in ${said}`);
  problems.push(...(await page.evaluate(untranslated)));
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) problems.push(`at ${width} pixels it scrolls sideways by ${wide}`);
    // A table that needs two dimensions scrolls by itself (1.4.10), and can be reached.
    const scrolled = await page.evaluate(() => [...document.querySelectorAll('.wide')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.innerText).join());
    problems.push(...(await textsOverlap(page)).filter((p) => !(p.includes('runs off the page') && scrolled.includes(/“(.*)”/.exec(p)?.[1]))).map((p) => `at ${width} pixels ${p}`));
    problems.push(...(await page.evaluate(smallTargets)).map((p) => `at ${width} pixels ${p}`));
  }
  await page.setViewportSize({ width: widths[0], height: 900 });
  problems.push(...(await textsFaint(page)));
  return problems;
}

// earProblems says what somebody who listens would miss.
function earProblems(nodes) {
  const problems = [];
  const of = (role) => nodes.filter((n) => n.role === role);
  const within = (node, role) => {
    for (let p = node.parent; p; p = p.parent) if (p.role === role) return p;
    return null;
  };
  for (const role of ['main', 'banner']) if (of(role).length !== 1) problems.push(`${of(role).length} landmarks “${role}”`);
  const headings = of('heading');
  if (headings.filter((h) => h.level === 1).length !== 1) problems.push('not exactly one heading of level 1');
  headings.forEach((h, i) => {
    if (!h.name.trim()) problems.push('an empty heading');
    if (i > 0 && h.level > headings[i - 1].level + 1) problems.push(`heading “${h.name}” skips a level`);
  });
  for (const n of nodes) {
    const named = ['textbox', 'searchbox', 'button', 'link', 'radio', 'checkbox', 'combobox', 'image', 'region', 'navigation', 'group', 'DisclosureTriangle'];
    if (named.includes(n.role) && !n.name.trim() && !(n.role === 'group' && !n.focusable)) problems.push(`a ${n.role} without a name`);
    if (n.focusable && n.role !== 'RootWebArea' && n.role !== 'main' && !n.name.trim() && !['alert', 'status'].includes(n.role)) problems.push(`a ${n.role} that can be reached and has no name`);
  }
  for (const t of of('table')) {
    const inside = nodes.filter((n) => within(n, 'table') === t);
    if (inside.some((n) => n.role === 'columnheader' && !n.name)) problems.push('a column without a name');
    if (!t.name && !within(t, 'region')?.name) problems.push('a table without a name');
    const rows = inside.filter((n) => n.role === 'row').length;
    const heads = inside.filter((n) => n.role === 'rowheader').length;
    if (heads < rows - 1) problems.push(`${rows - 1 - heads} rows of a table without a name`);
  }
  const links = of('link').map((l) => l.name);
  links.filter((l, i) => links.indexOf(l) !== i).forEach((l) => problems.push(`two links are named “${l}”`));
  return problems;
}

// untranslated finds words that are in no table, and letters of the other language in
// the page's own words.
function untranslated() {
  const out = [];
  if (document.body.innerText.includes('⟨')) out.push(`a word is missing: ${/⟨[^⟩]*⟩/.exec(document.body.innerText)}`);
  if (document.documentElement.lang === 'en') {
    for (const e of document.querySelectorAll('label, legend, button, h2, th[scope=col], dt, summary, small, nav a')) {
      if (e.childElementCount === 0 && e.closest('[lang]') === document.documentElement && /[\uac00-\ud7a3]/.test(e.textContent)) out.push(`“${e.textContent}” is Korean`);
    }
  } else {
    for (const e of document.querySelectorAll('label, legend, button, h2, th[scope=col], dt, summary, nav a')) {
      if (e.childElementCount === 0 && e.closest('[lang]') === document.documentElement && e.textContent.trim() && !/[\uac00-\ud7a3]/.test(e.textContent)) out.push(`“${e.textContent}” is not Korean`);
    }
  }
  return out;
}

// smallTargets finds what is hard to hit: less than 24 pixels high or wide, unless it
// is a link in a sentence or cell, or a box whose label is large enough.
function smallTargets() {
  const out = [];
  for (const e of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')) {
    if (!e.checkVisibility() || e.closest('.skip') || e.matches('p a, td a, th a, main li a') || e.matches('.brand a')) continue;
    const box = (e.matches('[type=radio], [type=checkbox]') ? e.closest('label') : e).getBoundingClientRect();
    if (box.width < 24 || box.height < 24) out.push(`${e.tagName} “${(e.innerText || e.name || '').slice(0, 20)}” is ${Math.round(box.width)}×${Math.round(box.height)}`);
  }
  return out;
}

// tabOrderProblems goes through a page by Tab: everything that can be reached comes,
// in the order in which it is read, and shows that it has the focus.
export async function tabOrderProblems(page) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    window.scrollTo(0, 0);
    const can = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    window.reach = [...document.querySelectorAll(can)].filter((e) => e.checkVisibility() && !(e.type === 'radio' && e !== document.querySelector(`[name="${e.name}"]`)));
    window.seen = [];
  });
  const count = await page.evaluate(() => window.reach.length);
  const problems = [];
  let last = -1;
  for (let i = 0; i < count; i++) {
    await page.keyboard.press('Tab');
    const [at, visible, name] = await page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      return [window.reach.indexOf(e), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, (e.innerText || e.name || e.tagName).slice(0, 30)];
    });
    if (at !== last + 1) problems.push(`“${name}” comes as number ${at + 1} after ${last + 1}`);
    if (!visible) problems.push(`“${name}” does not show its focus`);
    last = at;
  }
  return problems;
}
