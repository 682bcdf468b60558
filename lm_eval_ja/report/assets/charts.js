// Charts by Apache ECharts, drawn as SVG; each has its numbers as a table below it.

const charts = new Map(); // by the figure's id: { chart, canvas, width, height, title, option, after, table }
const narrow = () => window.innerWidth < 700;
const PAPER = 680; // width of charts on paper, where they are scaled to the page

function base() {
  const ink = css("--ink");
  return {
    backgroundColor: "transparent",
    animation: false,
    textStyle: { fontFamily: css("--font"), color: ink },
    aria: { enabled: false }, // the figure has our own label, and the numbers are in the table below it
    tooltip: {
      renderMode: "richText", // no markup is made of names
      confine: true,
      backgroundColor: css("--panel"),
      borderColor: css("--line"),
      textStyle: { color: ink, fontSize: 12 },
    },
    legend: { show: false },
  };
}

const axis = (name, more = {}) => ({
  name,
  nameLocation: "middle",
  nameGap: 30,
  nameTextStyle: { color: css("--muted") },
  axisLabel: { color: css("--muted"), hideOverlap: true },
  axisLine: { lineStyle: { color: css("--line") } },
  splitLine: { lineStyle: { color: css("--line"), opacity: 0.6 } },
  ...more,
});

// Room for labels and axis names is found by ECharts within the outer bounds.
const grid = (more) => ({ left: 8, right: 16, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "all", ...more });

/**
 * Draw a chart into a figure: caption, the chart, and the same as a table.
 * @param {string} id The figure.
 * @param {{title: string, note?: string, option: (width: number) => object, table: string[][], height?: number, after?: Function}} own
 *   The option is asked for again at other widths (window, paper, file); `after` places what depends on where points are.
 */
function draw(id, { title, note = "", option, table, height = 340, after = null }) {
  const figure = $(id);
  figure.hidden = false;
  let held = charts.get(id);
  const width = state.printing ? PAPER : Math.max(200, figure.clientWidth - 2 * parseFloat(getComputedStyle(figure).paddingLeft));
  if (!held) {
    const canvas = el("div", { class: "canvas", role: "img" });
    const head = el("div", { class: "figure-head" }, el("figcaption"), el("span", { class: "grow" }));
    fill(figure, head, el("p", { class: "note muted" }), canvas, el("details", { class: "data" }, el("summary"), el("div", { class: "scroll", tabindex: 0, role: "region" })));
    held = { canvas, chart: echarts.init(canvas, null, { renderer: "svg", width, height }) };
    charts.set(id, held);
  }
  Object.assign(held, { title, option, after, width, height, table: { title, head: table[0], rows: table.slice(1) } });
  const [head, remark, , data] = figure.children;
  fill(head, el("figcaption", null, title), el("span", { class: "grow" }), chartTools(held));
  remark.textContent = note;
  remark.hidden = !note;
  held.canvas.setAttribute("aria-label", t("chartLabel", { title }));
  held.canvas.style.height = `${height}px`;
  held.chart.resize({ width, height });
  held.chart.setOption({ ...base(), ...option(width) }, { notMerge: true });
  after?.(held.chart);
  if (state.printing) scaleToPage(held);
  const [summary, body] = data.children;
  summary.textContent = t("asTable");
  body.setAttribute("aria-label", t("tableOf", { title }));
  if (data.open) fillTable(held, body);
  else body.replaceChildren();
  data.ontoggle = () => { if (data.open) fillTable(held, body); };
  return held.chart;
}

function fillTable(held, body) {
  const { title, head, rows } = held.table;
  fill(body, tableTools(() => held.table), el("table", { class: "plain" },
    el("caption", { class: "hidden" }, title),
    el("thead", null, el("tr", null, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", null, ...rows.map(([first, ...rest]) => el("tr", null, el("th", { scope: "row" }, el("bdi", null, first)), ...rest.map((text) => el("td", { class: "num" }, text)))))));
}

function forget(id) {
  charts.get(id)?.chart.dispose();
  charts.delete(id);
}

function undrawn(id, title, why) {
  forget(id);
  $(id).hidden = false;
  fill($(id), el("figcaption", null, title), el("p", { class: "muted empty" }, why));
}

function hide(id) {
  forget(id);
  fill($(id));
  $(id).hidden = true;
}

const rowOf = (run) => leaderboard().rows.find((row) => row.run === run);
const selectedRows = () => leaderboard().rows.filter((row) => state.selected.includes(row.run));
/** The rows that charts with a mark for each model draw: the selected ones that have a colour. */
const drawnRows = () => leaderboard().rows.filter((row) => slotOf(row.run) >= 0);
const scored = (row, name) => row.scores[name]?.[0] ?? null;

/** Says when not all selected models are drawn. */
function drawnNote() {
  const [drawn, selected] = [drawnRows().length, state.selected.length];
  return drawn < selected ? t("drawnNote", { n: drawn, total: selected }) : "";
}

// ------------------------------------------------------------------------------------------------ names

const FONT = 11;

/**
 * Write a name at every point that is not faint: beside it, or farther off with a line to it, never over another name.
 * Places depend only on the points and the size of the chart, so that drawing again changes nothing.
 */
function placeNames(chart, points, seriesIndex) {
  const [width, height] = [chart.getWidth(), chart.getHeight()];
  const centres = points.map((point) => chart.convertToPixel({ seriesIndex }, [point.x[0], point.y[0]]));
  const taken = centres.map(([x, y]) => ({ x: x - 6, y: y - 6, width: 12, height: 12 }));
  const children = [];
  const order = points.map((_, at) => at).filter((at) => !points[at].faint).sort((a, b) => centres[a][1] - centres[b][1] || centres[a][0] - centres[b][0]);
  for (const at of order) {
    const [x, y] = centres[at];
    const size = echarts.format.getTextRect(points[at].name, `${FONT}px ${css("--font")}`);
    const box = { width: size.width + 2, height: FONT + 3 };
    const found = candidates(x, y, box).find((place) => fits(place, box, taken, width, height)) ?? candidates(x, y, box)[0];
    taken.push({ ...found, ...box });
    const [middle, end] = [found.y + box.height / 2, found.x > x ? found.x - 1 : found.x + box.width < x ? found.x + box.width + 1 : found.x + box.width / 2];
    if (found.far) children.push({ type: "line", silent: true, shape: { x1: x, y1: y, x2: end, y2: middle }, style: { stroke: points[at].colour, lineWidth: 1, opacity: 0.7 } });
    children.push({ type: "text", silent: true, x: found.x + 1, y: middle, style: { text: points[at].name, font: `${FONT}px ${css("--font")}`, fill: css("--ink"), verticalAlign: "middle" } });
  }
  chart.setOption({ graphic: [{ id: "names", type: "group", silent: true, z: 10, children }] });
}

function candidates(x, y, { width, height }) {
  const near = [[8, -height / 2], [-8 - width, -height / 2], [-width / 2, -9 - height], [-width / 2, 9], [8, -height - 3], [8, 3], [-8 - width, -height - 3], [-8 - width, 3]];
  const found = near.map(([dx, dy]) => ({ x: x + dx, y: y + dy, far: false }));
  for (let reach = 24; reach <= 240; reach += 12) {
    for (const turn of [0, 1, 7, 2, 6, 3, 5, 4]) {
      const angle = (turn * Math.PI) / 4 - Math.PI / 8;
      const [dx, dy] = [reach * Math.cos(angle), reach * Math.sin(angle)];
      found.push({ x: x + dx - (dx < 0 ? width : 0), y: y + dy - height / 2, far: true });
    }
  }
  return found;
}

function fits(place, box, taken, width, height) {
  if (place.x < 2 || place.y < 2 || place.x + box.width > width - 2 || place.y + box.height > height - 2) return false;
  return taken.every((other) => place.x + box.width + 1 < other.x || other.x + other.width + 1 < place.x || place.y + box.height < other.y || other.y + other.height < place.y);
}

// ---------------------------------------------------------------------------------------------- resizing

let resizing = 0;
let lastWidth = window.innerWidth;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    if (state.printing || lastWidth === window.innerWidth) return;
    lastWidth = window.innerWidth;
    changed("width");
  }, 120);
});
