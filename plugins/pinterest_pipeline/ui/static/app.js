// Fetch each panel by itself, so that one that cannot be answered leaves the others alone, and draw what changed.

import { ago, byId, clock, el, notice } from "./dom.js";
import { batchFlow, streamFlow } from "./flow.js";
import * as panels from "./panels.js";

const EVERY_MS = 15_000;
const GIVE_UP_MS = 25_000;
const NAMES = ["health", "flow", "stream", "history", "quarantine", "answers"];
const latest = {};
let drawn = {};

async function ask(name) {
  try {
    const response = await fetch(`api/${name}`, { signal: AbortSignal.timeout(GIVE_UP_MS), credentials: "same-origin" });
    if (response.ok) return await response.json();
    if (response.status === 401) return { state: "unavailable", why: "You are not signed in to Airflow any more.", remedy: "Then you see this again.", path: "pinterest/" };
    const remedy = { 403: "Ask for the right to read the DAG pinterest_daily_batch." };
    return { state: "unavailable", why: `Airflow answered ${response.status}.`, remedy: remedy[response.status] ?? "Read the log of the api-server." };
  } catch (error) {
    return { state: "unavailable", why: `Airflow does not answer (${error.name}).`, remedy: "Check that its api-server runs, and that you are connected." };
  }
}

function show(id, panel, draw) {
  const box = byId(id);
  const shape = `${JSON.stringify({ ...panel, now: undefined })} ${box.clientWidth < 560} ${byId("run").value}`;
  if (drawn[id] === shape && panel.state !== "ok") return;
  if (drawn[id] === shape && !/lag|health|tiles/.test(id)) return; // these show ages, which change by themselves
  if (drawn[id] && box.contains(document.activeElement)) return; // not under the reader's hands
  drawn[id] = shape;
  box.replaceChildren(...(panel.state === "ok" ? draw(panel) : [notice(panel)]));
}

const WAITING = { state: "waiting" };

function tiles() {
  const { health = WAITING, flow = WAITING, stream = WAITING } = latest;
  const loading = { level: "unknown", word: "Loading", detail: "Airflow has not answered yet." };
  const unknown = (panel) => ({ level: "bad", word: "Not known", detail: `${panel.why.split(":")[0].replace(/\.$/, "")}. ${panel.remedy}`, path: panel.path });
  const state = (panel, known) => ({ ok: known, waiting: () => loading }[panel.state] ?? (() => unknown(panel)))();
  const of = (name) => state(health, () => health.tiles[name]);
  const commit = { ok: () => `Last commit ${ago(stream.newest_commit, stream.now)}.`, waiting: () => null }[stream.state] ?? (() => "Last commit not known.");
  const trouble = stream.state === "ok" ? stream.trouble : null; // of single queries, while the run is well, or paused
  const monitored = of("stream");
  const isPaused = monitored.level === "off";
  const streamTile = trouble && !isPaused && monitored.level !== "bad" ? trouble : monitored;
  const more = trouble && isPaused ? `${commit()} ${trouble.detail}` : commit();
  const now = health.now ?? new Date().toISOString();
  return [
    panels.tile("Answers", state(flow, () => flow.tile), flow.now ?? now),
    panels.tile("Batch", of("batch"), now),
    panels.tile("Connector", of("connector"), now),
    panels.tile("Stream", streamTile, now, more),
  ];
}

function chooseRuns() {
  const select = byId("run");
  const runs = latest.flow?.runs ?? [];
  byId("run-choice").hidden = runs.length === 0;
  const ids = runs.map((run) => run.run_id);
  if (document.activeElement === select || ids.join() === [...select.options].map((option) => option.value).join()) return;
  const chosen = select.value;
  select.replaceChildren(...runs.map((run) => el("option", { value: run.run_id }, `${clock(run.reconciled_at)} · ${run.run_id}`)));
  if (ids.includes(chosen)) select.value = chosen;
}

// Draws what has arrived: a panel that takes long holds no other back.
function drawAll() {
  const { health, flow, stream, history, quarantine, answers } = latest;
  chooseRuns();
  byId("tiles").replaceChildren(...tiles());
  const width = byId("flow").clientWidth;
  const isShown = flow && flow.state !== "ok" && flow.why === stream?.why; // the panel shows a reason once
  for (const [id, panel, draw] of [
    ["flow", flow, (panel) => batchFlow(panel, byId("run").value, width)],
    ["flow-stream", isShown ? { state: "ok", exists: false } : stream, (panel) => (panel.exists ? streamFlow(panel, width) : [])],
    ["lag", stream, panels.lag],
    ["fresh", health, panels.freshness],
    ["history", history, panels.history],
    ["health", health, panels.health],
    ["quarantine", quarantine, panels.quarantine],
    ["answers", answers, panels.answers],
  ]) if (panel) show(id, panel, draw);
}

async function refresh() {
  byId("main").setAttribute("aria-busy", "true");
  await Promise.all(NAMES.map(async (name) => { latest[name] = await ask(name); drawAll(); }));
  byId("main").setAttribute("aria-busy", "false");
  byId("seen").textContent = `As of ${new Date().toISOString().slice(11, 19)} UTC`;
}

// Inside Airflow the page follows the theme that was chosen there; by itself, the system's.
function followTheme() {
  if (window.parent === window) return;
  try {
    const host = window.parent.document.documentElement;
    const follow = () => {
      const theme = ["dark", "light"].find((name) => host.classList.contains(name));
      if (theme) document.documentElement.dataset.theme = theme;
    };
    new MutationObserver(follow).observe(host, { attributes: true, attributeFilter: ["class"] });
    follow();
  } catch {
    // framed by a page of another origin: keep the system's theme
  }
}

// Airflow's frame lets a link open neither the whole window nor a new one, but the document around it may.
function openAround(event) {
  const chosen = event.target.closest("a[href]");
  if (!chosen || chosen.getAttribute("href").startsWith("#") || window.parent === window) return;
  try {
    const host = window.parent.document;
    const around = host.createElement("a");
    around.href = chosen.href;
    if (event.ctrlKey || event.metaKey || event.shiftKey) around.target = "_blank";
    host.body.append(around);
    around.click();
    around.remove();
    event.preventDefault();
  } catch {
    // framed by a page of another origin: the link opens in the frame
  }
}

followTheme();
document.addEventListener("click", openAround);
byId("refresh").addEventListener("click", refresh);
byId("run").addEventListener("change", drawAll);
let narrow = window.innerWidth;
window.addEventListener("resize", () => {
  if (narrow !== window.innerWidth && latest.flow) { narrow = window.innerWidth; drawAll(); }
});
setInterval(() => byId("live").checked && !document.hidden && refresh(), EVERY_MS);
refresh();
