// A font in which every character is the same small box, so that text takes the
// same room on every machine, whatever fonts it has. As a TrueType file (ISO/IEC
// 14496-22): one box, one blank, and a cmap of format 13, which gives many
// characters one glyph. Widths are not rounded to pixels, as some systems would.

const EM = 1000;
const ADVANCE = 550;
const box = [40, 0, 510, 700]; // xMin, yMin, xMax, yMax

const bytes = (...parts) => Buffer.concat(parts.map((p) => (Buffer.isBuffer(p) ? p : Buffer.from(p))));
const u16 = (...n) => bytes(...n.map((x) => [(x >> 8) & 255, x & 255]));
const u32 = (...n) => bytes(...n.map((x) => [(x >>> 24) & 255, (x >>> 16) & 255, (x >>> 8) & 255, x & 255]));

function tables() {
  const [x0, y0, x1, y1] = box;
  // One contour of four corners, as differences of two bytes each.
  const corners = [[x0, y0], [x0, y1], [x1, y1], [x1, y0]];
  const steps = (axis) => u16(...corners.map((c, i) => c[axis] - (i ? corners[i - 1][axis] : 0)));
  const glyph = bytes(u16(1, x0, y0, x1, y1, 3, 0), [1, 1, 1, 1], steps(0), steps(1), [0, 0]);
  // Glyph 0 would mean that the character is missing, and another font be asked.
  const BOX = 1;
  const BLANK = 2;
  const groups = [[0x20, 0x20, BLANK], [0x21, 0x9f, BOX], [0xa0, 0xa0, BLANK], [0xa1, 0x1fff, BOX], [0x2000, 0x200f, BLANK], [0x2010, 0xffff, BOX]];
  const map = bytes(u16(13, 0), u32(16 + 12 * groups.length, 0, groups.length), ...groups.map((g) => u32(...g)));
  const name = Buffer.from('Rollcall boxes', 'latin1');
  const names = [1, 2, 4, 6];
  return {
    'OS/2': bytes(u16(4, ADVANCE, 400, 5, 0, 650, 600, 0, 75, 650, 600, 0, 350, 50, 250, 0), Buffer.alloc(10), u32(1, 0, 0, 0), Buffer.from('ROLL'),
      u16(64, 0x20, 0xffff, 800, -200, 0, 800, 200), u32(1, 0), u16(500, 700, 0, 0x20, 1)),
    cmap: bytes(u16(0, 1, 3, 10), u32(12), map),
    glyf: glyph,
    head: bytes(u32(0x10000, 0x10000, 0, 0x5f0f3cf5), u16(11, EM), Buffer.alloc(16), u16(x0, y0, x1, y1, 0, 8, 2, 1, 0)),
    hhea: bytes(u32(0x10000), u16(800, -200, 0, ADVANCE, x0, ADVANCE - x1, x1, 1, 0, 0, 0, 0, 0, 0, 0, 3)),
    hmtx: u16(ADVANCE, x0, ADVANCE, x0, ADVANCE, 0),
    loca: u32(0, 0, glyph.length, glyph.length),
    maxp: bytes(u32(0x10000), u16(3, 4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)),
    name: bytes(u16(0, names.length, 6 + 12 * names.length), ...names.map((id) => u16(1, 0, 0, id, name.length, 0)), name),
    post: u32(0x30000, 0, 0, 0, 0, 0, 0, 0),
  };
}

function file() {
  const all = Object.entries(tables()).sort(([a], [b]) => (a < b ? -1 : 1));
  const sum = (b) => {
    let s = 0;
    for (let i = 0; i < b.length; i += 4) s = (s + b.readUInt32BE(i)) >>> 0;
    return s;
  };
  let at = 12 + 16 * all.length;
  const directory = [];
  const contents = [];
  for (const [tag, data] of all) {
    const padded = bytes(data, Buffer.alloc((4 - (data.length % 4)) % 4));
    directory.push(bytes(Buffer.from(tag, 'latin1'), u32(sum(padded), at, data.length)));
    contents.push(padded);
    at += padded.length;
  }
  return bytes(u32(0x10000), u16(all.length, 128, 3, 16 * all.length - 128), ...directory, ...contents);
}

// boxFont is a style sheet that sets all text in boxes.
export const boxFont = () => `@font-face{font-family:boxes;src:url(data:font/ttf;base64,${file().toString('base64')})}
*,*::before,*::after{font-family:boxes!important;font-weight:400!important;letter-spacing:0!important;text-shadow:none!important;text-rendering:geometricPrecision!important}`;
