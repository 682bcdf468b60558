// What stands around the sections, and the start.

function drawFrame() {
  nameLanguage();
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  $("language").textContent = t("other");
  $("language").lang = state.language === "ja" ? "en" : "ja";
  $("theme").textContent = t({ auto: "themeAuto", light: "themeLight", dark: "themeDark" }[state.theme]);
  const answers = runs.reduce((sum, run) => sum + run.logged, 0);
  $("subtitle").textContent = t("subtitle", { models: runs.length, questions: answers.toLocaleString(), date: core.generated });
  $("footer").textContent = t("footer", { version: core.version });
  for (const host of document.querySelectorAll("[data-link]")) fill(host, linkButton(host.dataset.link));
  fill($("about-body"), ...t("aboutText").map((text) => el("p", null, text.replace("{resamples}", core.resamples.toLocaleString()).replace("{seed}", core.seed))));
}

/** Later than the words themselves, once they can be seen: the browser then chooses every element's font again. */
function nameLanguage() {
  const name = () => { document.documentElement.lang = state.language; };
  if (document.documentElement.dataset.ready) requestAnimationFrame(() => setTimeout(name));
  else name();
}

function drawNotices() {
  const groups = new Map();
  for (const problem of core.problems) groups.set(problem.kind, [...(groups.get(problem.kind) ?? []), problem]);
  fill($("notices"),
    leaderboard().sample ? el("p", { class: "banner" }, t("sampleBanner")) : null,
    core.problems.length ? el("details", { class: "notices" },
      el("summary", null, core.problems.length === 1 ? t("noticesOne") : t("notices", { n: core.problems.length })),
      ...[...groups].map(([kind, problems]) => el("div", null,
        el("h3", null, t(`problem_${kind}`)),
        el("ul", null, ...problems.map((problem) => el("li", null, el("bdi", { class: "mono" }, label(problem.path, 300)), ": ", el("bdi", null, label(problem.text, 600)))))))) : null);
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
// Anchors scroll without replacing the address, which holds the state of the page.
for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", (event) => {
  event.preventDefault();
  const place = link.getAttribute("href").slice(1);
  go(place);
  $(place).setAttribute("tabindex", "-1");
  $(place).focus({ preventScroll: true });
  writeHash();
});
window.addEventListener("hashchange", () => {
  if (location.hash === hashOf()) return;
  const place = readHash();
  applyTheme();
  changed("all", "link");
  if (place) go(place, "instant");
});
// The place in the page is part of the address, too.
const placesInView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting && document.documentElement.dataset.ready) {
    state.place = target.id === PLACES[0] ? "" : target.id;
    writeHash();
  }
}, { rootMargin: "-25% 0px -70% 0px" });

view(document.body, ["language", "theme"], (changes) => {
  if (changes.has("language") || changes.has("all")) drawFrame();
  else $("theme").textContent = t({ auto: "themeAuto", light: "themeLight", dark: "themeDark" }[state.theme]);
});
view($("notices"), ["leaderboard", "language"], drawNotices);

choose(topRuns(leaderboard(), 5));
const place = readHash();
applyTheme();
changed("all");
if (place) {
  go(place, "instant");
  settle(); // what is above the place has its height now
  go(place, "instant");
}
for (const own of views) arrivals.observe(own.host);
for (const name of PLACES) placesInView.observe($(name));
document.documentElement.dataset.ready = String(Math.round(performance.now()));
if (location.hash === "#export") exportAll();
