// What became of the answers, and what tokenizers make of the questions.

const scopeRuns = () => leaderboard().rows.map((row) => row.run);
/** Scores that a whole task has, in the order of the table: the ends of the tree, and tasks with categories of their own. */
const taskColumns = (own) => own.columns.filter((column) => core.sets.some((set) => set.scope === column.name) || scopeRuns().some((run) => runs[run].failures[column.name]));
const isRated = (name) => core.sets.some((set) => set.scope === name && set.mtbench) || scopeRuns().some((run) => runs[run].failures[name]?.recovered === null && runs[run].failures[name]?.counts.r);

/** What can be looked at: all tasks with right answers together (""), and every task. Column names. */
function scopes() {
  const there = new Set(scopeRuns().flatMap((run) => Object.keys(runs[run].failures)));
  const names = taskColumns(leaderboard()).map((column) => column.name).filter((name) => there.has(name));
  const exact = names.filter((name) => !isRated(name));
  return [...(exact.length ? [""] : []), ...exact, ...names.filter(isRated)];
}

/** The score that tasks with right answers add up to: the nearest above all of them. */
function commonColumn(own, names) {
  const above = (name) => { const column = columnOf(own, name); return column ? [name, ...above(column.parent)] : []; };
  const inAverage = names.map((name) => above(name).slice(1)).filter((line) => line.length);
  return inAverage.length ? inAverage[0].find((name) => inAverage.every((line) => line.includes(name))) ?? null : null;
}

/** Outcomes of a run in the chosen scope: one task, or all that have right answers. */
function outcomesOf(run) {
  const own = runs[run].failures;
  if (state.scope) return own[state.scope] ?? null;
  const exact = scopes().slice(1).filter((name) => !isRated(name));
  const names = exact.filter((name) => own[name]);
  if (!names.length) return null;
  const average = commonColumn(leaderboard(), exact);
  const counts = {};
  for (const name of names) for (const [code, count] of Object.entries(own[name].counts)) counts[code] = (counts[code] ?? 0) + count;
  const forms = names.map((name) => own[name].form).filter((form) => form !== null);
  return {
    counts,
    score: average ? scored(rowOf(run), average) : null,
    recovered: average ? runs[run].recovered[average] ?? null : null,
    form: forms.length ? mean(forms) : null,
    long: names.some((name) => own[name].long !== null) ? names.reduce((sum, name) => sum + (own[name].long ?? 0), 0) : null,
  };
}

// Stripes repeat what the colours say; neighbours in the bar never share a pattern.
const PATTERNS = {
  c: null, p: { dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: 0.8 }, b: { symbol: "circle", dashArrayX: [[6, 6], [0, 6, 6, 0]], dashArrayY: [6, 0], symbolSize: 0.7 },
  t: { dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.8 }, e: null, l: { dashArrayX: [1, 0], dashArrayY: [1, 3], rotation: 1.57 },
  w: { dashArrayX: [[5, 5], [0, 5, 5, 0]], dashArrayY: [5, 0], symbol: "rect" }, r: null, u: { dashArrayX: [1, 0], dashArrayY: [1, 4], rotation: 0 },
  h: { symbol: "triangle", dashArrayX: [[4, 6], [0, 5, 4, 1]], dashArrayY: [5, 1], symbolSize: 0.8 },
};
const pattern = (code) => (PATTERNS[code] ? { symbol: "rect", ...PATTERNS[code], color: isDark() ? "#0006" : "#fff7" } : null);

function drawFailures() {
  const options = scopes();
  if (!options.includes(state.scope)) state.scope = options[0] ?? "";
  fill($("failure-scope"), ...options.map((name) => option(name, name ? columnOf(leaderboard(), name).label : t("allDatasets"), state.scope)));
  const found = scopeRuns().map((run) => [run, outcomesOf(run)]).filter(([, own]) => own);
  if (!found.length) {
    undrawn("outcomes", t("outcomes"), t("noFailures"));
    fill($("failure-table"));
    return;
  }
  const codes = OUTCOMES.filter((code) => found.some(([, own]) => own.counts[code]));
  const totals = found.map(([, own]) => Object.values(own.counts).reduce((sum, count) => sum + count, 0));
  const share = (at, code) => (found[at][1].counts[code] ?? 0) / totals[at];
  const name = (code) => `${ICONS[code]} ${t(outcomeNames[code])}`;
  draw("outcomes", {
    title: t("outcomes"),
    height: 96 + found.length * (found.length > 12 ? 22 : 30),
    option: (width) => ({
      legend: { show: true, bottom: 0, textStyle: { color: css("--ink") }, itemWidth: 18, itemHeight: 12, selectedMode: false },
      grid: grid({ right: 24, top: 8, bottom: width < 620 ? 72 : 40 }),
      tooltip: { ...base().tooltip, trigger: "axis", axisPointer: { type: "shadow" }, formatter: (hit) => {
        const at = hit[0].dataIndex;
        return [label(runs[found[at][0]].key), ...codes.map((code) => `${name(code)}  ${found[at][1].counts[code] ?? 0} (${percent(share(at, code))})`)].join("\n");
      } },
      xAxis: axis("", { type: "value", max: 1, axisLabel: { color: css("--muted"), formatter: (value) => `${Math.round(100 * value)} %` } }),
      yAxis: axis("", { type: "category", inverse: true, data: found.map(([run]) => shortName(runs[run])), axisLabel: { color: css("--ink"), width: width < 620 ? 110 : 220, overflow: "truncate", interval: 0 }, splitLine: { show: false } }),
      series: codes.map((code) => ({
        type: "bar",
        stack: "all",
        name: name(code),
        itemStyle: { color: css(`--o-${code}`), decal: pattern(code), borderColor: css("--panel"), borderWidth: 0.5 },
        barMaxWidth: 22,
        label: { formatter: () => ICONS[code], color: css("--ink"), fontSize: 10, backgroundColor: css("--panel"), padding: [1, 2], borderRadius: 2 },
        data: found.map((_, at) => ({ value: share(at, code), label: { show: share(at, code) * width > 25 } })),
      })),
    }),
    table: [
      [t("model"), ...codes.map((code) => t(outcomeNames[code]))],
      ...found.map(([run], at) => [label(runs[run].key), ...codes.map((code) => percent(share(at, code)))]),
    ],
  });
  fill($("failure-table"), ...failureTable(found, codes));
}

function failureTable(found, codes) {
  const scale = state.scope ? columnOf(leaderboard(), state.scope).scale : 1;
  const withForm = found.some(([, own]) => own.form !== null);
  const withRecovered = found.some(([, own]) => own.recovered !== null);
  const withLong = found.some(([, own]) => own.long !== null);
  const long = (own) => (own.long === null ? "–" : String(own.long));
  const gain = (own) => (own.recovered !== null && own.score !== null ? own.recovered - own.score : null);
  const gainText = (own) => (gain(own) === null ? "–" : `+${gain(own).toFixed(4)}`);
  const head = [t("model"), t("score"), ...(withRecovered ? [t("recovered"), t("gain")] : []), ...(withForm ? [t("form")] : [])];
  const data = () => ({
    title: t("failures"),
    head: [...head, ...codes.map((code) => t(outcomeNames[code])), ...(withLong ? [t("longGolds")] : [])],
    rows: found.map(([run, own]) => [runs[run].key, number(own.score, scale), ...(withRecovered ? [number(own.recovered), gainText(own)] : []), ...(withForm ? [percent(own.form)] : []), ...codes.map((code) => String(own.counts[code] ?? 0)), ...(withLong ? [long(own)] : [])]),
  });
  const table = el("table", { class: "plain failures" },
    el("caption", { class: "hidden" }, t("failures")),
    el("thead", null, el("tr", null,
      ...head.map((text, at) => el("th", { scope: "col", class: at ? "num" : null, title: text === t("form") ? t("formTitle") : null }, text)),
      ...codes.map((code) => el("th", { scope: "col", class: "num" }, el("span", { class: "dot", vars: { "--own": outcomeColour(code) } }), `${ICONS[code]} ${t(outcomeNames[code])}`)),
      withLong ? el("th", { scope: "col", class: "num", title: t("longGoldsTitle") }, t("longGolds")) : null)),
    el("tbody", null, ...found.map(([run, own]) => el("tr", null,
      el("th", { scope: "row", class: "model" }, modelName(runs[run])),
      el("td", { class: "num" }, number(own.score, scale)),
      withRecovered ? el("td", { class: "num" }, number(own.recovered)) : null,
      withRecovered ? el("td", { class: `num${gain(own) > 0.02 ? " gain" : ""}` }, gainText(own)) : null,
      withForm ? el("td", { class: "num" }, percent(own.form)) : null,
      ...codes.map((code) => el("td", { class: "num" }, own.counts[code]
        ? el("button", { type: "button", class: "link", "aria-label": t("showAnswers", { n: own.counts[code], outcome: t(outcomeNames[code]), model: label(runs[run].key) }), on: { click: () => showAnswers(run, code) } }, String(own.counts[code]))
        : "0")),
      withLong ? el("td", { class: "num" }, long(own)) : null))));
  return [el("div", { class: "table-head" }, tableTools(data)), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("tableOf", { title: t("failures") }) }, table)];
}

/** Open the question browser at the answers of one kind. */
function showAnswers(run, code) {
  const exact = core.sets.filter((set) => (state.scope ? set.scope === state.scope : !set.mtbench) && set.runs[run]);
  if (!state.selected.includes(run)) choose([...state.selected, run]);
  state.filter = { ...noFilter(), sets: exact.map((set) => set.id), outcome: code, model: run };
  state.page = 0;
  state.question = null;
  changed("selected", "filter", "question");
  go("questions");
  $("found").focus({ preventScroll: true });
}

function drawTokens() {
  const known = scopeRuns().filter((run) => runs[run].tokens.total);
  const notes = scopeRuns().filter((run) => !runs[run].tokens.total);
  if (!known.length) {
    undrawn("efficiency", t("tokens"), t("noTokens"));
    fill($("token-notes"));
    return;
  }
  const datasets = [...new Set(known.flatMap((run) => Object.keys(runs[run].tokens.datasets)))];
  draw("efficiency", {
    title: t("tokens"),
    height: 76 + known.length * 30,
    option: (width) => ({
      grid: grid({ right: 48, top: 8 }),
      tooltip: { ...base().tooltip, formatter: (own) => `${label(runs[known[own.dataIndex]].key)}\n${own.value.toFixed(2)} ${t("perToken")}` },
      xAxis: axis(t("perToken"), { type: "value", min: 0 }),
      yAxis: axis("", { type: "category", inverse: true, data: known.map((run) => shortName(runs[run])), axisLabel: { color: css("--ink"), width: width < 620 ? 110 : 220, overflow: "truncate", interval: 0 }, splitLine: { show: false } }),
      series: [{
        type: "bar",
        barMaxWidth: 22,
        label: { show: true, position: "right", color: css("--ink"), formatter: (own) => own.value.toFixed(2) },
        data: known.map((run) => ({ value: runs[run].tokens.total, itemStyle: { color: css("--accent") } })),
      }],
    }),
    table: [
      [t("model"), t("all"), ...datasets],
      ...known.map((run) => [label(runs[run].key), runs[run].tokens.total.toFixed(2), ...datasets.map((name) => runs[run].tokens.datasets[name]?.toFixed(2) ?? "–")]),
    ],
  });
  fill($("token-notes"), notes.length
    ? el("ul", { class: "muted" }, ...notes.map((run) => el("li", null, el("bdi", null, label(runs[run].key)), ": ", label(runs[run].tokens.why ?? "", 300))))
    : null);
}

$("failure-scope").addEventListener("change", (event) => {
  state.scope = event.target.value;
  changed("scope");
});
view($("failures"), ["leaderboard", "scope", "language", "theme", "width"], drawFailures);
view($("tokens"), ["leaderboard", "language", "theme", "width"], drawTokens);
