// Elements, numbers and times. Text is only ever set as text: what comes from the databases is never markup.

const SVG = "http://www.w3.org/2000/svg";
const NUMBER = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const byId = (id) => document.getElementById(id);
export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));
export const short = (value) => (value === null || value === undefined ? "–" : SHORT.format(value));
export const words = (name) => String(name).replaceAll("_", " ");

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// A path of Airflow's UI, below its address, which may itself be below a path.
export const link = (path, ...text) => (path ? el("a", { href: `../${path}` }, ...text) : el("span", {}, ...text));

export const further = (path) => link(path, path.includes("/tasks/") ? "Read the log" : path.startsWith("dags/") ? "See the run" : "Sign in");

export const el = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => make(document.createElementNS(SVG, tag), attributes, children);

let figures = 0;

// A drawing that a screen reader announces by its title and description.
export function figure(width, height, title, description, ...children) {
  const id = `figure-${(figures += 1)}`;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id}-t ${id}-d`, class: "figure" },
    svg("title", { id: `${id}-t` }, title),
    svg("desc", { id: `${id}-d` }, description),
    ...children,
  );
}

export function table(caption, columns, rows) {
  const numeric = columns.map((_, at) => rows.some((row) => typeof row[at] === "number"));
  const cell = (value, at) => {
    const shown = typeof value === "number" && !/year/i.test(columns[at]) ? number(value) : value ?? "–";
    return el("td", { class: numeric[at] ? "number" : null }, value instanceof Node ? value : String(shown));
  };
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", {}, el("span", {}, caption)),
      el("thead", {}, el("tr", {}, columns.map((name, at) => el("th", { scope: "col", class: numeric[at] ? "number" : null }, words(name))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell)))),
    ),
  );
}

// Details stay open over a refresh: `key` names them.
const opened = new Set();
export function details(key, summary, ...children) {
  const node = el("details", { open: opened.has(key) }, el("summary", {}, summary), ...children);
  node.addEventListener("toggle", () => (node.open ? opened.add(key) : opened.delete(key)));
  return node;
}

export function ago(then, now) {
  if (!then) return "never";
  return `${duration((new Date(now) - new Date(then)) / 1000)} ago`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 120 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

export const clock = (time) => (time ? `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC` : "–");
export const minuteOf = (time) => new Date(time).toISOString().slice(11, 16);

export function notice(panel) {
  return el("div", { class: "notice", role: "note" }, el("strong", {}, panel.why), " ", panel.remedy, panel.path ? [" ", further(panel.path)] : null);
}
export const hint = (text) => el("p", { class: "hint" }, text);
