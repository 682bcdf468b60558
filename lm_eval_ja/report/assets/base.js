// State, small helpers, and the only ways in which text of the results gets into the page.
const core = JSON.parse(document.getElementById("core").textContent);
const runs = core.runs;
const outcomeNames = core.outcomes;
const OUTCOMES = Object.keys(outcomeNames);
const ICONS = { c: "✓", p: "◐", b: "✎", t: "✂", e: "∅", l: "文", w: "✕", r: "★", u: "–" };

// ECharts empties elements through innerHTML. Nothing else may write markup, here or in any library.
if (window.trustedTypes && trustedTypes.createPolicy) {
  trustedTypes.createPolicy("default", {
    createHTML: (text) => {
      if (text === "" || text === null || text === "null") return "";
      throw new TypeError("this page builds no markup from text");
    },
  });
}

const WITHOUT_MTBENCH = "*"; // in the filter of data sets

const state = {
  language: (navigator.language || "en").startsWith("ja") ? "ja" : "en",
  theme: "auto",
  leaderboard: 0,
  selected: [],
  datasets: false,
  sort: { column: null, down: true },
  scope: "",
  filter: { set: "", category: "", outcome: "", model: "", text: "" },
  page: 0,
  question: null, // [set id, question number]
};

const leaderboard = () => core.leaderboards[state.leaderboard];
const byId = new Map(core.sets.map((own) => [own.id, own]));

function t(key, values) {
  const text = STRINGS[state.language][key] ?? STRINGS.en[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? "")) : text;
}

// Characters that would be invisible, or would turn the text around them, become visible marks.
const ODD = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const NAMES = { 0: "NUL", 0x1b: "ESC", 0x7f: "DEL", 0x200b: "ZWSP", 0x200c: "ZWNJ", 0x200d: "ZWJ", 0x200e: "LRM", 0x200f: "RLM", 0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xfeff: "BOM" };
const mark = (character) => {
  const code = character.charCodeAt(0);
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
};

/** A short text of the results for a label: on one line, with marks for odd characters. */
function label(text, most = 80) {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(ODD, (character) => `⟦${mark(character)}⟧`).replace(/\s+/g, " ");
}

/** A model's name in two parts: organisation or folder, and the name itself. */
function nameParts(run) {
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

const $ = (id) => document.getElementById(id);
const fill = (element, ...children) => element.replaceChildren(...children.filter(Boolean));

const CUT = 3000;

/** A text of the results as a block of its own: bidi tricks end with it, odd characters show, long ones are folded. */
function textBlock(text, className = "") {
  const block = el("pre", { class: `text ${className}`, dir: "auto" });
  if (text === "" || text === null || text === undefined) {
    block.append(el("span", { class: "muted" }, t("emptyText")));
    return block;
  }
  appendText(block, text.slice(0, CUT));
  if (text.length <= CUT) return block;
  const more = el("button", { type: "button", class: "quiet", on: { click: () => {
    block.replaceChildren();
    appendText(block, text);
    more.remove();
  } } }, t("showAll", { n: text.length.toLocaleString() }));
  return el("div", null, block, more);
}

function appendText(block, text) {
  let start = 0;
  for (const match of text.matchAll(ODD)) {
    if (match.index > start) block.append(text.slice(start, match.index));
    block.append(el("span", { class: "odd", title: `U+${match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}` }, mark(match[0])));
    start = match.index + match[0].length;
  }
  block.append(text.slice(start));
}

const number = (value, scale = 1) => (value === null || value === undefined ? "–" : value.toFixed(scale === 10 ? 2 : 4));
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${seconds.toFixed(0)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

// ---------------------------------------------------------------------------------------------- colours

// Told apart with the usual kinds of colour blindness; from the eleventh model on, shapes and dashes differ.
const PALETTE = {
  light: ["#2563c9", "#d1570c", "#0f8a6d", "#b0328f", "#8a6d00", "#5b43c4", "#c22f3d", "#1486a8", "#5f7a1c", "#7a5a46"],
  dark: ["#7aa7ff", "#ff9d5c", "#3fd0aa", "#f07fd0", "#e0bd3a", "#ab9bff", "#ff8189", "#52c6e8", "#b2cf5c", "#cfa88f"],
};
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "arrow"];
const DASHES = ["solid", "dashed", "dotted"];
const media = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => state.theme === "dark" || (state.theme === "auto" && media.matches);
const place = (run) => Math.max(0, leaderboard().rows.findIndex((row) => row.run === run));
const colour = (run) => PALETTE[isDark() ? "dark" : "light"][place(run) % 10];
const symbol = (run) => SYMBOLS[Math.floor(place(run) / 10 + place(run)) % SYMBOLS.length];
const dash = (run) => DASHES[Math.floor(place(run) / 10) % DASHES.length];
const swatch = (run) => el("span", { class: "swatch", vars: { "--own": colour(run) }, "aria-hidden": "true" });

const OUTCOME_COLOURS = {
  light: { c: "#2a7f62", p: "#8cc5a4", b: "#e3a008", t: "#8b6fc9", e: "#8d939c", l: "#3a8fc4", w: "#c8434b", r: "#4568c2", u: "#c9cdd4" },
  dark: { c: "#3fae87", p: "#2f6f57", b: "#e8b53a", t: "#a48be0", e: "#7d8590", l: "#57aee0", w: "#e2656c", r: "#7f9bea", u: "#4a5058" },
};
const outcomeColour = (code) => OUTCOME_COLOURS[isDark() ? "dark" : "light"][code];

// ------------------------------------------------------------------------------------------------ texts

const unpacked = new Map();

/** The texts of a set of questions; unpacked once. */
function texts(id) {
  if (!unpacked.has(id)) unpacked.set(id, unpack(id));
  return unpacked.get(id);
}

async function unpack(id) {
  const element = $(`texts-${id}`);
  const packed = atob(element.textContent);
  element.remove();
  const bytes = new Uint8Array(packed.length);
  for (let index = 0; index < packed.length; index += 1) bytes[index] = packed.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const canUnpack = typeof DecompressionStream === "function";

// ---------------------------------------------------------------------------------------------- changes

const views = [];

/** Register a function that redraws a part of the page when one of the named parts of the state changes. */
function view(parts, draw) {
  views.push({ parts, draw });
}

function changed(...parts) {
  for (const { parts: own, draw } of views) if (parts.includes("all") || own.some((part) => parts.includes(part))) draw();
  writeHash();
}

// -------------------------------------------------------------------------------------------- deep links

function writeHash() {
  const pairs = new URLSearchParams();
  if (state.leaderboard) pairs.set("t", String(state.leaderboard + 1));
  pairs.set("m", state.selected.map((run) => runs[run].id).join("."));
  const { filter } = state;
  if (filter.set) pairs.set("d", byId.get(filter.set)?.label ?? filter.set);
  if (filter.category) pairs.set("c", filter.category);
  if (filter.outcome) pairs.set("o", filter.outcome);
  if (filter.model !== "") pairs.set("of", runs[filter.model].id);
  if (filter.text) pairs.set("s", filter.text);
  if (state.question) {
    const own = byId.get(state.question[0]);
    pairs.set("q", `${own.label}/${own.ids[state.question[1]]}`);
  }
  const hash = `#${pairs}`;
  if (hash === location.hash) return;
  try {
    history.replaceState(null, "", hash);
  } catch {
    location.hash = hash;
  }
}

/** Take the state from the address. Returns whether it named a question. */
function readHash() {
  if (!location.hash.includes("=")) return false;
  const pairs = new URLSearchParams(location.hash.slice(1));
  const runOf = (id) => runs.findIndex((run) => run.id === id);
  const setOf = (name) => core.sets.find((own) => own.label === name);
  const number = Number(pairs.get("t") ?? 1) - 1;
  if (core.leaderboards[number]) state.leaderboard = number;
  if (pairs.has("m")) {
    const there = new Set(leaderboard().rows.map((row) => row.run));
    state.selected = pairs.get("m").split(".").map(runOf).filter((run) => there.has(run));
  }
  state.filter = {
    set: pairs.get("d") === WITHOUT_MTBENCH ? WITHOUT_MTBENCH : setOf(pairs.get("d"))?.id ?? "",
    category: pairs.get("c") ?? "",
    outcome: pairs.get("o") ?? "",
    model: pairs.has("of") && runOf(pairs.get("of")) >= 0 ? runOf(pairs.get("of")) : "",
    text: pairs.get("s") ?? "",
  };
  const [name, ...rest] = (pairs.get("q") ?? "").split("/");
  const own = setOf(name);
  const index = own ? own.ids.indexOf(rest.join("/")) : -1;
  state.question = index >= 0 ? [own.id, index] : null;
  return Boolean(state.question);
}
