// The address holds the whole view: what is shown, how, and where in the page.

const PLACES = ["ranking", "charts", "failures", "tokens", "questions", "about"];
const runOf = (id) => runs.findIndex((run) => run.id === id);
const setOf = (name) => core.sets.find((own) => own.label === name);

/** The state as the part of an address after #. */
function hashOf(place = state.place) {
  const pairs = new URLSearchParams();
  const { filter, rankFilter, sort } = state;
  const put = (name, value) => { if (value !== "" && value !== null && value !== undefined && value !== false) pairs.set(name, String(value)); };
  put("a", place);
  if (state.leaderboard) put("t", state.leaderboard + 1);
  pairs.set("m", state.selected.map((run) => runs[run].id).join("."));
  if (sort.column !== null || !sort.down) put("so", `${sort.down ? "" : "-"}${sort.column ?? ""}`);
  put("co", Array.isArray(state.columns) ? `:${state.columns.join(":")}` : state.columns);
  put("ci", state.intervals ? 1 : "");
  for (const [name, value] of Object.entries(rankFilter)) put(`r-${name}`, value);
  if (state.baseline !== null) put("vs", runs[state.baseline].id);
  put("fs", state.scope);
  if (state.theme !== "auto") put("th", state.theme);
  put("l", state.language);
  for (const id of filter.sets) pairs.append("d", byId.get(id)?.label ?? id);
  put("c", filter.category);
  put("o", filter.outcome);
  if (filter.model !== "") put("of", runs[filter.model].id);
  put("s", filter.text);
  put("sa", filter.everywhere ? 1 : "");
  if (state.question) {
    const own = byId.get(state.question[0]);
    put("q", `${own.label}/${own.ids[state.question[1]]}`);
  }
  return `#${pairs}`;
}

let writing = 0;

/** Keep the address up to date; not more often than browsers allow. */
function writeHash() {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const hash = hashOf();
    if (state.printing || hash === location.hash) return;
    try {
      history.replaceState(null, "", hash);
    } catch {
      location.hash = hash;
    }
  }, 60);
}

/** Take the state from the address. Returns the place in the page that it names. */
function readHash() {
  const text = location.hash.slice(1);
  if (!text.includes("=")) return PLACES.includes(text) ? text : "";
  const pairs = new URLSearchParams(text);
  const numberOf = Number(pairs.get("t") ?? 1) - 1;
  state.leaderboard = core.leaderboards[numberOf] ? numberOf : 0;
  const there = new Set(leaderboard().rows.map((row) => row.run));
  state.slots = [];
  choose(pairs.has("m") ? pairs.get("m").split(".").map(runOf).filter((run) => there.has(run)) : topRuns(leaderboard(), 5));
  const sort = pairs.get("so") ?? "";
  state.sort = { column: sort.replace(/^-/, "") || null, down: !sort.startsWith("-") };
  if (state.sort.column && !isSortable(leaderboard(), state.sort.column)) state.sort = { column: null, down: true };
  const columns = pairs.get("co");
  state.columns = columns?.startsWith(":") ? columns.slice(1).split(":") : columns;
  state.intervals = pairs.get("ci") === "1";
  state.rankFilter = noRankFilter();
  for (const name of Object.keys(state.rankFilter)) state.rankFilter[name] = pairs.get(`r-${name}`) ?? "";
  const baseline = runOf(pairs.get("vs"));
  state.baseline = there.has(baseline) ? baseline : null;
  state.scope = pairs.get("fs") ?? "";
  state.theme = ["light", "dark"].includes(pairs.get("th")) ? pairs.get("th") : "auto";
  if (pairs.get("l") in STRINGS) state.language = pairs.get("l");
  const of = runOf(pairs.get("of"));
  state.filter = {
    sets: pairs.getAll("d").map((name) => setOf(name)?.id).filter(Boolean),
    category: pairs.get("c") ?? "",
    outcome: pairs.get("o") ?? "",
    model: of >= 0 ? of : "",
    text: pairs.get("s") ?? "",
    everywhere: pairs.get("sa") === "1",
  };
  const [name, ...rest] = (pairs.get("q") ?? "").split("/");
  const own = setOf(name);
  const index = own ? own.ids.indexOf(rest.join("/")) : -1;
  state.question = index >= 0 ? [own.id, index] : null;
  if (PLACES.includes(pairs.get("a"))) return pairs.get("a");
  return state.question ? "questions" : "";
}

/** A button that copies the address of the view as it is, at a place in the page. */
function linkButton(place) {
  const copy = quiet(t("copy"), async () => {
    const link = location.href.split("#")[0] + hashOf(place);
    try {
      await navigator.clipboard.writeText(link);
      copy.textContent = t("copied");
    } catch {
      window.prompt(t("copy"), link);
    }
  }, { class: "quiet link-here", title: t("copyTitle") });
  return copy;
}

function go(place, behaviour) {
  const target = $(place);
  if (!target) return;
  state.place = PLACES.includes(place) ? place : "";
  target.scrollIntoView({ behavior: behaviour });
}
