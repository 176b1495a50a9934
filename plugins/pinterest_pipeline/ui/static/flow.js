// The way of the rows as a picture: boxes from left to right, or from top to bottom where the page is narrow.

import { details, el, figure, number, short, svg, table } from "./dom.js";

const WIDE = { box: 116, gap: 30, height: 92, size: 15 };
const NARROW = 560;
const away = (...counted) => counted.filter(([value]) => value > 0).map(([value, name]) => `${short(value)} ${name}`);
const COUNTED = ["source_rows", "acknowledged_rows", "dead_letter_rows", "landed_rows", "silver_rows", "duplicate_rows", "quarantined_rows", "lost_rows", "redriven_rows"];

export function batchFlow(data, chosen, width) {
  const run = data.runs.find((each) => each.run_id === chosen) ?? data.runs[0];
  if (!run) return [el("p", { class: "hint" }, "No batch run has reconciled its rows yet: trigger the DAG pinterest_daily_batch.")];
  const stages = [
    { name: "Source", count: run.source_rows, note: "rows read" },
    { name: "Kafka", count: run.acknowledged_rows, note: "acknowledged", away: away([run.dead_letter_rows, "dead letters"], [run.redriven_rows, "redriven"]), loud: run.dead_letter_rows > run.redriven_rows },
    { name: "Lake", count: run.landed_rows, note: "landed", away: away([run.lost_rows, "lost"]), loud: run.lost_rows > 0 },
    { name: "Bronze", count: run.landed_rows, note: data.lake ? `of ${short(data.lake.bronze_rows)}` : "" },
    { name: "Silver", count: run.silver_rows, note: data.lake ? `of ${short(data.lake.silver_rows)}` : "",
      away: away([run.duplicate_rows, "duplicates"], [run.quarantined_rows, "quarantined"]) },
    { name: "Gold", count: data.published?.answers, note: "answers" },
    { name: "PostgreSQL", count: data.published?.rows, note: "rows published" },
  ];
  for (const stage of stages) stage.missing = run.missing[stage.name] > 0; // only where rows went missing it is red
  const result = run.is_reconciled ? "all counts match" : "the counts do not match";
  const description = `${describe(stages)}; ${result}.`;
  return [
    el("h3", {}, "Batch"),
    draw("Rows of the batch run by stage", description, stages, width),
    table(
      `Rows of run ${run.run_id}; of bronze and silver the picture also says how many the lake holds of all runs`,
      ["table", ...COUNTED.map((name) => name.replace("_rows", ""))],
      [...run.tables, { ...run, table_name: "all" }].map((row) => [row.table_name, ...COUNTED.map((name) => row[name])]),
    ),
    data.offsets.length ? details("offsets", data.offsets.some((row) => row.missing_offsets) ? "Offsets of Kafka that bronze lacks" : "Offsets of Kafka in bronze: none is missing",
      table("Offsets of Kafka in bronze, by partition", ["topic", "generation", "partition", "first", "last", "next in Kafka", "missing", "first missing"],
        data.offsets.map((row) => [row.topic, row.generation, row.partition, row.first_offset, row.last_offset, row.end_offset, row.missing_offsets, row.first_missing]))) : null,
  ];
}

export function streamFlow(data, width) {
  const hour = data.last_hour;
  const stages = [
    { name: "Kinesis", count: hour.record_count, note: "records read" },
    { name: "Spark", count: hour.row_count + hour.duplicate_count, note: "rows made",
      away: away([hour.quarantined_count, "quarantined"]) },
    { name: "PostgreSQL", count: hour.row_count, note: "new posts' rows", away: away([hour.duplicate_count, "duplicates"]) },
  ];
  return [el("h3", {}, "Stream, last hour"), draw("Records of the stream in the last hour by stage", `${describe(stages)}.`, stages, width)];
}

const describe = (stages) => stages.map((stage) => [`${stage.name} ${number(stage.count)} ${stage.note}`, ...(stage.away ?? [])].join(", ")).join("; ");

function draw(title, description, stages, width) {
  const vertical = width < NARROW;
  const { box, gap, height, size } = WIDE;
  const across = vertical ? 1 : 7; // the stream's boxes are as wide as the batch's
  const viewWidth = vertical ? 300 : across * box + (across - 1) * gap;
  const step = vertical ? 66 : box + gap;
  const viewHeight = vertical ? stages.length * step - 16 : height + Math.max(...stages.map((stage) => stage.away?.length ?? 0)) * 17 + 4;
  const marks = stages.map((stage, at) => (vertical ? row(stage, at * step, viewWidth) : column(stage, at * step, box, height, size)));
  const arrows = stages.slice(1).map((_, at) => {
    const start = vertical ? [viewWidth / 2, at * step + 50] : [at * step + box, height / 2];
    const end = vertical ? [viewWidth / 2, (at + 1) * step] : [(at + 1) * step, height / 2];
    return arrow(start, end, vertical);
  });
  const drawn = figure(viewWidth, viewHeight, title, description, svg("g", {}, arrows, marks));
  if (vertical) drawn.classList.add("narrow");
  return drawn;
}

const text = (x, y, content, attributes) => svg("text", { x, y, "text-anchor": "middle", ...attributes }, content);

function column(stage, x, box, height, size) {
  const middle = x + box / 2;
  return svg("g", {},
    svg("rect", { x, y: 0, width: box, height, rx: 10, class: boxOf(stage) }),
    text(middle, 22, stage.name, { class: "name", "font-size": 13 }),
    text(middle, 52, short(stage.count), { class: "count", "font-size": size + 7 }),
    text(middle, 76, stage.note, { class: "note", "font-size": 12 }),
    (stage.away ?? []).map((line, at) => text(middle, height + 17 * (at + 1), `↳ ${line}`, { class: stage.loud ? "loud" : "away", "font-size": 12 })));
}

function row(stage, y, width) {
  return svg("g", {},
    svg("rect", { x: 0, y, width, height: 50, rx: 10, class: boxOf(stage) }),
    text(14, y + 23, stage.name, { class: "name", "font-size": 15, "text-anchor": "start" }),
    text(width - 14, y + 23, short(stage.count), { class: "count", "font-size": 18, "text-anchor": "end" }),
    text(width - 14, y + 41, [stage.note, ...(stage.away ?? [])].join(" · "), { class: stage.loud ? "loud" : "note", "font-size": 12, "text-anchor": "end" }));
}

const boxOf = (stage) => (stage.missing ? "box bad" : "box");

function arrow([x1, y1], [x2, y2], vertical) {
  const head = vertical ? `${x2 - 5},${y2 - 7} ${x2 + 5},${y2 - 7} ${x2},${y2 - 1}` : `${x2 - 7},${y2 - 5} ${x2 - 7},${y2 + 5} ${x2 - 1},${y2}`;
  return svg("g", { class: "arrow" }, svg("line", { x1, y1, x2: vertical ? x2 : x2 - 6, y2: vertical ? y2 - 6 : y2 }), svg("polygon", { points: head }));
}
