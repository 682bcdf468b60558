// The selected models: one line that stays in view and opens, with a search for more models.

let pickerText = "";
const PICKS = 14; // names in the line; the rest is in the list

function drawSelection() {
  const own = leaderboard();
  const shown = state.selected.slice(0, PICKS);
  const all = own.rows.map((row) => row.run);
  const button = (text, chosen) => quiet(text, () => { choose(chosen); changed("selected"); });
  const open = !$("picker").hidden;
  fill($("selection-line"),
    quiet(t("selectedCount", { n: state.selected.length, total: all.length }), togglePicker, { id: "picker-button", "aria-expanded": String(open), "aria-controls": "picker" }),
    el("div", { class: "picks" },
      ...shown.map((run) => el("button", { type: "button", class: "chip pick", title: label(runs[run].key, 300), "aria-label": t("remove", { model: label(runs[run].key) }), on: { click: () => select(run, false) } },
        swatch(run), el("bdi", null, shortName(runs[run])), el("span", { "aria-hidden": "true" }, "×"))),
      shown.length ? null : el("span", { class: "muted" }, t("none"))),
    state.selected.length > PICKS ? el("span", { class: "muted" }, `+${state.selected.length - PICKS}`) : null,
    all.length > 5 ? button(t("top"), topRuns(own, 5)) : null,
    button(t("all"), all),
    button(t("clear"), []));
  if (open) drawPicker();
}

function togglePicker() {
  const picker = $("picker");
  picker.hidden = !picker.hidden;
  $("picker-button").setAttribute("aria-expanded", String(!picker.hidden));
  if (picker.hidden) return;
  pickerText = "";
  fill(picker,
    el("label", null, el("span", { class: "hidden" }, t("addModel")), el("input", { type: "search", id: "picker-text", placeholder: t("addModel"), autocomplete: "off", spellcheck: "false", on: { input: (event) => { pickerText = event.target.value; drawPicker(); } } })),
    el("ul", { id: "picker-list", "aria-label": t("selected") }));
  drawPicker();
  $("picker-text").focus();
}

function drawPicker() {
  const wanted = fold(pickerText.trim());
  const focused = document.activeElement?.dataset?.pick;
  const rows = leaderboard().rows.filter((row) => fold(`${runs[row.run].key} ${runs[row.run].facts.name ?? ""}`).includes(wanted));
  fill($("picker-list"), ...rows.map(({ run }) => el("li", null, el("label", null,
    el("input", { type: "checkbox", checked: state.selected.includes(run), "data-pick": run, on: { change: (event) => select(run, event.target.checked) } }), swatch(run), modelName(runs[run])))));
  if (focused) $("picker-list").querySelector(`[data-pick="${focused}"]`)?.focus({ preventScroll: true });
}

function closePicker(focus) {
  if ($("picker").hidden) return;
  togglePicker();
  if (focus) $("picker-button").focus();
}

$("selection").addEventListener("keydown", (event) => { if (event.key === "Escape") closePicker(true); });
document.addEventListener("pointerdown", (event) => { if (!$("selection").contains(event.target)) closePicker(false); });
document.addEventListener("pointerdown", (event) => { // an open menu closes when something else is used
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

view($("selection"), ["leaderboard", "selected", "language"], drawSelection);
