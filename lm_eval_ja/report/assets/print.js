// On paper: light colours, charts scaled to the page, tables split where they are too wide.

const PAPER_COLUMNS = 8;
let before = null;

function startPrinting() {
  if (state.printing) return;
  before = { theme: state.theme };
  state.printing = true;
  state.theme = "light";
  applyTheme();
  changed("theme", "width");
  settle();
  fill($("paper"), ...core.leaderboards.flatMap(paperTables));
}

function stopPrinting() {
  if (!state.printing) return;
  state.printing = false;
  state.theme = before.theme;
  applyTheme();
  fill($("paper"));
  for (const held of charts.values()) unscale(held);
  changed("theme", "width");
}

function scaleToPage({ canvas, width, height }) {
  canvas.querySelector("svg")?.setAttribute("viewBox", `0 0 ${width} ${height}`);
}

function unscale({ canvas }) {
  canvas.querySelector("svg")?.removeAttribute("viewBox");
}

/** A ranking as tables that fit a page: so many columns each, every table with the models' names. */
function paperTables(own, index) {
  const { title, head, rows } = rankingData(own, index);
  const parts = [];
  for (let from = 2; from < head.length; from += PAPER_COLUMNS) parts.push([0, 1, ...Array.from({ length: Math.min(PAPER_COLUMNS, head.length - from) }, (_, at) => from + at)]);
  const cell = (text) => {
    const [, value, interval] = /^(\S+) (\(.*–.*\))$/.exec(text) ?? [null, text, null];
    return interval ? [value, el("span", { class: "interval" }, interval)] : [label(value, 200)];
  };
  return [el("h3", null, title), own.differences.length ? differences(own) : null, ...parts.map((columns) => el("table", { class: "plain paper" },
    el("caption", { class: "hidden" }, title),
    el("thead", null, el("tr", null, ...columns.map((at) => el("th", { scope: "col" }, head[at])))),
    el("tbody", null, ...rows.map((row) => el("tr", null, ...columns.map((at) => (at ? el("td", { class: "num" }, ...cell(row[at])) : el("th", { scope: "row" }, label(row[at], 200)))))))))].filter(Boolean);
}

window.addEventListener("beforeprint", startPrinting);
window.addEventListener("afterprint", stopPrinting);
