// The ranking tables, one per leaderboard, and the dialog with a run's settings.

const tables = new Map(); // by leaderboard: its rows' elements, by run

function header(own, name, text, properties = {}) {
  return el("th", { scope: "col", "data-column": name, ...properties },
    el("button", { type: "button", class: "sort", "data-sort": name, on: { click: () => {
      const active = (state.sort.column ?? own.primary) === name;
      state.sort = active ? { column: name, down: !state.sort.down } : { column: name, down: name !== "model" };
      changed("sort");
    } } }, text, el("span", { class: "arrow", "aria-hidden": "true" })));
}

function missingText([names, total]) {
  return t("missing", { what: names.map((name) => label(name)).join(", "), present: total - names.length, total });
}

function scoreCell(row, column, best) {
  const score = row.scores[column.name];
  const classes = `score${column.ranked ? " ranked" : ""}`;
  if (!score) {
    const why = row.missing[column.name] ? missingText(row.missing[column.name]) : t("notMeasured");
    return el("td", { class: `${classes} missing`, title: why }, el("span", { "aria-hidden": "true" }, "–"), el("span", { class: "hidden" }, why));
  }
  const [value, low, high] = score;
  const deviation = runs[row.run].spread[column.name]?.[0] ?? null;
  const title = [
    low === null ? null : t("interval", { low: number(low, column.scale), high: number(high, column.scale) }),
    deviation === null ? null : t("deviation", { deviation: number(deviation, column.scale) }),
  ].filter(Boolean).join("; ") || null;
  const bar = { "--value": `${Math.max(0, Math.min(1, value / column.scale)) * 100}%` };
  return el("td", { class: `${classes}${value === best ? " best" : ""}`, title, vars: bar, "data-value": value },
    el("span", { class: "value" }, number(value, column.scale)),
    deviation === null || !column.ranked ? null : el("span", { class: "interval deviation" }, `±${number(deviation, column.scale)}`),
    low === null ? null : el("span", { class: "interval" }, `${number(low, column.scale)}–${number(high, column.scale)}`));
}

/** The place in the score sorted by; its interval where all runs of the leaderboard are shown. */
function rankCell(own, row, place) {
  const column = rankingColumn(own);
  const interval = isFiltered() || place === null ? null : row.ranks[column.name];
  const [, low, high, count] = interval ?? [];
  const title = place === null
    ? t("noRank", { score: column.label })
    : interval ? t("rankInterval", { rank: place, low, high, runs: count }) : isFiltered() ? t("rankShown", { rank: place, all: row.rank ?? "–" }) : t("rankOnly", { rank: place });
  return el("td", { class: "rank", title }, el("span", { class: "value" }, place === null ? "–" : String(place)), interval ? el("span", { class: "interval" }, `${low}–${high}`) : null);
}

function modelCell(row) {
  const run = runs[row.run];
  return el("th", { scope: "row", class: "model" },
    el("label", null,
      el("input", { type: "checkbox", checked: state.selected.includes(row.run), "data-run": row.run, "aria-label": t("select", { model: label(run.key) }), on: { change: (event) => select(row.run, event.target.checked) } }),
      swatch(row.run),
      modelName(run)),
    el("span", { class: "chips" }, el("span", { class: "chip" }, label(run.backend)), run.chat ? el("span", { class: "chip" }, t("chat")) : null, run.members.length ? el("button", { type: "button", class: "chip", title: t("seedsTitle"), on: { click: () => showRun(row.run) } }, t("seeds", { n: run.members.length })) : null));
}

function select(run, on) {
  if (!leaderboard().rows.some((row) => row.run === run)) {
    state.leaderboard = core.leaderboards.findIndex((own) => own.rows.some((row) => row.run === run));
    state.sort = { column: null, down: true };
    choose(on ? [run] : []);
    changed("leaderboard", "selected");
  } else {
    choose(on ? [...state.selected, run] : state.selected.filter((own) => own !== run));
    changed("selected");
  }
}

const META_CELLS = {
  size: (run) => sizeText(run.facts.size),
  asked: (run) => run.asked.toLocaleString(),
  seconds: (run) => duration(run.seconds),
};

function metaCell(place, name) {
  const run = runs[place];
  if (name === "signature") return el("td", null, el("button", { type: "button", class: "link mono", "aria-label": t("signatureOf", { model: label(run.key) }), on: { click: () => showRun(place) } }, run.signature));
  if (name === "judge") return el("td", null, el("bdi", null, run.judge ? label(run.judge, 30) : "–"), run.unscored ? el("span", { class: "chip warn" }, `${t("unscored")} ${run.unscored}`) : null);
  const text = META_CELLS[name]?.(run) ?? metaValue(run, name) ?? "–";
  return el("td", { class: "num" }, el("bdi", null, label(text, 40)));
}

function differenceCell(row, found) {
  if (row.run === state.baseline) return el("td", { class: "num difference" }, t("baselineHere"));
  const one = found.get(row.run);
  if (!one) return el("td", { class: "num difference" }, "–");
  const { scale } = rankingColumn(leaderboard());
  const sure = one.adjusted < 0.05;
  return el("td", { class: `num difference${sure ? " sure" : ""}`, "data-p": one.p, "data-adjusted": one.adjusted, "data-difference": one.difference },
    el("span", { class: "value" }, `${one.difference < 0 ? "" : "+"}${number(one.difference, scale)}${sure ? " *" : ""}`),
    el("span", { class: "p" }, `p ${one.adjusted < 0.0001 ? "< 0.0001" : one.adjusted.toFixed(4)}`));
}

const isCompared = (index) => index === state.leaderboard && state.baseline !== null;

function rankingHead(own, index) {
  const columns = shownColumns(own);
  return el("tr", null,
    el("th", { scope: "col", class: "rank", title: t("rankTitle", { score: rankingColumn(own).label }) }, t("rank")),
    header(own, "model", t("model"), { class: "model" }),
    isCompared(index) ? el("th", { scope: "col", class: "difference", title: t("differenceTitle") }, t("differenceFrom", { model: shortName(runs[state.baseline]) })) : null,
    ...columns.map((column, at) => header(own, column.name, column.label, { title: column.status ? t("dataStatus", { what: statusText(column.status) }) : null, class: `score${column.ranked ? " ranked" : ""}${at && columns[at - 1].parent !== column.parent ? " first" : ""}` })),
    ...shownMeta(own).map((name, at) => (name === "signature" ? el("th", { scope: "col" }, t("meta_signature")) : header(own, name, t(`meta_${name}`), { title: name === "asked" ? t("samplesTitle") : null, class: at ? null : "first" }))));
}

/** The rows' elements, by run. */
function rankingRows(own, index) {
  const columns = shownColumns(own);
  const meta = shownMeta(own);
  const rows = sortedRows(own);
  const compared = isCompared(index);
  const best = Object.fromEntries(columns.map((column) => [column.name, Math.max(...own.rows.map((row) => row.scores[column.name]?.[0] ?? -Infinity))]));
  const found = compared ? againstBaseline(own, rows) : new Map();
  const ranks = places(own, rows);
  return new Map(own.rows.map((row) => [row.run, el("tr", { class: state.selected.includes(row.run) ? "on" : "" },
    rankCell(own, row, ranks.get(row.run) ?? null),
    modelCell(row),
    compared ? differenceCell(row, found) : null,
    ...columns.map((column) => scoreCell(row, column, best[column.name])),
    ...meta.map((name) => metaCell(row.run, name)))]));
}

function leaderboardTable(own, index) {
  const elements = rankingRows(own, index);
  const table = el("table", { class: `ranking${state.intervals ? " with-intervals" : ""}`, "data-leaderboard": index },
    el("caption", { class: "hidden" }, leaderboardTitle(own, index)),
    el("thead", null, rankingHead(own, index)),
    el("tbody", null, ...sortedRows(own).map((row) => elements.get(row.run))));
  tables.set(index, { table, elements });
  markSorted(own, table);
  return el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": t("rankingOf", { title: leaderboardTitle(own, index) }) }, table);
}

function markSorted(own, table) {
  const name = state.sort.column ?? own.primary;
  for (const cell of table.tHead.rows[0].cells) {
    const active = cell.dataset.column === name;
    if (active) cell.setAttribute("aria-sort", state.sort.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
    const arrow = cell.querySelector(".arrow");
    if (arrow) arrow.textContent = active ? (state.sort.down ? "▼" : "▲") : "";
  }
}

/** Put the rows that are there into another order, with the places they then have. */
function reorder(own, index) {
  const { table, elements } = tables.get(index);
  const rows = sortedRows(own);
  const ranks = places(own, rows);
  table.tHead.rows[0].cells[0].title = t("rankTitle", { score: rankingColumn(own).label });
  for (const row of rows) elements.get(row.run).cells[0].replaceWith(rankCell(own, row, ranks.get(row.run)));
  if (state.baseline !== null && index === state.leaderboard) {
    const found = againstBaseline(own, rows);
    for (const row of rows) elements.get(row.run).querySelector(".difference")?.replaceWith(differenceCell(row, found));
  }
  const body = table.tBodies[0];
  const wanted = rows.map((row) => elements.get(row.run));
  if (wanted.length !== body.rows.length || wanted.some((element, at) => body.rows[at] !== element)) {
    const focused = document.activeElement;
    body.replaceChildren(...wanted);
    if (body.contains(focused)) focused.focus({ preventScroll: true });
  }
  markSorted(own, table);
}

/** Show in the rows which runs are selected. */
function markSelected(index) {
  for (const [run, element] of tables.get(index).elements) {
    const on = index === state.leaderboard && state.selected.includes(run);
    const wanted = on ? ownColour(run) : "var(--faint)";
    const own = element.querySelector(".swatch");
    if (element.classList.contains("on") === on && own.style.getPropertyValue("--own") === wanted) continue;
    element.classList.toggle("on", on);
    element.querySelector("input").checked = on;
    own.classList.toggle("off", !on);
    own.style.setProperty("--own", wanted);
  }
}

function leaderboardTitle(own, index) {
  const several = core.leaderboards.length > 1 ? ` · ${t("leaderboard", { n: index + 1 })}` : "";
  return `${own.title}${several}`;
}

const SETTINGS = ["n", "shots", "style", "gen", "repeats", "judge", "judge_prompts", "judge_repeats", "split"];
const settingsLine = (own) => SETTINGS.filter((name) => own.settings[name]).map((name) => `${name} ${label(own.settings[name], 60)}`).join(" · ");

const statusText = (status) => status.split(" or ").map((one) => t(`status_${one.replace(" ", "_")}`)).join(" / ");

/** How sure it is that the questions are the reference's own, dataset by dataset. */
function dataLine(own) {
  const told = own.statuses.map(([status, labels]) => (own.statuses.length === 1 ? statusText(status) : `${statusText(status)}: ${labels.join(", ")}`));
  return told.length ? el("p", { class: "data-status muted", title: t("dataStatusTitle") }, t("dataStatus", { what: told.join("; ") })) : null;
}

/** A difference in plain words, as report/_differences.py says it in the terminal. */
function inWords(one) {
  if (one.setting === "data") return t("differsData");
  if (one.asked) {
    const [kind, number, other, others] = one.asked;
    return t("differsAsked", { here: t(`asked_${kind}`, { n: number }), there: t(`asked_${other}`, { n: others }) });
  }
  const value = (text) => (text === "–" ? t("settingNone") : text ? label(text, 120) : t("settingProtocols"));
  const name = `setting_${one.setting}`;
  return t(one.tasks > 1 ? "differsIn" : "differs", {
    setting: name in STRINGS.en ? t(name) : one.setting, here: value(one.here), there: value(one.there), tasks: one.tasks,
  });
}

function differences(own) {
  return el("div", { class: "differs" },
    el("strong", null, t("incomparable")),
    el("ul", null, ...own.differences.map((one) => el("li", null, inWords(one)))));
}

/** The ranking as a table to take away. CSV gets the numbers as they are. */
function rankingData(own, index) {
  const columns = shownColumns(own);
  const meta = shownMeta(own);
  const rows = sortedRows(own);
  const ranks = places(own, rows);
  return {
    title: leaderboardTitle(own, index),
    head: [t("model"), t("rank"), ...columns.map((column) => column.label), ...meta.map((name) => t(`meta_${name}`))],
    rows: rows.map((row) => [runs[row.run].facts.name || runs[row.run].key, String(ranks.get(row.run) ?? "–"), ...columns.map((column) => spanText(row.scores[column.name], column.scale, state.intervals || column.ranked)), ...meta.map((name) => META_CELLS[name]?.(runs[row.run]) ?? metaValue(runs[row.run], name) ?? "–")]),
  };
}

const spanText = (score, scale, interval = true) => (score ? `${number(score[0], scale)}${score[1] === null || !interval ? "" : ` (${number(score[1], scale)}–${number(score[2], scale)})`}` : "–");

function drawLeaderboard(own, index, host) {
  host.className = `leaderboard${index === state.leaderboard ? " current" : ""}`;
  fill(host, ...leaderboardParts(own, index, leaderboardTable(own, index)));
}

function leaderboardParts(own, index, table) {
  const shown = sortedRows(own).length;
  return [
    el("div", { class: "leaderboard-head" },
      el("h3", null, leaderboardTitle(own, index), own.sample ? el("span", { class: "chip warn" }, "sample") : null),
      el("span", { class: "muted mono" }, settingsLine(own)),
      el("span", { class: "shown muted", role: "status" }, isFiltered() ? t("shownRows", { n: shown, total: own.rows.length }) : ""),
      el("span", { class: "grow" }),
      core.leaderboards.length > 1 ? quiet(t(index === state.leaderboard ? "leaderboardShown" : "useLeaderboard"), () => showLeaderboard(index), { "aria-pressed": String(index === state.leaderboard) }) : null,
      tableTools(() => rankingData(own, index))),
    dataLine(own),
    own.differences.length ? differences(own) : null,
    table,
  ];
}

/** Give what stands around the rows the words of the other language. Elements stay, so that little is laid out again. */
function relabel(own, index, host) {
  const { table } = tables.get(index);
  const scroll = table.parentElement;
  const fresh = el("div", { class: host.className });
  fill(fresh, ...leaderboardParts(own, index, el("div")));
  adopt(host, fresh, scroll);
  scroll.setAttribute("aria-label", t("rankingOf", { title: leaderboardTitle(own, index) }));
  adopt(table.caption, el("caption", { class: "hidden" }, leaderboardTitle(own, index)));
  adopt(table.tHead.rows[0], rankingHead(own, index));
  markSorted(own, table);
}

/** The same for the rows, whose words are few: hints, labels for screen readers, settings. */
function relabelRows(own, index) {
  const { elements } = tables.get(index);
  for (const [run, fresh] of rankingRows(own, index)) adopt(elements.get(run), fresh);
}

function showLeaderboard(index) {
  state.leaderboard = index;
  state.sort = { column: null, down: true };
  choose(topRuns(leaderboard(), 5));
  state.scope = "";
  state.baseline = null;
  changed("leaderboard", "selected");
}

for (const [index, own] of core.leaderboards.entries()) {
  const host = el("div", { class: "leaderboard" });
  $("leaderboards").append(host);
  view(host, ["leaderboard", "selected", "sort", "rows", "columns", "chosen columns", "intervals", "baseline", "language"], (changes) => {
    const only = (...parts) => tables.has(index) && [...changes].every((part) => parts.includes(part));
    if (only("intervals")) tables.get(index).table.classList.toggle("with-intervals", state.intervals);
    else if (only("selected")) markSelected(index);
    else if (only("sort")) reorder(own, index);
    else if (only("language")) relabel(own, index, host);
    else if (only("rows", "sort")) {
      reorder(own, index);
      host.querySelector(".shown").textContent = isFiltered() ? t("shownRows", { n: sortedRows(own).length, total: own.rows.length }) : "";
    } else {
      const focused = document.activeElement?.dataset?.sort;
      drawLeaderboard(own, index, host);
      if (focused && document.activeElement === document.body) host.querySelector(`[data-sort="${CSS.escape(focused)}"]`)?.focus();
    }
  });
  view(host, ["language"], (changes) => { if (!changes.has("all")) relabelRows(own, index); }, { canWait: true });
}

// ------------------------------------------------------------------------------------------------- one run

/** A table of the dialog: its first column names the lines. */
function dialogTable(name, head, rows) {
  return [el("h3", null, name), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name }, el("table", { class: "plain" }, el("caption", { class: "hidden" }, name),
    el("thead", null, el("tr", null, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", null, ...rows.map(([first, ...cells]) => el("tr", null, el("th", { scope: "row" }, first), ...cells.map((cell) => el("td", { class: "num" }, cell)))))))];
}

const scoreColumns = (run) => [...new Map(core.leaderboards.filter((own) => own.rows.some((row) => runs[row.run] === run)).flatMap((own) => own.columns).map((column) => [column.name, column])).values()];

/** The runs that a row was joined of, their mean and their standard deviation. */
function seedsPart(run) {
  if (!run.members.length) return [];
  const columns = scoreColumns(run).filter((column) => run.spread[column.name]);
  const cells = (value, column) => (value === null || value === undefined ? "–" : number(value, column.scale));
  const row = (name, date, value) => [name, date, ...columns.map((column) => cells(value(column), column))];
  const values = (column) => Object.values(run.spread[column.name][1]);
  return [
    ...dialogTable(t("bySeed"), [t("seed"), t("meta_date"), ...columns.map((column) => column.label)], [
      ...run.members.map((member) => row(label(member.seed, 60), member.date ?? "–", (column) => run.spread[column.name][1][member.seed])),
      row(t("mean"), "", (column) => values(column).reduce((sum, value) => sum + value, 0) / values(column).length),
      row(t("standardDeviation"), "", (column) => run.spread[column.name][0]),
    ]),
    el("p", { class: "muted small" }, t("bySeedNote")),
  ];
}

/** Scores from several samples of every answer, with the two parts of their error. */
function samplingPart(run) {
  const columns = scoreColumns(run).filter((column) => run.sampling[column.name]);
  if (!columns.length) return [];
  return [
    ...dialogTable(t("severalSamples"), [t("score"), "n", "avg@n", "±", t("ofQuestions"), t("ofSampling"), t("increase"), t("majority"), "pass@k"], columns.map((column) => {
      const { repeats, score, stderr, questions, sampling, increase, majority, pass } = run.sampling[column.name];
      const shown = [score, stderr, questions, sampling].map((value) => number(value, column.scale));
      return [column.label, String(repeats), ...shown, t(`increase_${increase}`), majority === null ? "–" : number(majority, column.scale), pass ? `${number(pass[1], column.scale)} (${pass[0]})` : "–"];
    })),
    el("p", { class: "muted small" }, t("samplingNote")),
  ];
}

function showRun(place) {
  const run = runs[place];
  const rows = (name, entries) => el("table", { class: "plain" }, el("caption", { class: "hidden" }, name), el("tbody", null, ...entries.map(([first, value]) => el("tr", null, el("th", { scope: "row" }, first), el("td", null, el("bdi", { class: "mono" }, label(value, 2000)))))));
  const dialog = $("dialog");
  fill(dialog,
    el("h2", { id: "dialog-h", tabindex: -1, autofocus: true }, el("bdi", null, label(run.key, 300))), // not the first scrolling table
    rows(t("settings"), [
      [t("backend"), run.backend],
      [t("meta_date"), run.date ?? "–"],
      [t("meta_seconds"), duration(run.seconds)],
      ["lm-eval", run.lmEval],
      ...(run.limit === null ? [] : [["--limit", String(run.limit)]]),
      ...Object.entries(run.args).map(([name, value]) => [label(name), value]),
    ]),
    ...seedsPart(run),
    ...samplingPart(run),
    el("h3", null, t("signatures")),
    rows(t("signatures"), Object.entries(run.signatures).map(([task, text]) => [run.statuses[task] ? `${task} (${statusText(run.statuses[task])})` : task, text])),
    el("h3", null, t("files")),
    el("ul", { class: "mono" }, ...run.files.map((file) => el("li", null, label(file, 500)))),
    el("form", { method: "dialog" }, el("button", { class: "primary" }, t("close"))));
  dialog.showModal();
}
