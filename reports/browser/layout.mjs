// What stands where: text on text, text on its ground, pictures across pages.
// The functions `texts...` run inside the page.

// textsOverlap finds pieces of text that lie on one another, text under circles of
// the map, names crossed by another name's line, and text that is cut off or runs off
// the page.
export const textsOverlap = (page) => page.evaluate(() => {
  const out = [];
  const boxes = [];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && !e.closest('.vh, .skip, #tip, script, style, title, desc');
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    const text = walk.currentNode.data.trim();
    if (!text || !shown(e)) continue;
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    for (const r of range.getClientRects()) {
      // The letters themselves: less than the line, whose parts above and below are empty.
      const inset = r.height * 0.22;
      if (r.width > 1 && (r.left < -0.5 || r.right > document.documentElement.clientWidth + 0.5)) out.push(`“${text}” runs off the page`);
      if (r.width > 1) boxes.push({ text, left: r.left, right: r.right, top: r.top + inset, bottom: r.bottom - inset });
    }
    if (getComputedStyle(e).overflowX === 'hidden' && e.scrollWidth > e.clientWidth) out.push(`“${text}” is cut off`);
  }
  for (const c of document.querySelectorAll('.map circle.wait:not(.none)')) {
    const r = c.getBoundingClientRect();
    boxes.push({ text: 'a circle', circle: true, left: r.left + 1, right: r.right - 1, top: r.top + 1, bottom: r.bottom - 1 });
  }
  for (const flag of document.querySelectorAll('.flag')) {
    if (!shown(flag)) continue;
    const r = flag.getBoundingClientRect();
    const x = getComputedStyle(flag).borderLeftWidth === '0px' ? r.right - 1 : r.left;
    boxes.push({ text: `the line of ${flag.textContent}`, line: true, left: x, right: x + 1, top: r.top, bottom: r.bottom });
  }
  boxes.sort((a, b) => a.top - b.top);
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      if ((a.circle && b.circle) || (a.line && b.line)) continue;
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5) out.push(`“${a.text}” and “${b.text}” overlap`);
    }
  }
  return out;
});

// textsFaint finds text with less contrast than 4.5:1 (WCAG 2.2, 1.4.3) against what
// is painted behind it: the nearest ground, and in pictures every shape under it,
// unless a halo in the ground's colour surrounds the letters.
export const textsFaint = (page) => page.evaluate(() => {
  const parse = (s) => {
    const [r, g, b, a = 1] = (s.match(/[\d.]+/g) || []).map(Number);
    return { rgb: [r, g, b], a: s === 'none' || s === 'transparent' ? 0 : a };
  };
  const over = (top, a, ground) => top.map((c, i) => c * a + ground[i] * (1 - a));
  const luminance = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((l, c, i) => l + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (x, y) => (Math.max(luminance(x), luminance(y)) + 0.05) / (Math.min(luminance(x), luminance(y)) + 0.05);
  const groundOf = (e) => {
    for (let g = e; g; g = g.parentElement) {
      const c = parse(getComputedStyle(g).backgroundColor);
      if (c.a === 1) return c.rgb;
    }
    return [255, 255, 255];
  };
  const seen = new Map();
  const note = (e, text, ratio) => ratio < 4.5 && seen.set(`${e.tagName.toLowerCase()}.${e.getAttribute('class') ?? ''}`, `“${text}” ${ratio.toFixed(2)}`);
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    const text = walk.currentNode.data.trim();
    if (!text || e.closest('script, style, title, desc') || !e.checkVisibility()) continue;
    const style = getComputedStyle(e);
    const ground = groundOf(e);
    if (e instanceof SVGElement) {
      const halo = parse(style.stroke);
      const ink = parse(style.fill).rgb;
      if (halo.a === 0 || !style.paintOrder.startsWith('stroke') || parseFloat(style.strokeWidth) < 3) note(e, `${text} has no halo`, 0);
      note(e, text, contrast(ink, halo.rgb));
      continue;
    }
    const ink = parse(style.color).rgb;
    note(e, text, contrast(ink, ground));
    const label = e.closest('.opened, .note-at');
    if (!label || getComputedStyle(label).textShadow !== 'none') continue;
    const shapes = label.closest('.area').querySelectorAll('svg rect, svg polygon');
    const box = label.getBoundingClientRect();
    for (const s of shapes) {
      const r = s.getBoundingClientRect();
      const fill = parse(getComputedStyle(s).fill);
      if (r.left < box.right && box.left < r.right && r.top < box.bottom && box.top < r.bottom && fill.a > 0) note(e, text, contrast(ink, over(fill.rgb, +getComputedStyle(s).opacity, ground)));
    }
  }
  return [...seen].map(([k, v]) => `${k} ${v}`);
});

// The parts that a printed page must not cut.
const PARTS = '.atlas, .strips, .tiles, .heat, .plot, .heads, .facts, figure:not(.parts)';

// partsCut prints the page and finds pictures that two pages share. A link at the
// beginning and at the end of each is found again in the PDF, on the page it fell on.
export async function partsCut(page, pdfOf) {
  const names = await page.evaluate((parts) => {
    const out = [];
    for (const part of document.querySelectorAll(parts)) {
      if (!part.checkVisibility()) continue;
      part.style.position = 'relative';
      for (const [end, place] of [['first', 'top:0'], ['last', 'bottom:0']]) {
        const a = document.createElement('a');
        a.href = `https://part.invalid/${out.length}/${end}`;
        a.textContent = '.';
        a.style.cssText = `position:absolute;left:0;${place};font-size:4px;line-height:4px;color:transparent`;
        part.append(a);
      }
      out.push(part.className || part.tagName.toLowerCase());
    }
    return out;
  }, PARTS);
  const pdf = (await pdfOf(page)).toString('latin1');
  const objects = new Map([...pdf.matchAll(/(?:^|\n)(\d+) 0 obj\s([\s\S]*?)\nendobj/g)].map((m) => [m[1], m[2]]));
  const pages = [...objects.values()].filter((o) => /\/Type\s*\/Page\b/.test(o));
  const on = new Map();
  pages.forEach((o, number) => {
    const refs = (o.match(/\/Annots\s*\[([^\]]*)\]/)?.[1] ?? '').matchAll(/(\d+) 0 R/g);
    const annotations = [...refs].map((r) => objects.get(r[1]) ?? '').join('\n') + o;
    for (const m of annotations.matchAll(/part\.invalid\/(\d+)\/(first|last)/g)) on.set(`${m[1]}/${m[2]}`, number + 1);
  });
  const problems = [];
  names.forEach((name, i) => {
    const [first, last] = [on.get(`${i}/first`), on.get(`${i}/last`)];
    if (!first || !last) problems.push(`${name} is not in print`);
    else if (first !== last) problems.push(`${name} begins on page ${first} and ends on page ${last}`);
  });
  return { problems, parts: names.length, pages: pages.length };
}
