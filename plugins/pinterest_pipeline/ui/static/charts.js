// Bars, grids and columns over time, each drawn from numbers that also stand in a table beside it.

import { figure, number, short, svg, words } from "./dom.js";

const MOST_BARS = 12;
const NARROW = 560;
const WIDEST = 34; // of a column over time
const DARKEST = 0.6; // of a cell: beyond it neither dark nor light text can be read on every shade
const ODD = 5; // times the middle value
const cut = (label, length) => (label.length > length ? `${label.slice(0, length - 1)}…` : label);

export function bars(title, labels, values, unit) {
  const all = labels.map((label, at) => ({ label, value: values[at] }));
  const shown = all.length > MOST_BARS ? [...all].sort((a, b) => b.value - a.value).slice(0, MOST_BARS) : all;
  const greatest = Math.max(...shown.map((bar) => bar.value), 1);
  const rowHeight = 37; // a line for the label: beside the bar there is no room for an answer of two names
  const room = 270;
  const said = shown.slice(0, 5).map((bar) => `${bar.label}: ${number(bar.value)}`).join("; ");
  const drawn = shown.map((bar, at) => {
    const y = at * rowHeight;
    const width = Math.max((bar.value / greatest) * room, bar.value > 0 ? 2 : 0);
    return svg("g", {},
      svg("text", { x: 0, y: y + 12, class: "label", "font-size": 12 }, cut(bar.label, 54)),
      svg("rect", { x: 0, y: y + 17, width, height: 14, rx: 3, class: "bar" }),
      svg("text", { x: width + 6, y: y + 28, class: "value", "font-size": 12 }, short(bar.value)),
      svg("title", {}, `${bar.label}: ${number(bar.value)} ${unit}`));
  });
  const rest = all.length - shown.length;
  return figure(350, shown.length * rowHeight + 2, title, `${said}${rest > 0 ? `; the ${shown.length} greatest of ${all.length}` : ""}.`, ...drawn);
}

export function grid(title, rows) {
  const down = [...new Set(rows.map((row) => String(row[0])))];
  const across = [...new Set(rows.map((row) => String(row[1])))].sort();
  const value = new Map(rows.map((row) => [`${row[0]}\n${row[1]}`, row[2]]));
  const greatest = Math.max(...rows.map((row) => row[2]), 1);
  const left = 118;
  const cell = Math.min((350 - left) / Math.max(across.length, 1), 80);
  const rowHeight = 21;
  const heads = across.map((name, at) => svg("text", { x: left + (at + 0.5) * cell, y: 12, "text-anchor": "middle", class: "label", "font-size": 11 }, name));
  const cells = down.flatMap((name, y) => [
    svg("text", { x: left - 8, y: 18 + y * rowHeight + 15, "text-anchor": "end", class: "label", "font-size": 11.5 }, cut(words(name), 18)),
    ...across.map((column, x) => {
      const found = value.get(`${name}\n${column}`);
      const share = found === undefined ? 0 : 0.08 + (DARKEST - 0.08) * (found / greatest);
      return svg("g", {},
        svg("rect", { x: left + x * cell + 1, y: 18 + y * rowHeight + 1, width: cell - 2, height: rowHeight - 2, rx: 3, class: "cell", "fill-opacity": share.toFixed(2) }),
        svg("text", { x: left + (x + 0.5) * cell, y: 18 + y * rowHeight + 15, "text-anchor": "middle", class: "value", "font-size": 10.5 }, found === undefined ? "" : short(found)),
        svg("title", {}, `${name}, ${column}: ${number(found)}`));
    }),
  ]);
  const top = rows.reduce((best, row) => (best === null || row[2] > best[2] ? row : best), null);
  return figure(350, down.length * rowHeight + 20, title, `${down.length} by ${across.length}; greatest ${top ? `${top[0]}, ${top[1]}: ${number(top[2])}` : "none"}.`, ...heads, ...cells);
}

// Columns over time. A value of null leaves a gap: not known is not zero.
// With `gaps` each is marked; with `cutOdd` a value far above the others is cut, and marked, so that they can be read.
export function columns(title, points, { unit, format = short, level = "", gaps = false, cutOdd = false }) {
  const narrow = window.innerWidth < NARROW; // else its text would be too small to read there
  const [width, height, left, bottom] = [narrow ? 330 : 520, 150, 62, 20];
  const known = points.map((point) => point.value).filter((value) => value !== null);
  const middle = [...known].sort((a, b) => a - b)[Math.floor((known.length - 1) / 2)] ?? 0;
  const isOdd = (value) => cutOdd && known.length > 2 && value > ODD * middle;
  const greatest = Math.max(...known.filter((value) => !isOdd(value)), 0);
  const scale = greatest || 1;
  const step = (width - left) / Math.max(points.length, 1);
  const top = height - bottom - 12;
  const every = Math.ceil(points.length / (narrow ? 3 : 6));
  const drawn = points.map((point, at) => {
    const tall = point.value === null ? 0 : Math.max(Math.min(point.value / scale, 1) * top, point.value > 0 ? 2 : 0);
    const mark = point.value === null ? (gaps ? "✕" : null) : isOdd(point.value) ? "▲" : null;
    const wide = Math.min(step * 0.76, WIDEST);
    return svg("g", {},
      svg("rect", { x: left + (at + 0.5) * step - wide / 2, y: height - bottom - tall, width: wide, height: tall, rx: Math.min(2, step / 4), class: `bar ${point.level ?? level}` }),
      mark ? svg("text", { x: left + (at + 0.5) * step, y: height - bottom - tall - 3, "text-anchor": "middle", class: point.value === null ? "loud" : "label", "font-size": 10 }, mark) : null,
      at % every === 0 ? svg("text", { x: left + (at + 0.5) * step, y: height - 5, "text-anchor": "middle", class: "label", "font-size": 11 }, point.label) : null,
      svg("title", {}, `${point.label}: ${point.value === null ? "not known" : `${format(point.value)} ${unit}`}`));
  });
  const cutCount = known.filter(isOdd).length;
  const gapCount = points.length - known.length;
  const notes = [cutCount ? ` ${cutCount} far greater, cut.` : "", gaps && gapCount ? ` ${gapCount} gaps.` : ""].join("");
  const last = known.length ? `${format(known.at(-1))} ${unit}` : "nothing";
  return figure(width, height, title, `Greatest ${format(greatest)} ${unit}; last known ${last}.${notes}`,
    svg("line", { x1: left, x2: width, y1: height - bottom, y2: height - bottom, class: "axis" }),
    svg("line", { x1: left, x2: width, y1: height - bottom - top, y2: height - bottom - top, class: "axis faint" }),
    svg("text", { x: left - 6, y: height - bottom - top + 4, "text-anchor": "end", class: "label", "font-size": 11 }, known.length ? `${format(greatest)} ${unit.length < 4 ? unit : ""}` : ""),
    svg("text", { x: left - 6, y: height - bottom + 3, "text-anchor": "end", class: "label", "font-size": 11 }, "0"),
    ...drawn);
}
