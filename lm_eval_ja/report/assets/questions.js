// The question browser: filters, full-text search, the list, and the answers side by side.

const PAGE = 50;
const DISAGREE = "x";
const SPREAD = 3; // ratings this far apart are a disagreement
let found = [];
let searchNumber = 0;

const setsHere = () => {
  const there = leaderboard().rows.map((row) => String(row.run));
  const names = new Set(leaderboard().columns.map((column) => column.name));
  return core.sets.filter((own) => names.has(own.scope) && there.some((run) => own.runs[run]));
};

function drawFilters() {
  const { filter } = state;
  const sets = setsHere();
  const inFilter = (own) => !filter.set || (filter.set === WITHOUT_MTBENCH ? !own.mtbench : own.id === filter.set);
  if (filter.set && filter.set !== WITHOUT_MTBENCH && !sets.some((own) => own.id === filter.set)) filter.set = "";
  const option = (value, text, current) => el("option", { value, selected: String(value) === String(current) }, text);
  fill($("f-set"),
    option("", t("any"), filter.set),
    sets.some((own) => own.mtbench) && sets.some((own) => !own.mtbench) ? option(WITHOUT_MTBENCH, t("allDatasets"), filter.set) : null,
    ...sets.map((own) => option(own.id, `${label(own.label)} (${own.ids.length})`, filter.set)));
  const categories = [...new Set(sets.filter(inFilter).flatMap((own) => own.categories))].filter(Boolean);
  if (!categories.includes(filter.category)) filter.category = "";
  fill($("f-category"), option("", t("any"), filter.category), ...categories.map((name) => option(name, label(name), filter.category)));
  const codes = OUTCOMES.filter((code) => sets.some((own) => Object.values(own.runs).some((run) => run.outcomes.includes(code))));
  fill($("f-outcome"), option("", t("any"), filter.outcome), ...codes.map((code) => option(code, `${ICONS[code]} ${t(outcomeNames[code])}`, filter.outcome)), option(DISAGREE, `≠ ${t("disagree")}`, filter.outcome));
  fill($("f-model"), option("", t("anySelected"), filter.model), ...leaderboard().rows.map((row) => option(row.run, label(runs[row.run].key), filter.model)));
  $("f-model").disabled = !filter.outcome || filter.outcome === DISAGREE;
  if (document.activeElement !== $("f-text")) $("f-text").value = filter.text;
  $("f-text").placeholder = t("searchHint");
}

/** Whether a question passes the filters other than the text. */
function passes(own, at) {
  const { filter } = state;
  if (filter.category && own.categories[own.category[at]] !== filter.category) return false;
  if (!filter.outcome) return true;
  const asked = (filter.model === "" ? state.selected : [filter.model]).map((run) => own.runs[run]).filter(Boolean);
  if (filter.outcome !== DISAGREE) return asked.some((run) => run.outcomes[at] === filter.outcome);
  const chosen = state.selected.map((run) => own.runs[run]).filter((run) => run && run.outcomes[at] !== ".");
  if (own.mtbench) {
    const scores = chosen.map((run) => run.scores[at]).filter((score) => score !== null);
    return scores.length > 1 && Math.max(...scores) - Math.min(...scores) >= SPREAD;
  }
  return chosen.some((run) => run.outcomes[at] === "c") && chosen.some((run) => run.outcomes[at] !== "c");
}

const fold = (text) => text.normalize("NFKC").toLowerCase();

/** Whether the wanted text occurs in a question or in an answer of one of the runs. */
function contains(own, block, at, wanted, asked) {
  const has = (text) => typeof text === "string" && fold(text).includes(wanted);
  if (has(own.ids[at]) || has(block.input[at]) || has(block.gold[at])) return true;
  if (block.turns?.[at].some(([question]) => has(question))) return true;
  return asked.some((run) => {
    const said = block.runs[run]?.[at];
    if (!said) return false;
    return own.mtbench
      ? said.some((turn) => has(turn[1]) || turn[6].some((judgment) => has(judgment[1])))
      : has(said[1]) || has(said[2]);
  });
}

async function findQuestions() {
  const number = (searchNumber += 1);
  const { filter } = state;
  const sets = setsHere().filter((own) => !filter.set || (filter.set === WITHOUT_MTBENCH ? !own.mtbench : own.id === filter.set));
  const candidates = sets.map((own) => [own, own.ids.map((_, at) => at).filter((at) => passes(own, at))]);
  const wanted = fold(filter.text.trim());
  const hits = [];
  if (wanted && canUnpack) $("found").textContent = t("searching");
  for (const [own, places] of candidates) {
    if (!wanted) {
      hits.push(...places.map((at) => [own.id, at]));
    } else if (canUnpack && places.length) {
      const block = await texts(own.id);
      if (number !== searchNumber) return; // a newer search is on its way
      const asked = state.selected.length ? state.selected : Object.keys(own.runs);
      hits.push(...places.filter((at) => contains(own, block, at, wanted, asked)).map((at) => [own.id, at]));
    }
  }
  found = hits;
  const place = state.question ? found.findIndex(([id, at]) => id === state.question[0] && at === state.question[1]) : -1;
  if (place >= 0) state.page = Math.floor(place / PAGE);
  state.page = Math.min(state.page, Math.max(0, Math.ceil(found.length / PAGE) - 1));
  const total = setsHere().reduce((sum, own) => sum + own.ids.length, 0);
  $("found").textContent = total ? t("found", { n: found.length.toLocaleString(), total: total.toLocaleString() }) : t("noQuestions");
  drawList();
}

function drawList() {
  const pages = Math.ceil(found.length / PAGE);
  const shown = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
  fill($("list"), ...shown.map(([id, at]) => listItem(byId.get(id), at)));
  const turn = (by) => el("button", { type: "button", class: "quiet", disabled: state.page + by < 0 || state.page + by >= pages, on: { click: () => {
    state.page += by;
    drawList();
    $("list").querySelector("button")?.focus();
  } } }, t(by < 0 ? "previous" : "next"));
  const current = $("list").querySelector("[aria-current]");
  if (current) $("list").scrollTop = current.offsetTop - $("list").offsetTop - 40;
  fill($("pager"), ...(pages > 1 ? [turn(-1), el("span", { class: "muted" }, t("page", { n: state.page + 1, total: pages })), turn(1)] : []));
}

function outcomeBadge(own, run, at, long = false) {
  const code = own.runs[run]?.outcomes[at] ?? ".";
  if (code === ".") return long ? null : el("span", { class: "badge none", "aria-hidden": "true" }, "·");
  const score = own.runs[run].scores[at];
  const name = t(outcomeNames[code]);
  const short = code === "r" ? String(Math.round(score)) : ICONS[code];
  return el("span", { class: `badge${long ? " long" : ""}`, vars: { "--own": outcomeColour(code) }, title: long ? null : `${shortName(runs[run])}: ${name}`, role: long ? null : "img", "aria-label": long ? null : `${shortName(runs[run])}: ${name}` },
    long ? `${ICONS[code]} ${name}` : short);
}

function listItem(own, at) {
  const current = state.question && state.question[0] === own.id && state.question[1] === at;
  const snippet = el("bdi", { class: "snippet" }, "");
  if (canUnpack) texts(own.id).then((block) => {
    snippet.textContent = label(block.input[at].replace(/^(?:前提|質問|文章|問題)：/u, ""), 90);
  });
  return el("li", null, el("button", { type: "button", class: "item", "aria-current": current ? "true" : null, "data-question": `${own.label}/${own.ids[at]}`, on: { click: () => openQuestion(own.id, at) } },
    el("span", { class: "item-head" },
      el("span", { class: "mono" }, label(own.ids[at], 60)),
      el("span", { class: "chip" }, label(own.categories[own.category[at]] || own.dataset)),
      el("span", { class: "badges" }, ...state.selected.slice(0, 12).map((run) => outcomeBadge(own, run, at)))),
    snippet));
}

function openQuestion(id, at) {
  state.question = [id, at];
  changed("question");
  for (const button of $("list").querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
  $("list").querySelector(`[data-question="${CSS.escape(`${byId.get(id).label}/${byId.get(id).ids[at]}`)}"]`)?.setAttribute("aria-current", "true");
  if (narrow()) $("detail").scrollIntoView();
  $("detail").focus({ preventScroll: true });
}

function step(by) {
  const at = found.findIndex(([id, place]) => state.question && id === state.question[0] && place === state.question[1]);
  const next = found[at + by];
  if (!next) return;
  const page = Math.floor((at + by) / PAGE);
  if (page !== state.page) {
    state.page = page;
    drawList();
  }
  openQuestion(...next);
}

async function drawDetail() {
  const detail = $("detail");
  if (!state.question) {
    fill(detail, el("p", { class: "muted empty" }, t(core.sets.length ? "pick" : "noQuestions")));
    return;
  }
  if (!canUnpack) {
    fill(detail, el("p", { class: "muted empty" }, t("noUnpack")));
    return;
  }
  const [id, at] = state.question;
  if (!unpacked.has(id)) fill(detail, el("p", { class: "muted empty" }, t("loadingTexts")));
  const own = byId.get(id);
  const block = await texts(id);
  if (!state.question || state.question[0] !== id || state.question[1] !== at) return;
  const copy = el("button", { type: "button", class: "quiet", on: { click: async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      copy.textContent = t("copied");
    } catch {
      window.prompt(t("copy"), location.href);
    }
  } } }, t("copy"));
  fill(detail,
    el("div", { class: "detail-head" },
      el("button", { type: "button", class: "quiet only-narrow", on: { click: () => $("filters").scrollIntoView() } }, t("back")),
      el("h3", null, el("bdi", { class: "mono" }, label(own.ids[at], 120))),
      el("span", { class: "chip" }, label(own.label)),
      own.categories[own.category[at]] ? el("span", { class: "chip" }, label(own.categories[own.category[at]])) : null,
      el("span", { class: "grow" }),
      el("button", { type: "button", class: "quiet", on: { click: () => step(-1) }, "aria-keyshortcuts": "k" }, t("previous")),
      el("button", { type: "button", class: "quiet", on: { click: () => step(1) }, "aria-keyshortcuts": "j" }, t("next")),
      copy),
    ...(own.mtbench ? conversation(own, block, at) : singleTurn(own, block, at)));
}

const part = (name, ...content) => el("div", { class: "part" }, el("h4", null, name), ...content);
const folded = (name, ...content) => el("details", null, el("summary", null, name), ...content);

function singleTurn(own, block, at) {
  const instruction = block.instructions[block.instruction[at]];
  return [
    el("div", { class: "asked" },
      instruction ? folded(t("instruction"), textBlock(instruction)) : null,
      part(t("input"), textBlock(block.input[at])),
      part(t("gold"), textBlock(block.gold[at], "gold"))),
    el("div", { class: "cards" }, ...cards(own, (run) => {
      const said = block.runs[run]?.[at];
      if (!said) return [el("p", { class: "muted" }, t("notAsked"))];
      const [prompt, output, prediction] = said;
      return [
        part(t("output"), textBlock(output)),
        prediction === null ? el("p", { class: "muted small" }, t("unchanged")) : part(t("prediction"), textBlock(prediction)),
        folded(t("prompt"), textBlock(block.prompts[prompt])),
      ];
    }, at)),
  ];
}

function conversation(own, block, at) {
  return block.turns[at].flatMap(([question, reference], turn) => [
    el("div", { class: "asked" },
      part(`${t("turn", { n: turn + 1 })} · ${t("user")}`, textBlock(question)),
      reference ? folded(t("reference"), textBlock(reference, "gold")) : null),
    el("div", { class: "cards" }, ...cards(own, (run) => {
      const said = block.runs[run]?.[at]?.[turn];
      return said ? turnParts(block, said) : [el("p", { class: "muted" }, t("notAsked"))];
    }, at, (run) => block.runs[run]?.[at]?.[turn]?.[3])),
  ]);
}

function turnParts(block, [prompt, raw, seen, rating, reason, spread, judgments]) {
  return [
    part(t("answer"), textBlock(seen ?? raw)),
    rating === null ? el("p", { class: "warn" }, t("unratedTurn", { reason: label(reason ?? "", 300) })) : null,
    spread === null ? null : el("p", { class: "muted small" }, t("spread", { spread: spread.toFixed(2) })),
    ...judgments.map(([own, text, judge]) => folded(
      `${t("judgment", { judge: label(judge, 60) })}${own === null ? "" : ` · ${t("rating", { rating: own })}`}`, textBlock(text))),
    seen === null ? null : folded(t("hidden"), textBlock(raw)),
    prompt === null ? null : folded(t("prompt"), textBlock(block.prompts[prompt])),
  ];
}

function cards(own, content, at, rating) {
  if (!state.selected.length) return [el("p", { class: "muted" }, t("noSelection"))];
  return state.selected.map((run) => {
    const score = rating ? rating(run) : own.runs[run]?.scores[at];
    return el("section", { class: "card", vars: { "--own": colour(run) }, "aria-label": label(runs[run].key) },
      el("header", null,
        modelName(runs[run]),
        outcomeBadge(own, run, at, true),
        score === null || score === undefined ? null : el("span", { class: "mono" }, rating ? t("rating", { rating: score.toFixed(1) }) : score.toFixed(2))),
      ...content(run).filter(Boolean));
  });
}

// ------------------------------------------------------------------------------------------------ events

function filterBy(name, value) {
  state.filter[name] = value;
  state.page = 0;
  changed("filter");
}

$("f-set").addEventListener("change", (event) => filterBy("set", event.target.value));
$("f-category").addEventListener("change", (event) => filterBy("category", event.target.value));
$("f-outcome").addEventListener("change", (event) => filterBy("outcome", event.target.value));
$("f-model").addEventListener("change", (event) => filterBy("model", event.target.value === "" ? "" : Number(event.target.value)));
let typing = 0;
$("f-text").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => filterBy("text", event.target.value), 180);
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("reset", (event) => {
  event.preventDefault();
  state.filter = { set: "", category: "", outcome: "", model: "", text: "" };
  $("f-text").value = "";
  state.page = 0;
  changed("filter");
});
$("list").addEventListener("keydown", (event) => {
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!move) return;
  event.preventDefault();
  const buttons = [...$("list").querySelectorAll("button")];
  buttons[buttons.indexOf(document.activeElement) + move]?.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(?:INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  if (event.key === "/") {
    event.preventDefault();
    $("f-text").focus();
  }
});

view(["leaderboard", "selected", "filter", "language"], () => {
  drawFilters();
  findQuestions();
});
view(["leaderboard", "selected", "question", "language", "theme"], () => {
  drawDetail();
});
