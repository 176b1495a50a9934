// What each panel shows of its answer.

import { bars, columns, grid } from "./charts.js";
import { ago, clock, details, duration, el, further, hint, link, minuteOf, number, table, words } from "./dom.js";

const SIGNS = { good: "✓", warn: "!", bad: "✕", off: "‖", unknown: "?" };

export function tile(name, state, now, extra) {
  return el("div", { class: `tile ${state.level}` },
    el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state.level]),
    el("div", {},
      el("h3", {}, name),
      el("p", { class: "word" }, state.word),
      el("p", {}, state.detail),
      state.path ? el("p", {}, further(state.path)) : null,
      extra ? el("p", {}, extra) : null,
      state.since ? el("p", { class: "since", title: clock(state.since) }, ago(state.since, now)) : null));
}

export function lag(data) {
  if (!data.exists) return [hint("The stream has never run here: its tables do not exist. Unpause the DAG pinterest_stream_supervisor.")];
  const points = (name, value) => data.minutes.map((each) => ({ label: minuteOf(each.minute), value: value(each[name]) }));
  return [
    el("h3", {}, "Stream: records a minute"),
    columns("Records that the stream committed, by minute of the last hour", points("record_count", (v) => v), { unit: "records" }),
    el("h3", {}, "Stream: lag"),
    columns("Age of the newest record at its commit, greatest of each minute of the last hour", points("lag_ms", (v) => (v === null ? null : v / 1000)), { unit: "s", format: (v) => v.toFixed(1), level: "second" }),
    table("Newest commit of each query", ["query", "committed", "lag, ms"],
      data.queries.map((each) => [each.query, each.committed_at ? ago(each.committed_at, data.now) : "never", each.lag_ms ?? null])),
    details("minutes", "The last hour as a table", table("Minutes in which something was committed", ["minute", "records", "rows", "duplicates", "quarantined", "lag, ms"],
      data.minutes.filter((each) => each.record_count).map((each) => [minuteOf(each.minute), each.record_count, each.row_count, each.duplicate_count, each.quarantined_count, each.lag_ms]))),
  ];
}

export function freshness(health) {
  const runs = health.dags.find((dag) => dag.dag_id === "pinterest_daily_batch").runs.filter((run) => run.seconds !== null);
  if (!runs.length) return [el("h3", {}, "Batch: time from start to answers"), hint("No batch run has ended yet.")];
  const points = [...runs].sort((a, b) => (a.began < b.began ? -1 : 1)).map((run) => ({ label: clock(run.began).slice(5, 16), value: run.seconds / 60, level: run.state === "failed" ? "bad" : "" }));
  return [
    el("h3", {}, "Batch: time from start to answers"),
    columns("Minutes that each of the last batch runs took", points, { unit: "min", format: (v) => v.toFixed(1), cutOdd: true }),
    table("Last batch runs; freshness is from the end of the run's data interval to its answers", ["run", "type", "state", "began", "took", "freshness"],
      runs.map((run) => [link(run.path, run.run_id), run.run_type, run.state, clock(run.began), duration(run.seconds), run.run_type === "scheduled" ? duration(run.seconds_after_interval) : "–"])),
  ];
}

// Days from left to right; one without a run, or without counts, is a gap and is marked.
export function history(data) {
  if (!data.days.length) return [hint("No day has been run yet: unpause the DAG pinterest_daily_batch, or run a backfill.")];
  const points = (name, scale = 1) => data.days.map((day) => ({ label: day.day.slice(5), value: day[name] === null ? null : day[name] * scale, level: day.state === "failed" ? "bad" : "" }));
  return [
    el("div", {}, el("h3", {}, "Rows of each day"),
      columns("Rows read from the source, by day of the data interval", points("source_rows"), { unit: "rows", gaps: true })),
    el("div", {}, el("h3", {}, "Share quarantined"),
      columns("Share of the landed rows that were quarantined, by day of the data interval", points("quarantined_share", 100), { unit: "%", format: (v) => v.toFixed(2), level: "second", gaps: true })),
    details("days", `The last ${data.days.length} days as a table`, table("Days and their runs", ["day", "run", "state", "rows", "landed", "quarantined", "lost"],
      [...data.days].reverse().map((day) => [day.day, day.run_id ? link(day.path, day.run_id) : "no run", day.state, day.source_rows, day.landed_rows, day.quarantined_rows, day.lost_rows]))),
  ];
}

export function health(data) {
  return [
    hint("What Airflow knows: the connector and the stream are as these DAGs' runs found them, at the time of the run."),
    el("ul", { class: "runs" }, data.dags.map((dag) => el("li", {},
      el("span", { class: "dag" }, el("strong", {}, dag.is_paused === null ? dag.dag_id : link(`dags/${dag.dag_id}`, dag.dag_id)), dag.is_paused ? el("em", {}, " paused") : null, dag.is_paused === null ? el("em", {}, " not deployed") : null),
      el("ol", { "aria-label": `Last runs of ${dag.dag_id}, newest first` }, dag.runs.map((run) => el("li", { class: `run ${run.state}`, title: `${run.run_id}: ${run.state}, began ${clock(run.began)}` },
        el("span", { class: "mark", "aria-hidden": "true" }), link(run.path, run.state), run.run_type === "scheduled" ? null : ` ${run.run_type}`, " ", el("span", { class: "since" }, run.began ? ago(run.began, data.now) : "waiting"),
        run.failed_tasks.length ? el("span", {}, ": ", run.failed_tasks.map((task, at) => [at ? ", " : null, link(task.path, task.task_id)])) : null))),
      dag.runs.length ? null : hint("No run yet.")))),
  ];
}

export function quarantine(data) {
  const sample = (each) => el("li", {},
    el("p", { class: "since" }, `${clock(each.committed_at)} · shard ${each.shard_id} · sequence ${each.sequence_number}`),
    el("pre", { tabindex: "0", "aria-label": "Record" }, each.payload, each.characters > each.payload.length ? "…" : ""),
    each.characters > each.payload.length ? el("p", { class: "since" }, `The first ${number(each.payload.length)} of ${number(each.characters)} characters.`) : null);
  const stream = data.stream.map((reason) => details(`${reason.stream} ${reason.reject_reason}`,
    el("span", {}, el("strong", {}, number(reason.rows)), ` ${reason.reject_reason} `, el("span", { class: "since" }, reason.stream)),
    reason.samples.length ? el("ol", { class: "samples" }, reason.samples.map(sample)) : hint("None of the newest records has this reason.")));
  return [
    el("div", {}, el("h3", {}, "Stream"), hint("Records that no row could be made of, by reason; the newest of each as samples, cut."),
      stream.length ? el("div", {}, stream) : hint(data.has_stream ? "Nothing is in quarantine." : "The stream has never run here.")),
    el("div", {}, el("h3", {}, "Batch, whole lake"), hint("Counts of the newest reconciliation; the rows are in the lake, delta/quarantine."),
      data.batch.length ? table("Quarantined rows by reason", ["table", "reason", "rows"], data.batch.map((each) => [each.table_name, each.reject_reason, each.rows]))
        : hint(data.has_batch ? "Nothing is in quarantine." : "No batch run has reconciled its rows yet."),
      data.defects.length ? details("defects", "Values set to NULL, rows stay", table("Values that were set to NULL", ["table", "column", "rows"], data.defects.map((each) => [each.table_name, each.column, each.rows]))) : null),
  ];
}

export function answers(data) {
  if (!data.answers.length) return [hint("Not computed yet: no batch run has published.")];
  return data.answers.map((each) => {
    const caption = `${each.question} (gold.${each.table})`;
    if (!each.rows.length) return el("article", {}, el("h3", {}, each.question), hint("The answer is empty: no post allows one."));
    const labels = each.rows.map((row) => row.slice(0, -1).join(" · "));
    const drawn = each.kind === "grid" ? grid(caption, each.rows) : bars(caption, labels, each.rows.map((row) => row.at(-1)), words(each.value));
    const note = each.kind === "bars" && each.rows.length > 12 ? `The 12 greatest of ${each.rows.length}` : null;
    return el("article", {}, el("h3", {}, each.question), note ? hint(note) : null, drawn,
      details(each.table, `All ${each.rows.length} rows`, table(caption, [...each.labels, each.value], each.rows)));
  });
}
