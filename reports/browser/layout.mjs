// What stands where: text on text, text on its ground, pictures across pages.
// The functions `texts...` run inside the page.

// textsOverlap finds pieces of text that lie on one another, text under circles of
// the map, names crossed by another name's line, and text that is cut off.
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
