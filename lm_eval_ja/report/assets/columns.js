// Which columns and which rows of a ranking are shown.

const columnOf = (own, name) => own.columns.find((column) => column.name === name);
const META = ["size", "organisation", "licence", "release", "labels", "asked", "shots", "judge", "seconds", "date", "signature"];
const FACTS = ["size", "organisation", "licence", "release", "labels"];

/** Scores that the ranking always shows: those that runs are ranked by. */
const rankedColumns = (own) => own.columns.filter((column) => column.ranked || column.name === own.primary);

/** The levels below them, from the top of the tree down. */
function levels(own) {
  const ranked = rankedColumns(own);
  return [...new Set(own.columns.filter((column) => !ranked.includes(column)).map((column) => column.level))];
}

const levelName = (level) => (`level_${level}` in STRINGS.en ? t(`level_${level}`) : String(level));

/** Facts about runs that columns can show: only those that some run has. */
function metaColumns(own) {
  return META.filter((name) => own.rows.some((row) => metaValue(runs[row.run], name) !== null));
}

function metaValue(run, name) {
  if (name === "labels") return run.facts.labels?.length ? run.facts.labels.join(", ") : null;
  if (name === "organisation") return Object.keys(run.facts).length ? run.facts.organisation || nameParts({ ...run, facts: {} })[0].replace(/\/$/, "") || null : null;
  if (FACTS.includes(name)) return run.facts[name] || null;
  if (name === "shots") return run.shots.join(", ") || "0";
  return run[name] ?? null;
}

const sizeText = (size) => (size === null || size === undefined ? "–" : size < 1 ? `${Math.round(size * 1000)}M` : `${size}B`);

/** Scores that the table shows: a whole level, or what was chosen. */
function shownColumns(own) {
  const ranked = rankedColumns(own);
  const known = levels(own);
  if (Array.isArray(state.columns)) return own.columns.filter((column) => state.columns.includes(column.name));
  const level = known.includes(state.columns) ? state.columns : known[0];
  return own.columns.filter((column) => ranked.includes(column) || column.level === level);
}

function shownMeta(own) {
  const there = metaColumns(own);
  return Array.isArray(state.columns) ? there.filter((name) => state.columns.includes(name)) : there;
}

function isSortable(own, name) {
  return name === "model" || META.includes(name) || own.columns.some((column) => column.name === name);
}

// ------------------------------------------------------------------------------------------------ rows

const fold = (text) => text.normalize("NFKC").toLowerCase();

function passesRank(row) {
  const { rankFilter } = state;
  const run = runs[row.run];
  if (rankFilter.name && !fold(`${run.key} ${run.facts.name ?? ""}`).includes(fold(rankFilter.name))) return false;
  const size = run.facts.size ?? null;
  if (rankFilter.least !== "" && !(size !== null && size >= Number(rankFilter.least))) return false;
  if (rankFilter.most !== "" && !(size !== null && size <= Number(rankFilter.most))) return false;
  if (rankFilter.organisation && metaValue(run, "organisation") !== rankFilter.organisation) return false;
  if (rankFilter.licence && run.facts.licence !== rankFilter.licence) return false;
  return !rankFilter.label || (run.facts.labels ?? []).includes(rankFilter.label);
}

const isFiltered = () => Object.values(state.rankFilter).some((value) => value !== "");

function sortValue(row, name) {
  const run = runs[row.run];
  if (name === "model") return fold(nameParts(run).join(""));
  if (META.includes(name)) return metaValue(run, name);
  return row.scores[name]?.[0] ?? null;
}

function sortedRows(own) {
  const { column, down } = state.sort;
  const name = column !== null && isSortable(own, column) ? column : own.primary;
  return own.rows.filter(passesRank).sort((a, b) => {
    const [x, y] = [sortValue(a, name), sortValue(b, name)];
    if (x === null || y === null) return (x === null) - (y === null); // what is missing stands last either way
    const order = x < y ? -1 : x > y ? 1 : 0;
    return down ? -order : order;
  });
}

/** The score that ranks: the one sorted by, or the leaderboard's own. */
function rankingColumn(own) {
  return columnOf(own, state.sort.column) ?? columnOf(own, own.primary);
}

/** Places of the rows shown, by run: equals share one, and what has no score has none. */
function places(own, rows) {
  if (own.partial) return new Map(rows.map((row) => [row.run, null])); // a part of the questions makes no place
  const name = rankingColumn(own).name;
  if (name === own.primary && !isFiltered()) return new Map(rows.map((row) => [row.run, row.rank]));
  const values = rows.map((row) => row.scores[name]?.[0]).filter((value) => value !== undefined);
  return new Map(rows.map((row) => {
    const value = row.scores[name]?.[0];
    return [row.run, value === undefined ? null : 1 + values.filter((other) => other > value).length];
  }));
}

// ----------------------------------------------------------------------------------------------- controls

const setRankFilter = (name, value) => { state.rankFilter[name] = value; changed("rows"); };

function drawControls() {
  const own = leaderboard();
  const known = levels(own);
  const level = known.includes(state.columns) ? state.columns : Array.isArray(state.columns) ? "" : known[0];
  fill($("columns"),
    ...known.map((name) => quiet(levelName(name), () => { state.columns = name; changed("columns"); }, { "data-level": name, "aria-pressed": String(name === level) })),
    columnChooser(own),
    el("label", { class: "tick" }, el("input", { type: "checkbox", id: "intervals", checked: state.intervals, on: { change: (event) => { state.intervals = event.target.checked; changed("intervals"); } } }), t("intervals")),
    el("label", null, el("span", null, t("baseline")), " ", el("select", { id: "baseline", on: { change: (event) => { state.baseline = event.target.value === "" ? null : Number(event.target.value); changed("baseline"); } } },
      option("", t("noBaseline"), state.baseline ?? ""), ...own.rows.map((row) => option(row.run, shortName(runs[row.run]), state.baseline ?? "")))));
  drawRankFilter(own);
}

function columnChooser(own) {
  const shown = new Set([...shownColumns(own).map((column) => column.name), ...shownMeta(own)]);
  const depth = (column) => (column.parent ? 1 + depth(columnOf(own, column.parent) ?? { parent: "" }) : 0);
  const box = (name, text, indent) => el("label", { class: "tick", vars: { "--depth": indent } }, el("input", { type: "checkbox", value: name, checked: shown.has(name), on: { change: (event) => {
    const names = [...own.columns.map((column) => column.name), ...META].filter((other) => (other === name ? event.target.checked : shown.has(other)));
    state.columns = names;
    shown[event.target.checked ? "add" : "delete"](name);
    changed("chosen columns");
  } } }), text);
  return el("details", { class: "menu", id: "column-chooser" }, el("summary", null, t("chooseColumns")), el("div", { class: "options" },
    ...inTree(own).map((column) => box(column.name, column.label, depth(column))),
    ...metaColumns(own).map((name) => box(name, t(`meta_${name}`), 0))));
}

/** Columns with their members below them. */
function inTree(own, parent = "") {
  return own.columns.filter((column) => column.parent === parent || (parent === "" && !columnOf(own, column.parent)))
    .flatMap((column) => [column, ...inTree(own, column.name)]);
}

function drawRankFilter(own) {
  const { rankFilter } = state;
  const values = (name) => [...new Set(own.rows.map((row) => metaValue(runs[row.run], name)).filter((value) => value !== null))].sort();
  const choice = (name, key, all) => {
    const found = name === "labels" ? [...new Set(own.rows.flatMap((row) => runs[row.run].facts.labels ?? []))].sort() : values(name);
    if (!found.length) return null;
    return el("label", null, el("span", null, t(`meta_${name}`)), el("select", { id: `r-${key}`, on: { change: (event) => setRankFilter(key, event.target.value) } }, option("", all, rankFilter[key]), ...found.map((value) => option(value, label(value, 40), rankFilter[key]))));
  };
  const sizes = own.rows.some((row) => runs[row.run].facts.size);
  const size = (key) => el("input", { type: "number", min: 0, step: "any", id: `r-${key}`, value: rankFilter[key], "aria-label": t(key), placeholder: t(key), on: { input: (event) => setRankFilter(key, event.target.value) } });
  fill($("rank-filters"),
    el("label", { class: "grow" }, el("span", null, t("searchModels")), el("input", { type: "search", id: "r-name", value: rankFilter.name, autocomplete: "off", spellcheck: "false", on: { input: (event) => setRankFilter("name", event.target.value) } })),
    sizes ? el("div", { class: "range", role: "group", "aria-label": t("meta_size") }, el("span", { class: "muted" }, t("sizes")), size("least"), size("most")) : null,
    choice("organisation", "organisation", t("any")),
    choice("licence", "licence", t("any")),
    choice("labels", "label", t("any")),
    quiet(t("reset"), () => { state.rankFilter = noRankFilter(); drawRankFilter(own); changed("rows"); }, { id: "r-reset" }));
}

view($("rank-tools"), ["leaderboard", "language", "columns", "filters from link"], drawControls);
