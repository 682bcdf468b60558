// What can be taken out of the page: tables as CSV, Markdown and LaTeX, charts as SVG and PNG.
// A table is { title, head, rows }: texts, the first of each row a name.

const oneLine = (text) => label(String(text), 1000);

function asCsv({ head, rows }) {
  const cell = (value) => {
    const text = oneLine(value ?? "");
    const safe = /^[=+@-]/.test(text) && !/^[+-]?[\d.]+(?: |$)/.test(text) ? `'${text}` : text; // no formula in a spreadsheet
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${[head, ...rows].map((row) => row.map(cell).join(",")).join("\n")}\n`;
}

function asMarkdown({ title, head, rows }) {
  const cell = (value) => oneLine(value ?? "").replace(/[\\`*_{}[\]<>#|~!&]/g, "\\$&");
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return `${[`### ${cell(title)}`, "", line(head.map(cell)), line(head.map((_, at) => (at ? "--:" : ":--"))), ...rows.map((row) => line(row.map(cell)))].join("\n")}\n`;
}

const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "–": "--" };

function asLatex({ title, head, rows }) {
  const cell = (value) => oneLine(value ?? "").replace(/[\\~^<>|–&%$#_{}]/g, (own) => LATEX[own] ?? `\\${own}`);
  const line = (cells) => `${cells.map(cell).join(" & ")} \\\\`;
  return `${[
    "\\begin{table}", "\\centering", `\\caption{${cell(title)}}`, `\\begin{tabular}{l${"r".repeat(head.length - 1)}}`, "\\toprule",
    line(head), "\\midrule", ...rows.map(line), "\\bottomrule", "\\end{tabular}", "\\end{table}",
  ].join("\n")}\n`;
}

const FORMS = [["CSV", "csv", asCsv], ["Markdown", "md", asMarkdown], ["LaTeX", "tex", asLatex]];
const fileName = (title) => title.normalize("NFKC").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "table";

function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Buttons that copy a table; where copying is not allowed, they save it. */
function tableTools(table) {
  return el("span", { class: "exports" }, ...FORMS.map(([name, ending, write]) => {
    const button = quiet(name, async () => {
      const own = table();
      try {
        await navigator.clipboard.writeText(write(own));
        button.textContent = t("copied");
        setTimeout(() => { button.textContent = name; }, 1500);
      } catch {
        download(`${fileName(own.title)}.${ending}`, write(own), "text/plain;charset=utf-8");
      }
    }, { "aria-label": t("copyTable", { form: name }), title: t("copyTable", { form: name }), "data-form": ending });
    return button;
  }));
}

const EXPORT = { width: 900, ratio: 2 };

/** A chart as it stands, on a white or dark ground, drawn anew at a fixed width. */
function renderChart(held, renderer, write) {
  const host = el("div", { class: "offscreen" });
  document.body.append(host);
  const size = { width: EXPORT.width, height: held.height };
  const chart = echarts.init(host, null, { renderer, devicePixelRatio: EXPORT.ratio, ...size });
  try {
    chart.setOption({ ...base(), ...held.option(EXPORT.width), backgroundColor: css("--panel") });
    held.after?.(chart);
    return write(chart);
  } finally {
    chart.dispose();
    host.remove();
  }
}

const chartSvg = (held) => renderChart(held, "svg", (chart) => chart.renderToSVGString());
const chartPng = (held) => renderChart(held, "canvas", (chart) => chart.getDataURL({ type: "png", pixelRatio: EXPORT.ratio }));

function bytesOf(dataUrl) {
  const text = atob(dataUrl.split(",")[1]);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function chartTools(held) {
  return el("span", { class: "exports" },
    quiet("SVG", () => download(`${fileName(held.title)}.svg`, chartSvg(held), "image/svg+xml"), { "data-form": "svg", "aria-label": t("saveChart", { form: "SVG" }) }),
    quiet("PNG", () => download(`${fileName(held.title)}.png`, new Blob([bytesOf(chartPng(held))], { type: "image/png" })), { "data-form": "png", "aria-label": t("saveChart", { form: "PNG" }) }));
}

/** Everything at once, for the command line: it opens the page with #export and reads this out of it. */
function exportAll() {
  state.theme = "light";
  applyTheme();
  changed("all");
  settle();
  const files = {};
  for (const [id, held] of charts) {
    files[`${id}.svg`] = base64(chartSvg(held));
    files[`${id}.png`] = chartPng(held).split(",")[1];
  }
  document.body.append(el("pre", { id: "exported", hidden: true }, JSON.stringify(files)));
}

function base64(text) {
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
}
