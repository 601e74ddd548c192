// Reports that never change are compared with pictures taken once.
//
// All text is set in boxes of one size (font.mjs), so that fonts and their drawing
// make no difference, and the picture of a section is averaged over blocks of ten
// by ten pixels, so that the smoothing of edges makes none. Two pictures are the
// same if no more than a few blocks differ visibly.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boxFont } from './font.mjs';

const BLOCK = 10; // pixels
const VISIBLE = 28; // of 255, in one colour of a block
const allowed = (blocks) => Math.max(4, 0.002 * blocks);

// What is compared: width, theme and sections. The opening is all above the first
// section.
export const shots = {
  smoke: [{ width: 1200, scheme: 'light' }],
  failing: [{ width: 1200, scheme: 'light', sections: ['opening', 'h-props', 'h-recovery-0', 'h-trust'] }],
  nation: [
    { width: 1200, scheme: 'light', sections: ['h-map', 'h-regions', 'h-waits', 'h-left', 'h-verify', 'h-exposure', 'h-recovery-0'] },
    { width: 1200, scheme: 'dark', sections: ['h-map', 'h-waits'] },
    { width: 390, scheme: 'light', sections: ['opening', 'h-map'] },
  ],
};

// Changes that a picture must show.
const changes = [
  ['the map is hidden', 'h-map', '.map path{visibility:hidden}'],
  ['a colour of the ramp is another', 'h-map', ':root{--q4:#7f6fb0!important}'],
  ['a legend is shifted', 'h-map', '.legend{transform:translateX(12px)}'],
  ['the names of the map are shifted', 'h-map', '.map text{transform:translate(14px,8px)}'],
  ['a tile has no curve', 'h-regions', '.tile:nth-child(5) polyline,.tile:nth-child(5) polygon{display:none}'],
  ['a region has no waits', 'h-waits', '.heat rect[data-s="3"]{display:none}'],
  ['curves have no names', 'h-exposure', '.note-at{display:none}'],
  ['the fault is not marked', 'h-recovery-0', 'rect.fault{display:none}'],
];

// take returns the blocks of each section: {name: {w, h, data: [r, g, b, ...]}}.
async function take(page, css = '') {
  const style = await page.addStyleTag({ content: `${boxFont()}
.slider input{visibility:hidden}*{transition:none!important;animation:none!important;caret-color:transparent!important}${css}` });
  const places = await page.evaluate(async () => {
    await document.fonts.load('16px boxes');
    await document.fonts.ready;
    if (![...document.fonts].some((f) => f.family === 'boxes' && f.status === 'loaded')) throw new Error('the font of boxes was not taken');
    document.activeElement?.blur();
    const main = document.querySelector('main');
    const out = {};
    const add = (name, top, bottom) => { out[name] = { x: Math.round(main.getBoundingClientRect().left), y: Math.round(top + scrollY), w: Math.round(main.clientWidth), h: Math.round(bottom - top) }; };
    const sections = [...main.querySelectorAll(':scope > section')];
    add('opening', main.getBoundingClientRect().top, sections[0].getBoundingClientRect().top);
    for (const s of sections) add(s.getAttribute('aria-labelledby'), s.getBoundingClientRect().top, s.getBoundingClientRect().bottom);
    return out;
  });
  const png = await page.screenshot({ fullPage: true });
  await style.evaluate((e) => e.remove());
  return page.evaluate(async ({ png, places, block }) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const out = {};
    for (const [name, p] of Object.entries(places)) {
      const canvas = new OffscreenCanvas(p.w, p.h);
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(image, -p.x, -p.y);
      const pixels = context.getImageData(0, 0, p.w, p.h).data;
      const [w, h] = [Math.floor(p.w / block), Math.floor(p.h / block)];
      const data = [];
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const sum = [0, 0, 0];
          for (let j = 0; j < block; j++) for (let i = 0; i < block; i++) for (let c = 0; c < 3; c++) sum[c] += pixels[4 * ((y * block + j) * p.w + x * block + i) + c];
          // Steps of eight make a smaller file and are not seen.
          for (const s of sum) data.push(Math.min(255, 8 * Math.round(s / block / block / 8)));
        }
      }
      out[name] = { w, h, data };
    }
    return out;
  }, { png: png.toString('base64'), places, block: BLOCK });
}

// encode and decode turn blocks into PNG and back, a pixel a block.
const encode = async (page, picture, scale = 1) => Buffer.from(await page.evaluate(async ({ w, h, data, scale }) => {
  const canvas = new OffscreenCanvas(w * scale, h * scale);
  const context = canvas.getContext('2d');
  const image = context.createImageData(w * scale, h * scale);
  for (let y = 0; y < h * scale; y++) {
    for (let x = 0; x < w * scale; x++) {
      const from = 3 * (Math.floor(y / scale) * w + Math.floor(x / scale));
      image.data.set([data[from], data[from + 1], data[from + 2], 255], 4 * (y * w * scale + x));
    }
  }
  context.putImageData(image, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
  let s = '';
  for (const b of bytes) s += String.fromCharCode(b);
  return btoa(s);
}, { ...picture, scale }), 'base64');
const decode = (page, png) => page.evaluate(async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height).data;
  const data = [];
  for (let i = 0; i < pixels.length; i += 4) data.push(pixels[i], pixels[i + 1], pixels[i + 2]);
  return { w: image.width, h: image.height, data };
}, png.toString('base64'));

// difference counts the blocks that differ visibly, and marks them where both are.
function difference(a, b) {
  const [w, h] = [Math.min(a.w, b.w), Math.min(a.h, b.h)];
  let count = 0;
  const data = [];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [p, q] = [a, b].map((picture) => picture.data.slice(3 * (y * picture.w + x), 3 * (y * picture.w + x) + 3));
      const differs = p.some((c, i) => Math.abs(c - q[i]) > VISIBLE);
      if (differs) count++;
      data.push(...(differs ? [220, 0, 60] : q.map((c) => 200 + Math.round(c / 5))));
    }
  }
  let problem;
  if (a.w !== b.w || Math.abs(a.h - b.h) > 1) problem = `${b.w} × ${b.h} blocks, not ${a.w} × ${a.h}`;
  else if (count > allowed(w * h)) problem = `${count} of ${w * h} blocks differ`;
  return { problem, picture: { w, h, data } };
}

// comparePictures compares a report that the folder references has pictures of, or
// writes them with update. What differs is written to the folder out.
export async function comparePictures({ open, report, name, references, out, update }) {
  for (const { width, scheme, sections } of shots[name] ?? []) {
    const page = await open({ viewport: { width, height: 900 }, colorScheme: scheme });
    const taken = await take(page);
    const file = (section) => join(references, `${name}-${width}-${scheme}-${section}.png`);
    for (const section of sections ?? Object.keys(taken)) {
      const got = taken[section];
      if (update) {
        mkdirSync(references, { recursive: true });
        writeFileSync(file(section), await encode(page, got));
        continue;
      }
      const what = `${name}: picture of ${section} at ${width} px, ${scheme}`;
      if (!got || !existsSync(file(section))) {
        report(what, got ? 'there is no reference (--update takes one)' : 'there is no such section');
        continue;
      }
      const want = await decode(page, readFileSync(file(section)));
      const { problem, picture } = difference(want, got);
      if (problem) {
        mkdirSync(out, { recursive: true });
        for (const [kind, p] of [['want', want], ['got', got], ['difference', picture]]) {
          writeFileSync(join(out, `${name}-${width}-${scheme}-${section}.${kind}.png`), await encode(page, p, 4));
        }
      }
      report(what, problem && `${problem}; see ${out} (--update takes new pictures)`);
    }
    if (name === 'nation' && width === 1200 && scheme === 'light' && !update) {
      for (const [what, section, css] of changes) {
        const { problem } = difference(taken[section], (await take(page, css))[section]);
        report(`${name}: a picture shows that ${what}`, problem ? undefined : 'it does not');
      }
    }
    await page.context().close();
  }
}
