// What stands around the sections, and the start.

function drawFrame() {
  document.documentElement.lang = state.language;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  $("language").textContent = t("other");
  $("language").lang = state.language === "ja" ? "en" : "ja";
  $("theme").textContent = t({ auto: "themeAuto", light: "themeLight", dark: "themeDark" }[state.theme]);
  const answers = runs.reduce((sum, run) => sum + run.logged, 0);
  $("subtitle").textContent = t("subtitle", { models: runs.length, questions: answers.toLocaleString(), date: core.generated });
  $("footer").textContent = t("footer", { version: core.version });
  fill($("about-body"),
    ...t("aboutText").map((text) => el("p", null, text.replace("{resamples}", core.resamples.toLocaleString()).replace("{seed}", core.seed))));
}

function drawNotices() {
  const groups = Map.groupBy ? Map.groupBy(core.problems, (problem) => problem.kind) : grouped(core.problems);
  fill($("notices"),
    leaderboard().sample ? el("p", { class: "banner" }, t("sampleBanner")) : null,
    core.problems.length ? el("details", { class: "notices" },
      el("summary", null, core.problems.length === 1 ? t("noticesOne") : t("notices", { n: core.problems.length })),
      ...[...groups].map(([kind, problems]) => el("div", null,
        el("h3", null, t(`problem_${kind}`)),
        el("ul", null, ...problems.map((problem) => el("li", null, el("bdi", { class: "mono" }, label(problem.path, 300)), ": ", el("bdi", null, label(problem.text, 600)))))))) : null);
}

function grouped(problems) {
  const groups = new Map();
  for (const problem of problems) groups.set(problem.kind, [...(groups.get(problem.kind) ?? []), problem]);
  return groups;
}

function applyTheme() {
  if (state.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = state.theme;
}

$("language").addEventListener("click", () => {
  state.language = state.language === "ja" ? "en" : "ja";
  changed("language");
});
$("theme").addEventListener("click", () => {
  state.theme = { auto: "light", light: "dark", dark: "auto" }[state.theme];
  applyTheme();
  changed("theme");
});
$("print").addEventListener("click", () => window.print());
media.addEventListener("change", () => changed("theme"));
$("failure-scope").addEventListener("change", (event) => {
  state.scope = event.target.value;
  changed("scope");
});
// Anchors scroll without touching the address, which holds the state of the page.
for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", (event) => {
  event.preventDefault();
  const target = $(link.getAttribute("href").slice(1));
  target.scrollIntoView();
  target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
});
window.addEventListener("hashchange", () => {
  const opened = readHash();
  changed("leaderboard", "selected", "filter", "question");
  if (opened) $("questions").scrollIntoView();
});

view(["language", "theme"], drawFrame);
view(["leaderboard", "language"], drawNotices);

state.selected = topRuns(leaderboard(), 5);
const opened = readHash();
changed("all");
if (opened) $("questions").scrollIntoView({ behavior: "instant" });
document.documentElement.dataset.ready = String(Math.round(performance.now()));
