// What became of the answers, and what tokenizers make of the questions.

const scopeRuns = () => leaderboard().rows.map((row) => row.run);
const shortColumns = () => leaderboard().columns.filter((column) => column.level === "dataset");

/** What can be looked at: all datasets together (""), each dataset, MT-Bench. Column names. */
function scopes() {
  const there = new Set(scopeRuns().flatMap((run) => Object.keys(runs[run].failures)));
  const jaster = shortColumns().map((column) => column.name).filter((name) => there.has(name));
  const rated = leaderboard().columns.filter((column) => column.scale === 10 && there.has(column.name)).map((column) => column.name);
  return [...(jaster.length ? [""] : []), ...jaster, ...rated];
}

/** Outcomes of a run in the chosen scope: one dataset, or all but MT-Bench. */
function outcomesOf(run) {
  const own = runs[run].failures;
  if (state.scope) return own[state.scope] ?? null;
  const average = leaderboard().columns.find((column) => column.level === "average" && column.scale === 1);
  const datasets = shortColumns().map((column) => column.name).filter((name) => own[name]);
  if (!datasets.length) return null;
  const counts = {};
  for (const name of datasets) for (const [code, count] of Object.entries(own[name].counts)) counts[code] = (counts[code] ?? 0) + count;
  const forms = datasets.map((name) => own[name].form).filter((form) => form !== null);
  const row = rowOf(run);
  return {
    counts,
    score: average ? scored(row, average.name) : null,
    recovered: average ? runs[run].recovered[average.name] ?? null : null,
    form: forms.length ? mean(forms) : null,
  };
}

function drawFailures() {
  const options = scopes();
  if (!options.includes(state.scope)) state.scope = options[0] ?? "";
  const chooser = $("failure-scope");
  fill(chooser, ...options.map((name) => el("option", { value: name, selected: name === state.scope }, name ? columnOf(leaderboard(), name).label.replace(/^AVG_/, "") : t("allDatasets"))));
  const found = scopeRuns().map((run) => [run, outcomesOf(run)]).filter(([, own]) => own);
  if (!found.length) {
    undrawn("outcomes", t("outcomes"), t("noFailures"));
    fill($("failure-table"));
    return;
  }
  const codes = OUTCOMES.filter((code) => found.some(([, own]) => own.counts[code]));
  const totals = found.map(([, own]) => Object.values(own.counts).reduce((sum, count) => sum + count, 0));
  draw("outcomes", t("outcomes"), {
    legend: { show: true, bottom: 0, textStyle: { color: css("--ink") }, itemWidth: 14, itemHeight: 10 },
    grid: grid({ right: 24, top: 8, bottom: narrow() ? 52 : 32 }),
    tooltip: { ...base().tooltip, trigger: "axis", axisPointer: { type: "shadow" }, formatter: (own) => {
      const at = own[0].dataIndex;
      return [label(runs[found[at][0]].key), ...codes.map((code) => `${t(outcomeNames[code])}  ${found[at][1].counts[code] ?? 0} (${percent((found[at][1].counts[code] ?? 0) / totals[at])})`)].join("\n");
    } },
    xAxis: axis("", { type: "value", max: 1, axisLabel: { color: css("--muted"), formatter: (value) => `${Math.round(100 * value)} %` } }),
    yAxis: axis("", { type: "category", inverse: true, data: found.map(([run]) => shortName(runs[run])), axisLabel: { color: css("--ink"), width: narrow() ? 110 : 220, overflow: "truncate" }, splitLine: { show: false } }),
    series: codes.map((code) => ({
      type: "bar",
      stack: "all",
      name: t(outcomeNames[code]),
      itemStyle: { color: outcomeColour(code) },
      barMaxWidth: 22,
      data: found.map(([, own], at) => (own.counts[code] ?? 0) / totals[at]),
    })),
  }, [
    [t("model"), ...codes.map((code) => t(outcomeNames[code]))],
    ...found.map(([run, own], at) => [label(runs[run].key), ...codes.map((code) => percent((own.counts[code] ?? 0) / totals[at]))]),
  ], 76 + found.length * (found.length > 12 ? 22 : 30));
  fill($("failure-table"), failureTable(found, codes));
}

function failureTable(found, codes) {
  const scale = state.scope ? columnOf(leaderboard(), state.scope).scale : 1;
  const withForm = found.some(([, own]) => own.form !== null);
  const withRecovered = found.some(([, own]) => own.recovered !== null);
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("failures") }, el("table", { class: "plain failures" },
    el("caption", { class: "hidden" }, t("failures")),
    el("thead", null, el("tr", null,
      el("th", { scope: "col" }, t("model")),
      el("th", { scope: "col", class: "num" }, t("score")),
      withRecovered ? el("th", { scope: "col", class: "num" }, t("recovered")) : null,
      withRecovered ? el("th", { scope: "col", class: "num" }, t("gain")) : null,
      withForm ? el("th", { scope: "col", class: "num", title: t("formTitle") }, t("form")) : null,
      ...codes.map((code) => el("th", { scope: "col", class: "num" }, el("span", { class: "dot", vars: { "--own": outcomeColour(code) } }), t(outcomeNames[code]))))),
    el("tbody", null, ...found.map(([run, own]) => {
      const gain = own.recovered !== null && own.score !== null ? own.recovered - own.score : null;
      return el("tr", null,
        el("th", { scope: "row", class: "model" }, modelName(runs[run])),
        el("td", { class: "num" }, number(own.score, scale)),
        withRecovered ? el("td", { class: "num" }, number(own.recovered)) : null,
        withRecovered ? el("td", { class: `num${gain > 0.02 ? " gain" : ""}` }, gain === null ? "–" : `+${gain.toFixed(4)}`) : null,
        withForm ? el("td", { class: "num" }, percent(own.form)) : null,
        ...codes.map((code) => el("td", { class: "num" }, own.counts[code]
          ? el("button", { type: "button", class: "link", on: { click: () => showAnswers(run, code) } }, String(own.counts[code]))
          : "0")));
    }))));
}

/** Open the question browser at the answers of one kind. */
function showAnswers(run, code) {
  const own = core.sets.find((set) => set.scope === state.scope && set.runs[run]);
  if (!state.selected.includes(run)) state.selected = [...state.selected, run];
  state.filter = { set: own?.id ?? WITHOUT_MTBENCH, category: "", outcome: code, model: run, text: "" };
  state.page = 0;
  state.question = null;
  changed("selected", "filter", "question");
  $("questions").scrollIntoView();
  $("found").focus?.();
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
  draw("efficiency", t("tokens"), {
    grid: grid({ right: 48, top: 8 }),
    tooltip: { ...base().tooltip, formatter: (own) => `${label(runs[known[own.dataIndex]].key)}\n${own.value.toFixed(2)} ${t("perToken")}` },
    xAxis: axis(t("perToken"), { type: "value", min: 0 }),
    yAxis: axis("", { type: "category", inverse: true, data: known.map((run) => shortName(runs[run])), axisLabel: { color: css("--ink"), width: narrow() ? 110 : 220, overflow: "truncate" }, splitLine: { show: false } }),
    series: [{
      type: "bar",
      barMaxWidth: 22,
      label: { show: true, position: "right", color: css("--ink"), formatter: (own) => own.value.toFixed(2) },
      data: known.map((run) => ({ value: runs[run].tokens.total, itemStyle: { color: colour(run) } })),
    }],
  }, [
    [t("model"), t("all"), ...datasets],
    ...known.map((run) => [label(runs[run].key), runs[run].tokens.total.toFixed(2), ...datasets.map((name) => runs[run].tokens.datasets[name]?.toFixed(2) ?? "–")]),
  ], 76 + known.length * 30);
  fill($("token-notes"), notes.length
    ? el("ul", { class: "muted" }, ...notes.map((run) => el("li", null, el("bdi", null, label(runs[run].key)), ": ", label(runs[run].tokens.why ?? "", 300))))
    : null);
}

view(["leaderboard", "scope", "language", "theme", "width"], drawFailures);
view(["leaderboard", "language", "theme", "width"], drawTokens);
