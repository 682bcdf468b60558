// The list of questions, and the way through it.

const PAGE = 50;
const BADGES = 12; // models with a badge in the list

function drawList() {
  const pages = Math.ceil(found.length / PAGE);
  const shown = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
  fill($("list"), ...shown.map(([id, at]) => listItem(byId.get(id), at)));
  const turn = (by) => quiet(t(by < 0 ? "previous" : "next"), () => {
    state.page += by;
    drawList();
    $("list").querySelector("button")?.focus();
  }, { disabled: state.page + by < 0 || state.page + by >= pages });
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
      el("span", { class: "badges" }, ...state.selected.slice(0, BADGES).map((run) => outcomeBadge(own, run, at)))),
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
