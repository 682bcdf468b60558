// The ranking tables, one per leaderboard, the bar with the selected models, and the dialog with a run's settings.

const levelRank = { overall: 0, average: 1, category: 2, dataset: 3 };
const columnOf = (own, name) => own.columns.find((column) => column.name === name);

/** Columns that the table shows: datasets only when asked for, or when there is nothing above them. */
function shownColumns(own) {
  const datasets = state.datasets || columnOf(own, own.primary).level === "dataset";
  return own.columns.filter((column) => datasets || column.level !== "dataset");
}

function sortValue(row, name) {
  const run = runs[row.run];
  if (name === "model") return run.key.toLowerCase();
  if (name === "seconds" || name === "asked" || name === "date" || name === "judge") return run[name];
  if (name === "shots") return run.shots.join(",");
  return row.scores[name]?.[0] ?? null;
}

function sortedRows(own) {
  const { column, down } = state.sort;
  const name = column ?? own.primary;
  return [...own.rows].sort((a, b) => {
    const [x, y] = [sortValue(a, name), sortValue(b, name)];
    if (x === null || y === null) return (x === null) - (y === null); // what is missing stands last either way
    const order = x < y ? -1 : x > y ? 1 : 0;
    return down ? -order : order;
  });
}

function header(own, name, text, properties = {}) {
  const active = (state.sort.column ?? own.primary) === name;
  const arrow = el("span", { class: "arrow", "aria-hidden": "true" }, active ? (state.sort.down ? "▼" : "▲") : "");
  return el(
    "th",
    { scope: "col", "aria-sort": active ? (state.sort.down ? "descending" : "ascending") : null, ...properties },
    el("button", { type: "button", class: "sort", "data-sort": name, on: { click: () => {
      state.sort = active ? { column: name, down: !state.sort.down } : { column: name, down: name !== "model" };
      changed("sort");
      document.querySelector(`#leaderboards [data-leaderboard="${core.leaderboards.indexOf(own)}"] [data-sort="${name}"]`)?.focus();
    } } }, text, arrow),
  );
}

function missingText([names, total]) {
  return t("missing", { what: names.map((name) => label(name)).join(", "), present: total - names.length, total });
}

function scoreCell(own, row, column, best) {
  const score = row.scores[column.name];
  const classes = `score ${column.level}`;
  if (!score) {
    const why = row.missing[column.name] ? missingText(row.missing[column.name]) : "";
    return el("td", { class: `${classes} missing`, title: why }, el("span", { "aria-label": why }, "–"));
  }
  const [value, low, high] = score;
  const title = low === null ? null : t("interval", { low: number(low, column.scale), high: number(high, column.scale) });
  const bar = { "--value": `${Math.max(0, Math.min(1, value / column.scale)) * 100}%` };
  return el(
    "td",
    { class: `${classes}${value === best ? " best" : ""}`, title, vars: bar, "data-value": value },
    el("span", { class: "value" }, number(value, column.scale)),
    column.level === "overall" || column.level === "average"
      ? el("span", { class: "interval" }, low === null ? "" : `${number(low, column.scale)}–${number(high, column.scale)}`)
      : null,
  );
}

function rankCell(own, row) {
  const interval = row.ranks[own.primary];
  const text = row.rank === null ? "–" : String(row.rank);
  const [, low, high, count] = interval ?? [];
  const title = row.rank === null
    ? t("noRank", { score: columnOf(own, own.primary).label })
    : interval ? t("rankInterval", { rank: row.rank, low, high, runs: count }) : t("rankOnly", { rank: row.rank });
  return el("td", { class: "rank", title }, el("span", { class: "value" }, text), interval ? el("span", { class: "interval" }, `${low}–${high}`) : null);
}

function modelCell(row) {
  const run = runs[row.run];
  return el(
    "th",
    { scope: "row", class: "model" },
    el("label", null,
      el("input", { type: "checkbox", checked: state.selected.includes(row.run), "data-run": row.run, "aria-label": t("select", { model: label(run.key) }), on: { change: (event) => {
        select(row.run, event.target.checked);
      } } }),
      state.selected.includes(row.run) ? swatch(row.run) : el("span", { class: "swatch off", "aria-hidden": "true" }),
      modelName(run),
    ),
    el("span", { class: "chips" },
      el("span", { class: "chip" }, label(run.backend)),
      run.chat ? el("span", { class: "chip" }, t("chat")) : null,
    ),
  );
}

function select(run, on) {
  const inLeaderboard = core.leaderboards.findIndex((own) => own.rows.some((row) => row.run === run));
  if (!leaderboard().rows.some((row) => row.run === run)) {
    state.leaderboard = inLeaderboard;
    state.selected = [];
    state.sort = { column: null, down: true };
    state.selected = on ? [run] : [];
    changed("leaderboard", "selected");
  } else {
    state.selected = on ? [...new Set([...state.selected, run])] : state.selected.filter((own) => own !== run);
    changed("selected");
  }
  document.querySelector(`#leaderboards input[data-run="${run}"]`)?.focus();
}

const topRuns = (own, most) => own.rows.slice(0, most).map((row) => row.run);

function leaderboardTable(own, index) {
  const columns = shownColumns(own);
  const rows = sortedRows(own);
  const best = Object.fromEntries(columns.map((column) => [
    column.name, Math.max(...rows.map((row) => row.scores[column.name]?.[0] ?? -Infinity)),
  ]));
  const judged = own.rows.some((row) => runs[row.run].judge);
  const primary = columnOf(own, own.primary).label;
  const head = el("tr", null,
    el("th", { scope: "col", class: "rank", title: t("rankTitle", { score: primary }) }, t("rank")),
    header(own, "model", t("model"), { class: "model" }),
    ...columns.map((column, number) => header(own, column.name, column.label, {
      class: `score ${column.level}${number && columns[number - 1].parent !== column.parent ? " first" : ""}`,
    })),
    header(own, "asked", t("samples"), { title: t("samplesTitle"), class: "first" }),
    header(own, "shots", t("shots")),
    judged ? header(own, "judge", t("judge")) : null,
    header(own, "seconds", t("time")),
    header(own, "date", t("date")),
    el("th", { scope: "col" }, t("signature")),
  );
  const body = rows.map((row) => {
    const run = runs[row.run];
    return el("tr", { class: state.selected.includes(row.run) ? "on" : "" },
      rankCell(own, row),
      modelCell(row),
      ...columns.map((column) => scoreCell(own, row, column, best[column.name])),
      el("td", { class: "num" }, run.asked.toLocaleString()),
      el("td", { class: "num" }, run.shots.join(", ") || "0"),
      judged ? el("td", null, el("bdi", null, run.judge ? label(run.judge, 30) : "–"), run.unscored ? el("span", { class: "chip warn" }, `${t("unscored")} ${run.unscored}`) : null) : null,
      el("td", { class: "num" }, duration(run.seconds)),
      el("td", { class: "num" }, run.date ?? "–"),
      el("td", null, el("button", { type: "button", class: "link mono", "aria-label": t("signatureOf", { model: label(run.key) }), on: { click: () => showRun(row.run) } }, run.signature)),
    );
  });
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": leaderboardTitle(own, index) },
    el("table", { class: "ranking", "data-leaderboard": index },
      el("caption", { class: "hidden" }, leaderboardTitle(own, index)),
      el("thead", null, head),
      el("tbody", null, ...body)));
}

function leaderboardTitle(own, index) {
  const several = core.leaderboards.length > 1 ? ` · ${t("leaderboard", { n: index + 1 })}` : "";
  return `${own.title}${several}`;
}

function settingsLine(own) {
  const names = ["n", "shots", "style", "gen", "judge", "judge_prompts", "judge_repeats", "split"];
  return names.filter((name) => own.settings[name]).map((name) => `${name} ${label(own.settings[name], 60)}`).join(" · ");
}

function differences(own) {
  return el("div", { class: "differs" },
    el("strong", null, t("incomparable")),
    el("ul", null, ...own.differences.map((difference) => el("li", null, t(difference.tasks > 1 ? "differsIn" : "differs", {
      setting: difference.setting, here: label(difference.here, 120), there: label(difference.there, 120), tasks: difference.tasks,
    })))));
}

function drawLeaderboards() {
  fill($("leaderboards"), ...core.leaderboards.map((own, index) => el("div", { class: `leaderboard${index === state.leaderboard ? " current" : ""}` },
    el("div", { class: "leaderboard-head" },
      el("h3", null, leaderboardTitle(own, index), own.sample ? el("span", { class: "chip warn" }, "sample") : null),
      el("span", { class: "muted mono" }, settingsLine(own)),
      el("span", { class: "grow" }),
      core.leaderboards.length > 1 ? el("button", { type: "button", class: "quiet", "aria-pressed": index === state.leaderboard ? "true" : "false", on: { click: () => showLeaderboard(index) } }, t(index === state.leaderboard ? "leaderboardShown" : "useLeaderboard")) : null,
      index === 0 ? el("button", { type: "button", class: "quiet", id: "datasets", "aria-pressed": String(state.datasets), on: { click: () => {
        state.datasets = !state.datasets;
        changed("datasets");
        $("datasets").focus();
      } } }, t(state.datasets ? "showCategories" : "showDatasets")) : null,
    ),
    own.differences.length ? differences(own) : null,
    leaderboardTable(own, index))));
}

function showLeaderboard(index) {
  state.leaderboard = index;
  state.sort = { column: null, down: true };
  state.selected = topRuns(leaderboard(), 5);
  state.scope = "";
  changed("leaderboard", "selected");
}

function drawSelection() {
  const chips = state.selected.map((run) => el("button", { type: "button", class: "chip pick", title: label(runs[run].key, 300), on: { click: () => select(run, false) } },
    swatch(run), el("bdi", null, shortName(runs[run])), el("span", { "aria-hidden": "true" }, "×")));
  const all = leaderboard().rows.map((row) => row.run);
  const button = (text, chosen) => el("button", { type: "button", class: "quiet", on: { click: () => {
    state.selected = chosen;
    changed("selected");
  } } }, text);
  fill($("selection"),
    el("span", { class: "muted" }, t("compare")),
    ...(chips.length ? chips : [el("span", null, t("none"))]),
    el("span", { class: "grow" }),
    all.length > 5 ? button(t("top"), topRuns(leaderboard(), 5)) : null,
    button(t("all"), all),
    button(t("clear"), []));
}

function showRun(place) {
  const run = runs[place];
  const rows = (entries) => el("table", { class: "plain" }, el("tbody", null, ...entries.map(([name, value]) => el("tr", null, el("th", { scope: "row" }, name), el("td", null, el("bdi", { class: "mono" }, label(value, 2000)))))));
  const dialog = $("dialog");
  fill(dialog,
    el("h2", { id: "dialog-h" }, el("bdi", null, label(run.key, 300))),
    rows([
      [t("backend"), run.backend],
      [t("date"), run.date ?? "–"],
      [t("time"), duration(run.seconds)],
      ["lm-eval", run.lmEval],
      ...(run.limit === null ? [] : [["--limit", String(run.limit)]]),
      ...Object.entries(run.args).map(([name, value]) => [label(name), value]),
    ]),
    el("h3", null, t("signatures")),
    rows(Object.entries(run.signatures)),
    el("h3", null, t("files")),
    el("ul", { class: "mono" }, ...run.files.map((file) => el("li", null, label(file, 500)))),
    el("form", { method: "dialog" }, el("button", { class: "primary" }, t("close"))));
  dialog.showModal();
}

view(["leaderboard", "selected", "sort", "datasets", "language", "theme"], drawLeaderboards);
view(["leaderboard", "selected", "language", "theme"], drawSelection);
