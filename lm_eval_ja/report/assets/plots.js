// The charts of the section: radars of members, points of two measures, bars of everything.

/** Groups of scores that are averaged together below those that rank, largest level first: a radar each. */
function memberGroups(own) {
  const ranked = rankedColumns(own);
  const [level] = levels(own);
  const groups = new Map();
  for (const column of own.columns) {
    if (ranked.includes(column) || column.level !== level) continue;
    groups.set(column.parent, [...(groups.get(column.parent) ?? []), column]);
  }
  return [...groups].filter(([, columns]) => columns.length >= 3).map(([parent, columns]) => ({ parent: columnOf(own, parent), columns }));
}

function drawRadar(id, group) {
  const known = group && leaderboard().rows.some((row) => group.columns.some((column) => row.scores[column.name]));
  if (!known) return hide(id);
  const { columns } = group;
  const title = group.parent ? t("radarOf", { score: group.parent.label }) : t("radar");
  const rows = drawnRows();
  if (!rows.length) return undrawn(id, title, t("noSelection"));
  return draw(id, {
    title,
    note: drawnNote(),
    height: 340 + legendHeight(rows.length),
    option: (width) => ({
      ...legend(rows),
      tooltip: { ...base().tooltip, trigger: "item" },
      radar: {
        radius: Math.min(125, width * 0.27),
        center: ["50%", 170],
        indicator: columns.map((column) => ({ name: column.label, max: column.scale, min: 0 })),
        axisName: { color: css("--ink"), fontSize: width < 420 ? 11 : 12 },
        axisNameGap: width < 420 ? 8 : 12,
        splitNumber: 4,
        splitArea: { show: false },
        splitLine: { lineStyle: { color: css("--line") } },
        axisLine: { lineStyle: { color: css("--line") } },
      },
      series: [{ type: "radar", emphasis: { focus: "self", lineStyle: { width: 4 } }, data: rows.map((row) => ({
        name: shortName(runs[row.run]),
        value: columns.map((column) => scored(row, column.name) ?? "-"),
        symbol: symbol(row.run),
        symbolSize: 7,
        lineStyle: { color: colour(row.run), width: 2, type: dash(row.run) },
        itemStyle: { color: colour(row.run) },
      })) }],
    }),
    table: [
      [t("model"), ...columns.map((column) => column.label)],
      ...selectedRows().map((row) => [label(runs[row.run].key), ...columns.map((column) => number(scored(row, column.name), column.scale))]),
    ],
  });
}

const LEGEND_LINE = 20;
const legendHeight = (count) => Math.ceil(count / 2) * LEGEND_LINE;
const legend = (rows) => ({ legend: { show: true, bottom: 0, left: "center", itemWidth: 26, itemGap: 12, selectedMode: false, textStyle: { color: css("--ink"), fontSize: 11 }, data: rows.map((row) => ({ name: shortName(runs[row.run]), icon: symbol(row.run), itemStyle: { color: colour(row.run) } })) } });

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

/** All runs as points, the selected ones with their names; the others say theirs when pointed at. */
function drawPoints(id, { title, rows, x, y, xAxis, yAxis, head, why }) {
  if (!rows.length) return undrawn(id, title, why);
  const points = () => rows.map((row) => {
    const faint = !state.selected.includes(row.run);
    return { row, name: shortName(runs[row.run]), colour: faint || slotOf(row.run) < 0 ? css(faint ? "--faint" : "--muted") : colour(row.run), symbol: symbol(row.run), faint, x: x(row), y: y(row) };
  });
  const cells = (row) => head.map(([, text]) => text(row));
  return draw(id, {
    title,
    height: 380,
    option: () => {
      const own = points();
      return {
        grid: grid(),
        tooltip: { ...base().tooltip, formatter: (hit) => [label(runs[own[hit.dataIndex].row.run].key), ...head.map(([name, text]) => `${name} ${text(own[hit.dataIndex].row)}`)].join("\n") },
        xAxis: axis(...xAxis),
        yAxis: axis(...yAxis),
        series: [whiskers(own), {
          type: "scatter",
          z: 2,
          symbolSize: 11,
          data: own.map((point) => ({ name: point.name, value: [point.x[0], point.y[0]], symbol: point.symbol, itemStyle: { color: point.colour, opacity: point.faint ? 0.45 : 1 } })),
        }],
      };
    },
    after: (chart) => placeNames(chart, points(), 1),
    table: [[t("model"), ...head.map(([name]) => name)], ...rows.map((row) => [label(runs[row.run].key), ...cells(row)])],
  });
}

const scoreOf = (column) => [column.label, (row) => spanText(row.scores[column.name], column.scale)];

/** The two scores that make up the one above them. */
function scatterAxes(own) {
  const ranked = rankedColumns(own);
  const members = ranked.filter((column) => column.parent && ranked.some((other) => other.name === column.parent));
  return members.length > 1 ? members : ranked;
}

function drawScatter() {
  const [x, y] = scatterAxes(leaderboard());
  if (!x || !y) return hide("scatter");
  return drawPoints("scatter", {
    title: t("scatter", { x: x.label, y: y.label }),
    rows: leaderboard().rows.filter((row) => row.scores[x.name] && row.scores[y.name]),
    x: (row) => row.scores[x.name],
    y: (row) => row.scores[y.name],
    xAxis: [x.label, { type: "value", scale: true }],
    yAxis: [y.label, { type: "value", scale: true, nameGap: 34 }],
    head: [scoreOf(x), scoreOf(y)],
    why: t("needBoth"),
  });
}

function drawRuntime() {
  const primary = columnOf(leaderboard(), leaderboard().primary);
  const minutes = (row) => runs[row.run].seconds / 60;
  const rows = leaderboard().rows.filter((row) => row.scores[primary.name] && runs[row.run].seconds);
  const times = rows.map(minutes);
  return drawPoints("runtime", {
    title: t("runtime", { score: primary.label }),
    rows,
    x: (row) => [minutes(row), null, null],
    y: (row) => row.scores[primary.name],
    // A log scale labels powers of ten only: bounds at 1, 2 or 5 times them leave room for some.
    xAxis: [t("minutes"), { type: "log", min: Math.min(...times) / 1.5, max: Math.max(...times) * 1.5, axisLabel: { color: css("--muted"), formatter: (value) => String(Number(value.toPrecision(2))) } }],
    yAxis: [primary.label, { type: "value", scale: true, nameGap: 40 }],
    head: [[t("meta_seconds"), (row) => duration(runs[row.run].seconds)], scoreOf(primary)],
    why: t("noTime"),
  });
}

function drawEfficiency() {
  const primary = columnOf(leaderboard(), leaderboard().primary);
  const rows = leaderboard().rows.filter((row) => row.scores[primary.name] && runs[row.run].tokens.total);
  if (!rows.length) return hide("efficiency-score");
  return drawPoints("efficiency-score", {
    title: t("efficiencyScore", { score: primary.label }),
    rows,
    x: (row) => [runs[row.run].tokens.total, null, null],
    y: (row) => row.scores[primary.name],
    xAxis: [t("perToken"), { type: "value", scale: true }],
    yAxis: [primary.label, { type: "value", scale: true, nameGap: 40 }],
    head: [[t("perToken"), (row) => runs[row.run].tokens.total.toFixed(2)], scoreOf(primary)],
  });
}

function drawBars() {
  const own = leaderboard();
  const known = own.columns.filter((column) => own.rows.some((row) => row.scores[column.name]));
  const level = levels(own).find((name) => known.some((column) => column.level === name));
  const columns = known.filter((column) => (level ? column.level === level : rankedColumns(own).includes(column)));
  if (!columns.length) return hide("bars");
  const rows = drawnRows();
  const title = t("bars");
  if (!rows.length) return undrawn("bars", title, t("noSelection"));
  const flat = narrow() && !state.printing;
  const names = columns.map((column) => column.label);
  const scaled = (row, column, part) => {
    const value = row.scores[column.name]?.[part];
    return value === null || value === undefined ? "-" : value / column.scale;
  };
  const spread = { barGap: "10%", barCategoryGap: "28%" };
  const errors = (row, index) => ({
    type: "custom",
    silent: true,
    z: 3,
    tooltip: { show: false },
    data: columns.map((column, at) => [at, scaled(row, column, 1), scaled(row, column, 2)]),
    encode: flat ? { y: 0, x: [1, 2] } : { x: 0, y: [1, 2] },
    renderItem: (parameters, api) => {
      const [low, high] = [api.value(1), api.value(2)];
      if (Number.isNaN(low) || Number.isNaN(high)) return null;
      const shift = api.barLayout({ ...spread, count: rows.length })[index].offsetCenter;
      const at = (value) => api.coord(flat ? [value, api.value(0)] : [api.value(0), value]);
      const [from, to] = [at(low), at(high)];
      const ends = flat
        ? { x1: from[0], y1: from[1] + shift, x2: to[0], y2: to[1] + shift }
        : { x1: from[0] + shift, y1: from[1], x2: to[0] + shift, y2: to[1] };
      return { type: "line", shape: ends, style: { stroke: css("--ink"), lineWidth: 1, opacity: 0.65 } };
    },
  });
  return draw("bars", {
    title,
    note: drawnNote(),
    height: flat ? 80 + columns.length * (rows.length * 8 + 16) + legendHeight(rows.length) : 360 + LEGEND_LINE,
    option: (width) => {
      const categoryAxis = axis("", { type: "category", data: names, inverse: flat, splitLine: { show: false }, axisLabel: { color: css("--ink"), interval: 0, rotate: !flat && names.length * 75 > width ? 30 : 0 } });
      const valueAxis = axis(t("barsAxis"), { type: "value", min: 0, max: 1 });
      return {
        ...legend(rows),
        grid: grid({ bottom: flat ? legendHeight(rows.length) + 8 : LEGEND_LINE * Math.ceil((rows.length * 190) / width) + 12 }),
        tooltip: { ...base().tooltip, trigger: "axis", axisPointer: { type: "shadow" }, formatter: (hit) => {
          const column = columns[hit[0].dataIndex];
          return [column.label, ...rows.map((row) => `${shortName(runs[row.run])}  ${spanText(row.scores[column.name], column.scale)}`)].join("\n");
        } },
        xAxis: flat ? valueAxis : categoryAxis,
        yAxis: flat ? categoryAxis : { ...valueAxis, name: "", axisLabel: { color: css("--muted") } },
        series: [...rows.map((row) => ({
          type: "bar",
          name: shortName(runs[row.run]),
          itemStyle: { color: colour(row.run), decal: decal(slotOf(row.run)), borderRadius: flat ? [0, 2, 2, 0] : [2, 2, 0, 0] },
          ...spread,
          data: columns.map((column) => scaled(row, column, 0)),
          emphasis: { focus: "series" },
        })), ...rows.map(errors)],
      };
    },
    table: [
      [t("model"), ...names],
      ...selectedRows().map((row) => [label(runs[row.run].key), ...columns.map((column) => spanText(row.scores[column.name], column.scale))]),
    ],
  });
}

/** A pattern on a bar, so that neighbours differ in more than colour: every second one is striped, each another way. */
function decal(slot) {
  if (slot % 2 === 0) return null;
  const turn = ((slot + 1) / 2) * 0.6;
  return { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: turn, color: isDark() ? "#0008" : "#fff9" };
}

const isDark = () => state.theme === "dark" || (state.theme === "auto" && media.matches);

// ------------------------------------------------------------------------------------------------ views

const PARTS = ["leaderboard", "selected", "language", "theme", "width"];
const radars = Math.max(...core.leaderboards.map((own) => memberGroups(own).length), 0);
for (let at = 1; at <= radars; at += 1) {
  const figure = el("figure", { id: `radar-${at}` });
  $("scatter").before(figure);
  view(figure, PARTS, () => drawRadar(figure.id, memberGroups(leaderboard())[at - 1]));
}
view($("scatter"), PARTS, drawScatter);
view($("runtime"), PARTS, drawRuntime);
view($("efficiency-score"), PARTS, drawEfficiency);
view($("bars"), PARTS, drawBars);
