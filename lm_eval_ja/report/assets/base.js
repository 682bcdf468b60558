// Small helpers, and the only ways in which text of the results gets into the page.
const ICONS = { c: "✓", p: "◐", b: "✎", t: "✂", e: "∅", l: "文", w: "✕", r: "★", u: "–", h: "…" };

// ECharts empties elements through innerHTML. Nothing else may write markup, here or in any library.
if (window.trustedTypes && trustedTypes.createPolicy) {
  trustedTypes.createPolicy("default", {
    createHTML: (text) => {
      if (text === "" || text === null || text === "null") return "";
      throw new TypeError("this page builds no markup from text");
    },
  });
}

function t(key, values) {
  const text = STRINGS[state.language][key] ?? STRINGS.en[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? "")) : text;
}

// Characters that would be invisible, or would turn the text around them, become visible marks. The joiners within an
// emoji (a family, a profession) are what makes it one, and stay.
const ODD = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|(?<!\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?)\u200d|\u200d(?!\p{Extended_Pictographic})|\p{Surrogate}/gu;
const NAMES = { 0: "NUL", 0x1b: "ESC", 0x7f: "DEL", 0x200b: "ZWSP", 0x200c: "ZWNJ", 0x200d: "ZWJ", 0x200e: "LRM", 0x200f: "RLM", 0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xfeff: "BOM" };
const codePoint = (character) => `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
const mark = (character) => NAMES[character.charCodeAt(0)] ?? codePoint(character);

/** A short text of the results for a label: on one line, with marks for odd characters. */
function label(text, most = 80) {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(ODD, (character) => `⟦${mark(character)}⟧`).replace(/\s+/g, " ");
}

/** A model's name in two parts: organisation or folder, and the name itself. */
function nameParts(run) {
  if (run.facts.name) return ["", run.facts.name];
  const cut = run.key.replace(/\/+$/, "").lastIndexOf("/") + 1;
  return [run.key.slice(0, cut), run.key.slice(cut)];
}

/** The name itself, for charts. */
const shortName = (run) => label(nameParts(run)[1], 40);

/** A model's name as an element; where there is little room the first part is left out. */
function modelName(run) {
  const [first, last] = nameParts(run);
  return el("bdi", { class: "name", title: label(run.key, 300) }, first ? el("span", { class: "org" }, label(first)) : null, label(last));
}

/** Make an element. Strings become text nodes; nothing is ever parsed as markup. */
function el(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "vars") for (const [variable, own] of Object.entries(value)) element.style.setProperty(variable, own);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Change an element into another one of the same kind: its attributes, and within it only what differs. */
function adopt(element, fresh, except) {
  if (element === except) return;
  for (const { name, value } of fresh.attributes) if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  if (element.attributes.length !== fresh.attributes.length) for (const { name } of [...element.attributes]) if (!fresh.hasAttribute(name)) element.removeAttribute(name);
  const [old, others] = [[...element.childNodes], [...fresh.childNodes]];
  if (old.length !== others.length || old.some((node, at) => node.nodeName !== others[at].nodeName)) element.replaceChildren(...others);
  else for (const [at, node] of old.entries()) {
    if (node.nodeType === Node.ELEMENT_NODE) adopt(node, others[at], except);
    else if (node.data !== others[at].data) node.data = others[at].data;
  }
}

const fill = (element, ...children) => element.replaceChildren(...children.filter(Boolean));
const quiet = (text, click, more = {}) => el("button", { type: "button", class: "quiet", on: { click }, ...more }, text);
const option = (value, text, current) => el("option", { value, selected: String(value) === String(current) }, text);

const CUT = 3000;

/** A text of the results as a block of its own: bidi tricks end with it, odd characters show, long ones are folded. */
function textBlock(text, className = "") {
  const block = el("pre", { class: `text ${className}`, dir: "auto" });
  // What scrolls must be reachable by keyboard; what does not is no stop for Tab.
  requestAnimationFrame(() => { if (block.scrollHeight > block.clientHeight) block.tabIndex = 0; });
  if (text === "" || text === null || text === undefined) {
    block.append(el("span", { class: "muted" }, t("emptyText")));
    return block;
  }
  appendText(block, text.slice(0, CUT));
  if (text.length <= CUT) return block;
  const more = quiet(t("showAll", { n: text.length.toLocaleString() }), () => {
    block.replaceChildren();
    appendText(block, text);
    more.remove();
  });
  return el("div", null, block, more);
}

function appendText(block, text) {
  let start = 0;
  for (const match of text.matchAll(ODD)) {
    if (match.index > start) block.append(text.slice(start, match.index));
    block.append(el("span", { class: "odd", title: codePoint(match[0]) }, mark(match[0])));
    start = match.index + match[0].length;
  }
  block.append(text.slice(start));
}

const number = (value, scale = 1) => (value === null || value === undefined ? "–" : value.toFixed(scale > 1 ? 2 : 4));
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${seconds.toFixed(0)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

// ---------------------------------------------------------------------------------------------- colours

// The colours are in report.css, two sets of them, and checked by a test: any two can be told apart with each of the
// usual kinds of colour blindness. Symbols and dashes repeat what they say.
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "roundRect", "arrow", "emptyCircle", "emptyRect", "emptyTriangle"];
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3]];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const media = window.matchMedia("(prefers-color-scheme: dark)");
const colour = (run) => (slotOf(run) < 0 ? css("--faint") : css(`--c${slotOf(run)}`));
const symbol = (run) => SYMBOLS[slotOf(run)] ?? "circle";
const dash = (run) => DASHES[slotOf(run) % DASHES.length];
const ownColour = (run) => (slotOf(run) < 0 ? "var(--faint)" : `var(--c${slotOf(run)})`);
const swatch = (run) => el("span", { class: `swatch${state.selected.includes(run) ? "" : " off"}`, vars: { "--own": ownColour(run) }, "aria-hidden": "true" });
const outcomeColour = (code) => `var(--o-${code})`;

// ------------------------------------------------------------------------------------------------ texts

const unpacked = new Map();

/** Texts by the name of their block: the questions of a set, or `<set>-<run>` for a run's answers; unpacked once. */
function texts(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpack(name));
  return unpacked.get(name);
}

async function unpack(name) {
  const element = $(`texts-${name}`);
  if (!element) return null;
  const packed = atob(element.textContent);
  element.remove();
  const bytes = new Uint8Array(packed.length);
  for (let index = 0; index < packed.length; index += 1) bytes[index] = packed.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const canUnpack = typeof DecompressionStream === "function";
