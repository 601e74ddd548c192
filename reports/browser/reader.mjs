// The page as a screen reader has it: Chromium's accessibility tree.
// What is required: WAI-ARIA 1.2 roles, WCAG 2.2, 1.1.1, 1.3.1, 2.4.6, 3.1.1, 4.1.2.

// readTree returns the nodes that are not ignored, in the order in which they are
// read, each with its parents.
export async function readTree(page) {
  const cdp = await page.context().newCDPSession(page);
  const { nodes } = await cdp.send('Accessibility.getFullAXTree');
  await cdp.detach();
  const byId = new Map(nodes.map((n) => [n.nodeId, n]));
  const out = [];
  const visit = (id, parent) => {
    const n = byId.get(id);
    if (!n) return;
    let node = parent;
    if (!n.ignored && !['InlineTextBox', 'ListMarker'].includes(n.role?.value)) {
      const property = (name) => n.properties?.find((p) => p.name === name)?.value?.value;
      node = {
        role: n.role?.value ?? '', name: n.name?.value ?? '', description: n.description?.value ?? '', value: n.value?.value,
        valueText: unmangled(property('valuetext')), focusable: property('focusable') === true, level: property('level'), parent,
      };
      out.push(node);
    }
    for (const c of n.childIds ?? []) visit(c, node);
  };
  visit(nodes[0].nodeId, null);
  return out;
}

// The protocol passes some strings as bytes of UTF-8, each as a character.
function unmangled(s) {
  return s && /^[\u0000-\u00ff]*$/.test(s) ? Buffer.from(s, 'latin1').toString('utf8') : s;
}

const within = (node, ...roles) => {
  for (let p = node.parent; p; p = p.parent) if (roles.includes(p.role)) return p;
  return null;
};

// aloud is the page as text, a line for what is heard in one breath.
export function aloud(nodes) {
  const lines = [];
  let at = null;
  const breath = (n) => within(n, 'paragraph', 'heading', 'Figcaption', 'row', 'listitem', 'caption', 'button', 'DisclosureTriangle', 'term', 'definition') ?? n;
  for (const n of nodes) {
    if (n.role === 'StaticText') {
      const b = breath(n);
      if (b === at) lines[lines.length - 1] += (within(n, 'cell', 'rowheader', 'columnheader') ? ' | ' : '') + n.name;
      else lines.push(`${b === n ? '?' : b.role}: ${n.name}`);
      at = b;
    } else if (['application', 'image', 'slider', 'figure', 'table', 'region', 'main', 'banner', 'contentinfo', 'status'].includes(n.role)) {
      lines.push(`[${n.role}] ${n.name}${n.description ? ` — ${n.description}` : ''}${n.valueText ? ` = ${n.valueText}` : ''}`);
      at = null;
    }
  }
  return lines;
}

// readerProblems says what somebody who listens would miss or be bored with. The
// tables have to be open.
export function readerProblems(nodes, { lang, tables, slides }) {
  const problems = [];
  const of = (role) => nodes.filter((n) => n.role === role);
  const hangul = /[\uac00-\ud7a3]/;

  for (const role of ['main', 'banner', 'contentinfo']) if (of(role).length !== 1) problems.push(`${of(role).length} landmarks “${role}”`);
  for (const r of of('region')) if (!r.name) problems.push('a region without a name');

  const headings = of('heading');
  if (headings.filter((h) => h.level === 1).length !== 1) problems.push('not exactly one heading of level 1');
  headings.forEach((h, i) => {
    if (!h.name.trim()) problems.push('an empty heading');
    if (i > 0 && h.level > headings[i - 1].level + 1) problems.push(`heading “${h.name}” skips from level ${headings[i - 1].level} to ${h.level}`);
    if (!within(h, 'main')) problems.push(`heading “${h.name}” is not in main`);
  });

  // Its caption says what a figure found, the picture how it is drawn.
  const figures = of('figure');
  if (figures.length === 0) problems.push('no figures');
  for (const f of figures) {
    if (!f.name) problems.push('a figure without a name');
    if (f.description.length < 20) problems.push(`figure “${f.name}” does not state its finding`);
    if (lang === 'ko' ? !hangul.test(f.description) : hangul.test(f.description)) problems.push(`figure “${f.name}” is described in another language`);
  }
  const pictures = of('application');
  for (const p of pictures) {
    if (!p.name || !p.focusable) problems.push(`picture “${p.name}” has no name, or cannot be reached`);
    if (!within(p, 'figure')) problems.push(`picture “${p.name}” is in no figure`);
    if (p.description.length < 40) problems.push(`picture “${p.name}” does not say how it is drawn and which keys go through it`);
  }
  for (const n of nodes) {
    if (/^(image|img|SvgRoot|graphics|Graphics|Canvas)/.test(n.role)) problems.push(`a loose graphic “${n.name}”`);
    if (n.focusable && n.role !== 'RootWebArea' && !n.name.trim()) problems.push(`a ${n.role} that can be reached and has no name`);
    if (n.role === 'button' && !n.name) problems.push('a button without a name');
  }
  const links = of('link').map((l) => l.name);
  links.filter((l, i) => links.indexOf(l) !== i).forEach((l) => problems.push(`two links are named “${l}”`));

  const sliders = of('slider');
  if (slides && (sliders.length !== 1 || !sliders[0].name || !sliders[0].valueText)) problems.push('the slider does not say what it is and where it stands');

  // Figures without words are noise, unless a sentence, a table or a list gives them sense.
  const sense = ['paragraph', 'Figcaption', 'cell', 'rowheader', 'columnheader', 'listitem', 'heading', 'definition', 'term', 'status', 'DisclosureTriangle', 'caption', 'button', 'link', 'code'];
  const loose = of('StaticText').filter((t) => !within(t, ...sense)).map((t) => t.name.trim()).filter(Boolean);
  if (loose.length > 0) problems.push(`${loose.length} loose words: ${loose.slice(0, 6).join(', ')}`);

  if (of('table').length !== tables) problems.push(`${of('table').length} tables of ${tables} can be read`);
  for (const t of of('table')) {
    const inside = nodes.filter((n) => within(n, 'table') === t);
    const rows = inside.filter((n) => n.role === 'row');
    if (!t.name) problems.push(`a table without a caption: ${inside.find((n) => n.role === 'StaticText')?.name}`);
    const heads = inside.filter((n) => n.role === 'columnheader');
    const named = rows.filter((r) => inside.some((n) => n.role === 'rowheader' && within(n, 'row') === r));
    if (heads.some((h) => !h.name)) problems.push(`table “${t.name}” has a column without a name`);
    if (named.length < rows.length - (heads.length > 0 ? 1 : 0)) problems.push(`table “${t.name}” has rows without a name`);
  }
  return problems;
}
