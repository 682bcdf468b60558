// Which questions the browser of questions lists: filters, and a search that looks into the texts.

const DISAGREE = "x";
const SPREAD = 3; // ratings this far apart are a disagreement
let found = [];
let searchNumber = 0;

const setsHere = () => {
  const there = leaderboard().rows.map((row) => String(row.run));
  const names = new Set(leaderboard().columns.map((column) => column.name));
  return core.sets.filter((own) => names.has(own.scope) && there.some((run) => own.runs[run]));
};

const inFilter = (own) => !state.filter.sets.length || state.filter.sets.includes(own.id);

function drawFilters() {
  const { filter } = state;
  const sets = setsHere();
  filter.sets = filter.sets.filter((id) => sets.some((own) => own.id === id));
  drawSetMenu(sets);
  const categories = [...new Set(sets.filter(inFilter).flatMap((own) => own.categories))].filter(Boolean);
  if (!categories.includes(filter.category)) filter.category = "";
  fill($("f-category"), option("", t("any"), filter.category), ...categories.map((name) => option(name, label(name), filter.category)));
  const codes = OUTCOMES.filter((code) => sets.some((own) => Object.values(own.runs).some((run) => run.outcomes.includes(code))));
  fill($("f-outcome"), option("", t("any"), filter.outcome), ...codes.map((code) => option(code, `${ICONS[code]} ${t(outcomeNames[code])}`, filter.outcome)), option(DISAGREE, `≠ ${t("disagree")}`, filter.outcome));
  fill($("f-model"), option("", t("anySelected"), filter.model), ...leaderboard().rows.map((row) => option(row.run, label(runs[row.run].key), filter.model)));
  $("f-model").disabled = !filter.outcome || filter.outcome === DISAGREE;
  if (document.activeElement !== $("f-text")) $("f-text").value = filter.text;
  $("f-text").placeholder = t("searchHint");
  fill($("f-where"), option("", t("searchSelected", { n: state.selected.length }), filter.everywhere ? "1" : ""), option("1", t("searchEverywhere", { n: leaderboard().rows.length }), filter.everywhere ? "1" : ""));
}

function drawSetMenu(sets) {
  const { filter } = state;
  const box = (own) => el("label", { class: "tick" }, el("input", { type: "checkbox", value: own.id, checked: filter.sets.includes(own.id), on: { change: (event) => {
    filterBy("sets", event.target.checked ? [...filter.sets, own.id] : filter.sets.filter((id) => id !== own.id));
  } } }), `${label(own.label)} (${own.ids.length})`);
  const only = (text, wanted) => quiet(text, () => filterBy("sets", sets.filter(wanted).map((own) => own.id)));
  const names = sets.filter((own) => filter.sets.includes(own.id)).map((own) => own.label);
  $("f-sets").querySelector("summary").textContent = !names.length ? t("any") : names.length > 2 ? t("setsChosen", { n: names.length, total: sets.length }) : names.map((name) => label(name)).join(", ");
  const options = $("f-sets").querySelector(".options");
  if (options.dataset.sets === sets.map((own) => own.id).join() + state.language) {
    for (const input of options.querySelectorAll("input")) input.checked = filter.sets.includes(input.value);
    return;
  }
  options.dataset.sets = sets.map((own) => own.id).join() + state.language;
  const mixed = sets.some((own) => own.mtbench) && sets.some((own) => !own.mtbench);
  fill(options,
    el("div", { class: "exports" }, quiet(t("any"), () => filterBy("sets", [])),
      mixed ? only(t("allDatasets"), (own) => !own.mtbench) : null),
    ...sets.map(box));
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

/** Whether the wanted text occurs in a question. */
function inQuestion(own, block, at, has) {
  return has(own.ids[at]) || has(block.input[at]) || has(block.gold[at]) || block.turns?.[at].some(([question]) => has(question));
}

/** Whether it occurs in an answer, or in what a judge said about it. */
function inAnswer(own, said, has) {
  if (!said) return false;
  return own.mtbench ? said.some((turn) => has(turn[1]) || turn[6].some((judgment) => has(judgment[1]))) : has(said[1]) || has(said[2]) || (said[3] ?? []).some(([output]) => has(output));
}

/** Questions of a set among those places that hold the text. Long work: it lets the browser do something else in between. */
async function search(own, places, wanted, asked, isCurrent) {
  const has = (text) => typeof text === "string" && fold(text).includes(wanted);
  const left = new Set(places);
  const hits = new Set();
  let start = performance.now();
  const look = async (test) => {
    for (const at of left) {
      if (test(at)) { hits.add(at); left.delete(at); }
      if (performance.now() - start > 12) {
        await pause();
        if (!isCurrent()) return false;
        start = performance.now();
      }
    }
    return true;
  };
  const block = await texts(own.id);
  start = performance.now();
  if (!isCurrent() || !await look((at) => inQuestion(own, block, at, has))) return null;
  for (const run of asked) {
    if (!own.runs[run] || !left.size) continue;
    const answers = await texts(`${own.id}-${run}`);
    start = performance.now();
    if (!isCurrent() || !await look((at) => inAnswer(own, answers[at], has))) return null;
  }
  return places.filter((at) => hits.has(at));
}

async function findQuestions(byReader) {
  const number = (searchNumber += 1);
  const isCurrent = () => number === searchNumber;
  const { filter } = state;
  const sets = setsHere().filter(inFilter);
  const candidates = sets.map((own) => [own, own.ids.map((_, at) => at).filter((at) => passes(own, at))]);
  const wanted = fold(filter.text.trim());
  const asked = filter.everywhere || !state.selected.length ? leaderboard().rows.map((row) => row.run) : state.selected;
  const hits = [];
  if (wanted && canUnpack) $("found-text").textContent = t("searching");
  for (const [own, places] of candidates) {
    const passed = !wanted ? places : canUnpack && places.length ? await search(own, places, wanted, asked, isCurrent) : [];
    if (!isCurrent()) return; // a newer search is on its way
    hits.push(...passed.map((at) => [own.id, at]));
  }
  found = hits;
  const place = state.question ? found.findIndex(([id, at]) => id === state.question[0] && at === state.question[1]) : -1;
  if (state.question && place < 0 && byReader) { // what the filters exclude is not left open
    state.question = null;
    changed("question");
  }
  if (place >= 0) state.page = Math.floor(place / PAGE);
  state.page = Math.min(state.page, Math.max(0, Math.ceil(found.length / PAGE) - 1));
  sayFound(wanted);
  drawList();
}

/** How many there are, and where was looked. */
function sayFound(wanted) {
  const total = setsHere().reduce((sum, own) => sum + own.ids.length, 0);
  const limited = wanted && !state.filter.everywhere && state.selected.length && state.selected.length < leaderboard().rows.length;
  const values = { n: found.length.toLocaleString(), total: total.toLocaleString(), models: state.selected.length };
  $("found-text").textContent = !total ? t("noQuestions") : t(limited ? "foundSelected" : "found", values);
  fill($("found-more"), limited ? quiet(t("searchAll", { n: leaderboard().rows.length }), () => filterBy("everywhere", true), { id: "search-all" }) : null);
}

function filterBy(name, value) {
  state.filter[name] = value;
  state.page = 0;
  changed("filter");
}

$("f-category").addEventListener("change", (event) => filterBy("category", event.target.value));
$("f-outcome").addEventListener("change", (event) => filterBy("outcome", event.target.value));
$("f-model").addEventListener("change", (event) => filterBy("model", event.target.value === "" ? "" : Number(event.target.value)));
$("f-where").addEventListener("change", (event) => filterBy("everywhere", event.target.value === "1"));
let typing = 0;
$("f-text").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => filterBy("text", event.target.value), 180);
});
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("reset", (event) => {
  event.preventDefault();
  state.filter = noFilter();
  $("f-text").value = "";
  state.page = 0;
  changed("filter");
});

view($("filters"), ["leaderboard", "selected", "filter", "language"], drawFilters);
view($("list-pane"), ["leaderboard", "selected", "filter", "language"], (changes) => {
  findQuestions(changes.has("filter") && !changes.has("link"));
});
