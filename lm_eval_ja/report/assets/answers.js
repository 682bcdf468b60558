// One question, and what the selected models answered, side by side.

const CARDS = 12; // answers shown before more are asked for
let allCards = false;
let judgmentsOpen = false;

async function drawDetail(changes) {
  const detail = $("detail");
  if (changes?.has("question")) allCards = false;
  if (!state.question || !canUnpack) {
    const why = !state.question ? (core.sets.length ? "pick" : "noQuestions") : "noUnpack";
    fill(detail, el("p", { class: "muted empty" }, t(why)));
    return;
  }
  const [id, at] = state.question;
  const own = byId.get(id);
  if (!unpacked.has(id)) fill(detail, el("p", { class: "muted empty" }, t("loadingTexts")));
  const block = await texts(id);
  const shown = allCards ? state.selected : state.selected.slice(0, CARDS);
  const answers = new Map(await Promise.all(shown.filter((run) => own.runs[run]).map(async (run) => [run, (await texts(`${id}-${run}`))?.[at]])));
  if (!state.question || state.question[0] !== id || state.question[1] !== at) return;
  const category = own.categories[own.category[at]];
  const judged = own.mtbench && [...answers.values()].some((said) => said?.some((turn) => turn[6].length));
  fill(detail,
    el("div", { class: "detail-head" },
      quiet(t("back"), () => $("filters").scrollIntoView(), { class: "quiet only-narrow" }),
      el("h3", null, el("bdi", { class: "mono" }, label(own.ids[at], 120))),
      el("span", { class: "chip" }, label(own.label)),
      category ? el("span", { class: "chip" }, label(category)) : null,
      el("span", { class: "grow" }),
      judged ? quiet(t(judgmentsOpen ? "closeJudgments" : "openJudgments"), (event) => openJudgments(event.currentTarget), { id: "judgments", "aria-pressed": String(judgmentsOpen) }) : null,
      quiet(t("previous"), () => step(-1), { "aria-keyshortcuts": "k" }),
      quiet(t("next"), () => step(1), { "aria-keyshortcuts": "j" }),
      linkButton("questions")),
    ...(own.mtbench ? conversation(own, block, answers, shown, at) : singleTurn(own, block, answers, shown, at)),
    shown.length < state.selected.length ? quiet(t("moreAnswers", { n: state.selected.length - shown.length }), () => { allCards = true; drawDetail(); }, { id: "more-answers" }) : null);
}

function openJudgments(button) {
  judgmentsOpen = !judgmentsOpen;
  button.textContent = t(judgmentsOpen ? "closeJudgments" : "openJudgments");
  button.setAttribute("aria-pressed", String(judgmentsOpen));
  for (const one of $("detail").querySelectorAll("details.judgment")) one.open = judgmentsOpen;
}

const part = (name, ...content) => el("div", { class: "part" }, el("h4", null, name), ...content);
const folded = (name, content, properties = null) => el("details", properties, el("summary", null, name), ...content);

function singleTurn(own, block, answers, shown, at) {
  const instruction = block.instructions[block.instruction[at]];
  return [
    el("div", { class: "asked" },
      instruction ? folded(t("instruction"), [textBlock(instruction)]) : null,
      part(t("input"), textBlock(block.input[at])),
      part(t("gold"), textBlock(block.gold[at], "gold"))),
    cards(own, shown, at, (run) => {
      const said = answers.get(run);
      if (!said) return [el("p", { class: "muted" }, t("notAsked"))];
      const [prompt, output, prediction, samples] = said;
      if (samples) return [...sampleParts(samples), promptPart(block, prompt)];
      return [
        own.lines ? lineDiff(prediction ?? output, block.gold[at]) : null,
        part(t("output"), textBlock(output)),
        prediction === null ? el("p", { class: "muted small" }, t("unchanged")) : part(t("prediction"), textBlock(prediction)),
        promptPart(block, prompt),
      ];
    }),
  ];
}

const promptPart = (block, prompt) => folded(t("prompt"), [textBlock(typeof prompt === "number" ? block.prompts[prompt] : prompt)]);

/** Every sample of an answer, with its own score. */
function sampleParts(samples) {
  return samples.flatMap(([output, prediction, score], index) => [
    part(`${t("sample", { n: index + 1, total: samples.length })}${score === null ? "" : ` · ${score.toFixed(2)}`}`, textBlock(output)),
    prediction === null ? null : folded(t("prediction"), [textBlock(prediction)]),
  ]);
}

/** Lines of an answer against the lines wanted, as the score counts them: stripped, each once. */
function lineDiff(prediction, gold) {
  const linesOf = (text) => [...new Set(text.split("\n").map((line) => line.trim()))];
  const [said, wanted] = [linesOf(prediction), linesOf(gold)];
  const groups = [
    ["matched", "=", said.filter((line) => wanted.includes(line))],
    ["missing", "−", wanted.filter((line) => !said.includes(line))],
    ["extra", "+", said.filter((line) => !wanted.includes(line))],
  ];
  return el("div", { class: "part diff" }, el("h4", null, t("lines")), el("ul", null, ...groups.flatMap(([name, sign, lines]) => lines.slice(0, 200).map((line) => {
    const text = el("bdi");
    if (line) appendText(text, line.slice(0, CUT));
    else text.append(el("span", { class: "muted" }, t("emptyLine")));
    return el("li", { class: name }, el("span", { class: "sign", "aria-hidden": "true" }, sign), el("span", { class: "hidden" }, `${t(`line_${name}`)}: `), text);
  }))), el("p", { class: "muted small" }, groups.map(([name, , lines]) => `${t(`line_${name}`)} ${lines.length}`).join(" · ")));
}

function conversation(own, block, answers, shown, at) {
  return block.turns[at].flatMap(([question, reference], turn) => [
    el("div", { class: "asked" },
      part(`${t("turn", { n: turn + 1 })} · ${t("user")}`, textBlock(question)),
      reference ? folded(t("reference"), [textBlock(reference, "gold")]) : null),
    cards(own, shown, at, (run) => {
      const said = answers.get(run)?.[turn];
      return said ? turnParts(block, said) : [el("p", { class: "muted" }, t("notAsked"))];
    }, (run) => answers.get(run)?.[turn]?.[3], turn),
  ]);
}

function turnParts(block, [prompt, raw, seen, rating, reason, spread, judgments]) {
  return [
    part(t("answer"), textBlock(seen ?? raw)),
    rating === null ? el("p", { class: "warn" }, t("unratedTurn", { reason: label(reason ?? "", 300) })) : reason ? el("p", { class: "warn" }, label(reason, 300)) : null,
    spread === null ? null : el("p", { class: "muted small" }, t("spread", { spread: spread.toFixed(2) })),
    ...judgments.map(([own, text, judge]) => folded(
      `${t("judgment", { judge: label(judge, 60) })}${own === null ? "" : ` · ${t("rating", { rating: own })}`}`, [textBlock(text)], { class: "judgment", open: judgmentsOpen })),
    seen === null ? null : folded(t("hidden"), [textBlock(raw)]),
    prompt === null ? null : folded(t("prompt"), [textBlock(typeof prompt === "number" ? block.prompts[prompt] : prompt)]),
  ];
}

function cards(own, shown, at, content, rating, turn) {
  if (!shown.length) return el("div", { class: "cards" }, el("p", { class: "muted" }, t("noSelection")));
  return el("div", { class: "cards" }, ...shown.map((run) => {
    const score = rating ? rating(run) : own.runs[run]?.scores[at];
    return el("article", { class: "card", vars: { "--own": ownColour(run) }, "aria-label": turn === undefined ? label(runs[run].key) : `${label(runs[run].key)}, ${t("turn", { n: turn + 1 })}` },
      el("div", { class: "card-head" },
        swatch(run),
        modelName(runs[run]),
        outcomeBadge(own, run, at, true),
        score === null || score === undefined ? null : el("span", { class: "mono" }, rating ? t("rating", { rating: score.toFixed(1) }) : score.toFixed(2))),
      ...content(run).filter(Boolean));
  }));
}

view($("detail"), ["leaderboard", "selected", "question", "language"], drawDetail);
