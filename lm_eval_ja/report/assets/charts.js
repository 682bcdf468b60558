// Charts by Apache ECharts, drawn as SVG; each has its numbers as a table below it.

const charts = new Map();
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const narrow = () => window.innerWidth < 700;

function base() {
  const ink = css("--ink");
  return {
    backgroundColor: "transparent",
    animation: false,
    textStyle: { fontFamily: css("--font"), color: ink },
    aria: { enabled: true },
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

/** Draw a chart into a figure: caption, the chart, and the same as a table. */
function draw(id, title, option, table, height = 340) {
  const figure = $(id);
  figure.hidden = false;
  let held = charts.get(id);
  if (!held) {
    const canvas = el("div", { class: "canvas", role: "img" });
    fill(figure, el("figcaption"), canvas, el("details", { class: "data" }, el("summary"), el("div", { class: "scroll", tabindex: 0 })));
    canvas.style.height = `${height}px`;
    held = { canvas, chart: echarts.init(canvas, null, { renderer: "svg" }) };
    charts.set(id, held);
  }
  figure.querySelector("figcaption").textContent = title;
  held.canvas.setAttribute("aria-label", title);
  if (held.canvas.style.height !== `${height}px`) {
    held.canvas.style.height = `${height}px`;
    held.chart.resize();
  }
  held.chart.setOption({ ...base(), ...option }, { notMerge: true });
  const [summary, body] = figure.querySelector("details").children;
  summary.textContent = t("asTable");
  body.setAttribute("aria-label", title);
  const [head, ...rows] = table;
  fill(body, el("table", { class: "plain" },
    el("caption", { class: "hidden" }, title),
    el("thead", null, el("tr", null, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", null, ...rows.map(([first, ...rest]) => el("tr", null, el("th", { scope: "row" }, el("bdi", null, first)), ...rest.map((text) => el("td", { class: "num" }, text)))))));
  return held.chart;
}

function undrawn(id, title, why) {
  charts.get(id)?.chart.dispose();
  charts.delete(id);
  $(id).hidden = false;
  fill($(id), el("figcaption", null, title), el("p", { class: "muted empty" }, why));
}

function hide(id) {
  charts.get(id)?.chart.dispose();
  charts.delete(id);
  $(id).hidden = true;
}

const rowOf = (run) => leaderboard().rows.find((row) => row.run === run);
const chosenRows = () => leaderboard().rows.filter((row) => state.selected.includes(row.run));
const scored = (row, name) => row.scores[name]?.[0] ?? null;
const spanText = (score, scale) => (score ? `${number(score[0], scale)}${score[1] === null ? "" : ` (${number(score[1], scale)}–${number(score[2], scale)})`}` : "–");

/** Whether any run of the leaderboard has a score in one of the columns. */
const someScore = (columns) => leaderboard().rows.some((row) => columns.some((column) => row.scores[column.name]));

function drawRadar(id, title, columns) {
  const rows = chosenRows();
  if (columns.length < 3 || !someScore(columns)) return hide(id);
  if (!rows.length) return undrawn(id, title, t("noSelection"));
  const series = rows.map((row) => ({
    name: shortName(runs[row.run]),
    value: columns.map((column) => scored(row, column.name) ?? "-"),
    symbol: symbol(row.run),
    symbolSize: 5,
    lineStyle: { color: colour(row.run), width: 2, type: dash(row.run) },
    itemStyle: { color: colour(row.run) },
    areaStyle: { color: colour(row.run), opacity: rows.length > 2 ? 0 : 0.12 },
  }));
  draw(id, title, {
    tooltip: { ...base().tooltip, trigger: "item" },
    radar: {
      radius: narrow() ? "54%" : "70%",
      indicator: columns.map((column) => ({ name: column.label, max: column.scale, min: 0 })),
      axisName: { color: css("--ink"), fontSize: narrow() ? 11 : 12 },
      axisNameGap: narrow() ? 8 : 12,
      splitNumber: 4,
      splitArea: { show: false },
      splitLine: { lineStyle: { color: css("--line") } },
      axisLine: { lineStyle: { color: css("--line") } },
    },
    series: [{ type: "radar", data: series, emphasis: { focus: "self", lineStyle: { width: 4 } } }],
  }, [
    [t("model"), ...columns.map((column) => column.label)],
    ...rows.map((row) => [label(runs[row.run].key), ...columns.map((column) => number(scored(row, column.name), column.scale))]),
  ]);
}

/** Lines from low to high at each point, in both directions. */
function whiskers(points) {
  return {
    type: "custom",
    silent: true,
    z: 1,
    data: points.map((point) => [point.x[0], point.y[0], point.x[1] ?? point.x[0], point.x[2] ?? point.x[0], point.y[1] ?? point.y[0], point.y[2] ?? point.y[0]]),
    encode: { x: [0, 2, 3], y: [1, 4, 5] },
    renderItem: (parameters, api) => {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const style = { stroke: points[parameters.dataIndex].colour, lineWidth: 1.5, opacity: points[parameters.dataIndex].faint ? 0.35 : 0.8 };
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
      const left = api.coord([api.value(2), api.value(1)])[0];
      const right = api.coord([api.value(3), api.value(1)])[0];
      const bottom = api.coord([api.value(0), api.value(4)])[1];
      const top = api.coord([api.value(0), api.value(5)])[1];
      const cap = 3;
      const children = [];
      if (right > left) children.push(line(left, y, right, y), line(left, y - cap, left, y + cap), line(right, y - cap, right, y + cap));
      if (bottom > top) children.push(line(x, bottom, x, top), line(x - cap, bottom, x + cap, bottom), line(x - cap, top, x + cap, top));
      return { type: "group", children };
    },
  };
}

function pointSeries(points, width) {
  return {
    type: "scatter",
    z: 2,
    symbolSize: 11,
    data: points.map((point) => ({
      name: point.name,
      value: [point.x[0], point.y[0]],
      symbol: point.symbol,
      itemStyle: { color: point.colour, opacity: point.faint ? 0.45 : 1 },
      label: { show: !point.faint, formatter: () => point.name, position: "right", color: css("--ink"), fontSize: 11 },
      tip: point.tip,
    })),
    // Above the whiskers; a label that would stick out on the right moves in.
    labelLayout: (own) => ({ hideOverlap: true, dy: -11, dx: Math.min(0, width - 6 - own.labelRect.x - own.labelRect.width) }),
    emphasis: { label: { show: true } },
  };
}

const style = (row) => {
  const faint = !state.selected.includes(row.run);
  return { name: shortName(runs[row.run]), colour: faint ? css("--faint") : colour(row.run), symbol: symbol(row.run), faint };
};

// Room for labels and axis names is found by ECharts within the outer bounds.
const grid = (more) => ({ left: 8, right: 16, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "all", ...more });

function drawScatter() {
  const [x, y] = leaderboard().columns.filter((column) => column.level === "average");
  if (!x || !y) return hide("scatter");
  const title = t("scatter", { x: x.label, y: y.label });
  const rows = leaderboard().rows.filter((row) => row.scores[x.name] && row.scores[y.name]);
  if (!rows.length) return undrawn("scatter", title, t("needBoth"));
  const points = rows.map((row) => ({
    ...style(row),
    x: row.scores[x.name],
    y: row.scores[y.name],
    tip: `${label(runs[row.run].key)}\n${x.label} ${spanText(row.scores[x.name], x.scale)}\n${y.label} ${spanText(row.scores[y.name], y.scale)}`,
  }));
  draw("scatter", title, {
    grid: grid(),
    tooltip: { ...base().tooltip, formatter: (own) => own.data.tip },
    xAxis: axis(x.label, { type: "value", scale: true }),
    yAxis: axis(y.label, { type: "value", scale: true, nameGap: 34 }),
    series: [whiskers(points), pointSeries(points, $("scatter").clientWidth - 32)],
  }, [
    [t("model"), x.label, y.label],
    ...rows.map((row) => [label(runs[row.run].key), spanText(row.scores[x.name], x.scale), spanText(row.scores[y.name], y.scale)]),
  ]);
}

function drawRuntime() {
  const primary = columnOf(leaderboard(), leaderboard().primary);
  const title = t("runtime", { score: primary.label });
  const rows = leaderboard().rows.filter((row) => row.scores[primary.name] && runs[row.run].seconds !== null);
  if (!rows.length) return undrawn("runtime", title, t("noTime"));
  const points = rows.map((row) => ({
    ...style(row),
    x: [runs[row.run].seconds / 60, null, null],
    y: row.scores[primary.name],
    tip: `${label(runs[row.run].key)}\n${duration(runs[row.run].seconds)}\n${primary.label} ${spanText(row.scores[primary.name], primary.scale)}`,
  }));
  draw("runtime", title, {
    grid: grid(),
    tooltip: { ...base().tooltip, formatter: (own) => own.data.tip },
    xAxis: axis(t("minutes"), { type: "value", min: 0 }),
    yAxis: axis(primary.label, { type: "value", scale: true, nameGap: 40 }),
    series: [whiskers(points), pointSeries(points, $("runtime").clientWidth - 32)],
  }, [
    [t("model"), t("time"), primary.label],
    ...rows.map((row) => [label(runs[row.run].key), duration(runs[row.run].seconds), spanText(row.scores[primary.name], primary.scale)]),
  ]);
}

function drawBars() {
  const rows = chosenRows();
  const columns = ["category", "dataset"].map((level) => leaderboard().columns.filter((column) => column.level === level && someScore([column]))).find((own) => own.length);
  if (!columns) return hide("bars");
  if (!rows.length) return undrawn("bars", t("bars"), t("noSelection"));
  const flat = narrow();
  const names = columns.map((column) => column.label);
  const categoryAxis = axis("", { type: "category", data: names, inverse: flat, splitLine: { show: false }, axisLabel: { color: css("--ink"), interval: 0, rotate: !flat && names.length > 10 ? 30 : 0 } });
  const valueAxis = axis(t("barsAxis"), { type: "value", min: 0, max: 1 });
  const scaled = (row, column, part) => {
    const value = row.scores[column.name]?.[part];
    return value === null || value === undefined ? "-" : value / column.scale;
  };
  const bars = rows.map((row) => ({
    type: "bar",
    name: shortName(runs[row.run]),
    itemStyle: { color: colour(row.run), borderRadius: flat ? [0, 2, 2, 0] : [2, 2, 0, 0] },
    barGap: "10%",
    barCategoryGap: "28%",
    data: columns.map((column) => scaled(row, column, 0)),
    emphasis: { focus: "series" },
  }));
  const errors = rows.map((row, index) => ({
    type: "custom",
    silent: true,
    z: 3,
    tooltip: { show: false },
    data: columns.map((column, at) => [at, scaled(row, column, 1), scaled(row, column, 2)]),
    encode: flat ? { y: 0, x: [1, 2] } : { x: 0, y: [1, 2] },
    renderItem: (parameters, api) => {
      const [low, high] = [api.value(1), api.value(2)];
      if (Number.isNaN(low) || Number.isNaN(high)) return null;
      const layout = api.barLayout({ barGap: "10%", barCategoryGap: "28%", count: rows.length })[index];
      const at = (value) => api.coord(flat ? [value, api.value(0)] : [api.value(0), value]);
      const [from, to] = [at(low), at(high)];
      const shift = layout.offsetCenter;
      const ends = flat
        ? { x1: from[0], y1: from[1] + shift, x2: to[0], y2: to[1] + shift }
        : { x1: from[0] + shift, y1: from[1], x2: to[0] + shift, y2: to[1] };
      return { type: "line", shape: ends, style: { stroke: css("--ink"), lineWidth: 1, opacity: 0.65 } };
    },
  }));
  draw("bars", t("bars"), {
    grid: grid(),
    tooltip: { ...base().tooltip, trigger: "axis", axisPointer: { type: "shadow" }, formatter: (own) => {
      const column = columns[own[0].dataIndex];
      return [column.label, ...rows.map((row) => `${shortName(runs[row.run])}  ${spanText(row.scores[column.name], column.scale)}`)].join("\n");
    } },
    xAxis: flat ? valueAxis : categoryAxis,
    yAxis: flat ? categoryAxis : { ...valueAxis, name: "", axisLabel: { color: css("--muted") } },
    series: [...bars, ...errors],
  }, [
    [t("model"), ...names],
    ...rows.map((row) => [label(runs[row.run].key), ...columns.map((column) => spanText(row.scores[column.name], column.scale))]),
  ], flat ? 80 + columns.length * (rows.length * 8 + 16) : 360);
}

function drawCharts() {
  const categories = leaderboard().columns.filter((column) => column.level === "category");
  const plain = categories.filter((column) => column.scale === 1);
  const rated = categories.filter((column) => column.scale !== 1);
  drawRadar("radar", t("radar"), plain);
  drawRadar("radar-mtbench", t("radarMtbench"), rated);
  drawScatter();
  drawRuntime();
  drawBars();
}

view(["leaderboard", "selected", "language", "theme", "width"], drawCharts);

let wasNarrow = narrow();
let resizing = 0;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    for (const { chart } of charts.values()) chart.resize();
    if (wasNarrow !== narrow()) {
      wasNarrow = narrow();
      changed("width");
    }
  }, 120);
});
