// The state of the page, and which parts of it are drawn again when it changes: what is in view at once, the rest when
// the browser has time or the reader gets there.
const core = JSON.parse(document.getElementById("core").textContent);
const runs = core.runs;
const outcomeNames = core.outcomes;
const OUTCOMES = Object.keys(outcomeNames);
const SLOTS = 10; // models that charts draw, each with a colour of its own

const noRankFilter = () => ({ name: "", least: "", most: "", organisation: "", licence: "", label: "" });
const noFilter = () => ({ sets: [], category: "", outcome: "", model: "", text: "", everywhere: false });

const state = {
  language: (navigator.language || "en").startsWith("ja") ? "ja" : "en",
  theme: "auto",
  leaderboard: 0,
  selected: [],
  slots: [], // the selected run at each colour
  columns: null, // a level's name, or the names of columns; null for the first level
  intervals: false,
  sort: { column: null, down: true },
  rankFilter: noRankFilter(),
  baseline: null, // the run that others are tested against
  scope: "",
  filter: noFilter(),
  page: 0,
  question: null, // [set id, question number]
  place: "",
  printing: false,
};

const leaderboard = () => core.leaderboards[state.leaderboard];
const byId = new Map(core.sets.map((own) => [own.id, own]));
const $ = (id) => document.getElementById(id);

// ------------------------------------------------------------------------------------------------ selection

const topRuns = (own, most) => own.rows.slice(0, most).map((row) => row.run);

/** Select runs. A run keeps its colour as long as it is selected. */
function choose(selected) {
  state.selected = [...new Set(selected)];
  const slots = Array.from({ length: SLOTS }, (_, slot) => (state.selected.includes(state.slots[slot]) ? state.slots[slot] : undefined));
  for (const run of state.selected) {
    const free = slots.indexOf(undefined);
    if (free < 0) break;
    if (!slots.includes(run)) slots[free] = run;
  }
  state.slots = slots;
}

const slotOf = (run) => state.slots.indexOf(run);

// ---------------------------------------------------------------------------------------------- redrawing

const views = [];
const dirty = new Set();
const NEAR = 150; // pixels outside the window that count as in view

/**
 * Register a function that draws a part of the page, to be called when one of the named parts of the state changes.
 * What can wait is drawn when the browser has time, also in view.
 */
function view(host, parts, draw, { canWait = false } = {}) {
  const own = { host, parts, draw, canWait, changes: new Set() };
  views.push(own);
  return own;
}

function inView(element) {
  const box = element.getBoundingClientRect();
  return box.bottom > -NEAR && box.top < window.innerHeight + NEAR;
}

function redraw(own) {
  dirty.delete(own);
  const { changes } = own;
  own.changes = new Set();
  if (own.host.isConnected) own.draw(changes);
}

/** Say what has changed. */
function changed(...parts) {
  for (const own of [...views]) {
    if (!parts.includes("all") && !own.parts.some((part) => parts.includes(part))) continue;
    for (const part of parts) own.changes.add(part);
    dirty.add(own);
  }
  // Looked up before anything is drawn: in between, each look would make the browser lay out the page again.
  const near = [...dirty].filter((own) => state.printing || (inView(own.host) && !own.canWait));
  for (const own of near) redraw(own);
  later();
  writeHash();
}

const idle = (call) => (window.requestIdleCallback ? requestIdleCallback(call, { timeout: 300 }) : setTimeout(call, 30));
let waiting = false;

/** Draw what is out of view, one part at a time, while nothing else is to be done. */
function later() {
  document.documentElement.dataset.pending = String(dirty.size);
  if (!dirty.size || waiting) return;
  waiting = true;
  idle(() => {
    waiting = false;
    const [own] = dirty;
    if (own) redraw(own);
    later();
  });
}

/** Draw everything now. */
function settle() {
  while (dirty.size) redraw([...dirty][0]);
  later();
}

const arrivals = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) for (const own of [...dirty]) if (own.host === target) redraw(own);
}, { rootMargin: `${NEAR}px` });

/** Let a task of the browser's own come between two parts of long work. */
const pause = () => new Promise((done) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); done(); };
  port2.postMessage(0);
});
