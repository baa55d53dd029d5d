// Actors, and one of them.
import { get } from "/assets/api.js";
import { waitAndRun } from "/assets/charts.js";
import { confirmAction } from "/assets/dialogs.js";
import { h, leading, refill } from "/assets/dom.js";
import { NONE, bytes, count, moment, plural, rate, seconds, state } from "/assets/format.js";
import { profileButton } from "/assets/flames.js";
import { stacksButton } from "/assets/stacks.js";
import { stateButton } from "/assets/states.js";
import { ServerTable } from "/assets/tables.js";

export function actorsView() {
  const table = new ServerTable({
    path: "actors", noun: "actor", order: "-mailbox", empty: "No actor runs in this cluster. Programs make them: pa.init(address=...), and remote() of a class with @pa.actor.",
    open: (row) => `#/actors/${encodeURIComponent(row.id)}`,
    filters: [{ key: "class", label: "Class", choices: (answer) => answer.classes }, { key: "state", label: "State", choices: () => ["alive", "stopping", "starting", "restarting", "pending", "stopped"] }, { key: "ended", label: "with ended ones", flag: true }],
    columns: [
      { key: "class", label: "Class", show: (row) => h("a", { href: `#/actors/${encodeURIComponent(row.id)}` }, row.class) },
      { key: "name", label: "Name" },
      { key: "node", label: "Node", show: (row) => h("a", { href: `#/nodes/${encodeURIComponent(row.node)}` }, row.node) },
      { key: "state", label: "State", show: (row) => state(row.state) },
      { key: "mailbox", label: "Mailbox", num: true, show: (row) => h("span", { className: row.mailbox > 100 ? "hot" : "" }, count(row.mailbox)) },
      { key: "processed", label: "Calls", num: true, show: (row) => count(row.processed) },
      { key: "calls_per_s", label: "a second", num: true, show: (row) => rate(row.calls_per_s) },
      { key: "run_p95_s", label: "Ran p95", num: true, about: "of its calls that were timed", show: (row) => seconds(row.run_p95_s) },
      { key: "latency_p95_s", label: "Waited and ran", num: true, about: "in the mailbox, and then: 95 % of each", show: (row) => seconds(row.latency_p95_s) },
      { key: "memory_bytes", label: "Memory", num: true, about: "of the process of an isolated actor", show: (row) => bytes(row.memory_bytes) },
      { key: "restarts", label: "Restarts", num: true },
      { key: "id", label: "Id", mono: true },
      { key: "reason", label: "Why", wide: true },
    ],
  });
  return { element: h("div", {}, h("div", { className: "head" }, h("h1", {}, "Actors"), h("span", { className: "sub" }, "wherever they are")), h("div", { className: "panel" }, table.element)), update: () => table.update() };
}

export function actorView(id, { readOnly, refresh }) {
  const title = h("h1", {}, id);
  const sub = h("span", { className: "sub" });
  const facts = h("div", { className: "panel" });
  const now = h("div", { className: "panel" });
  const calls = h("div", { className: "panel" });
  const traces = h("div", { className: "panel" });
  const said = h("div", { className: "panel log" });
  const happened = h("div", { className: "panel" });
  const path = `actors/${encodeURIComponent(id)}`;
  const asks = (what, text, method, label) => () => confirmAction(`${what} this actor?`, text, label, `${path}/${method}`, {}, refresh);
  const restart = h("button", { type: "button", onclick: asks("Restart", "It ends now, its running and waiting calls fail, and it is made again, here or elsewhere.", "restart", "Restart it") }, "Restart");
  const stop = h("button", { type: "button", onclick: asks("Stop", "It does what waits in its mailbox, and then ends for good.", "stop", "Stop it") }, "Stop");
  const kill = h("button", { type: "button", className: "danger", onclick: asks("Kill", "It ends now, for good. Its running and waiting calls fail.", "kill", "Kill it") }, "Kill");
  const stateOf = stateButton(path);
  const element = h("div", {}, h("div", { className: "head" }, title, sub, h("span", { className: "actions" }, leading(`#/logs?actor=${encodeURIComponent(id)}`, "Logs"), stateOf, stacksButton(path), profileButton(path), readOnly ? [] : [restart, stop, kill])), h("div", { className: "grid" }, facts, now), calls, h("div", { className: "grid", style: { marginTop: ".9rem" } }, happened, traces, said));

  async function update() {
    const found = await get(path);
    const { row, now: at } = found;
    const nothing = () => ({ rows: [] });
    const [methods, lately, logs, events] = await Promise.all([get("methods", { class: row.class, sort: "-calls", limit: 50 }).catch(nothing), get("traces", { tags: `partisan.actor.id="${id}"`, limit: 10 }).catch(nothing), get("logs", { actor: id, limit: 10 }).catch(nothing), get("events", { about: id, limit: 10 }).catch(nothing)]);
    refill(title, row.class, row.name ? ` \u201c${row.name}\u201d` : "");
    refill(sub, state(row.state), row.reason ? ` ${row.reason}` : "");
    stateOf.hidden = !at?.methods.includes("inspect_state");
    const over = row.state === "stopped" || row.state === "stopping";
    for (const button of [restart, stop, kill]) button.disabled = over;
    if (at) { restart.disabled = over || !at.may_restart; restart.title = at.may_restart ? "" : "It was made without a restart left (max_restarts)."; }
    refill(facts, h("h2", {}, "Actor"), pairs([["id", h("code", {}, row.id)], ["node", h("a", { href: `#/nodes/${encodeURIComponent(row.node)}` }, row.node)], ["owner", row.owner ?? "nobody: it is detached"], ["made by", row.made_by?.startsWith("actor:") ? h("a", { href: `#/actors/${encodeURIComponent(row.made_by)}` }, row.made_by) : row.made_by || "a program"], ["guarded by", (row.guardians ?? []).join(", ")], ["links", (row.links ?? []).join(", ")], ["monitors", (row.monitors ?? []).join(", ")], ["calls ended", count(row.processed)], ["waited, p95", seconds(row.wait_p95_s)], ["ran, p95", seconds(row.run_p95_s)], ["slowest", seconds(row.slowest_s)], ["memory", bytes(row.memory_bytes)], ["restarts", `${row.restarts}${at ? ` of ${at.max_restarts < 0 ? "any number" : at.max_restarts}` : ""}`], ["namespace", row.namespace], ["held by", (row.held_by ?? []).length ? plural(row.held_by.length, "node") : null], ["end", row.kind]]));
    refill(now, h("h2", {}, "At this moment"), at ? pairs([["mailbox", `${plural(at.waiting, "message")} of at most ${count(at.mailbox_max)}`], ["next", at.head.join(", ") || "nothing waits"], ["running", at.running.join(", ") || (at.is_thread_busy ? "a blocking method" : "nothing")], ["at once", at.max_concurrency ?? "as many coroutines as there are"], ["methods", at.methods.join(", ")]]) : h("p", { className: "soft" }, "It does not run, or its node does not answer."));
    const most = Math.max(...methods.rows.map((each) => (each.wait_p95_s ?? 0) + (each.run_p95_s ?? 0)), 1e-6);
    refill(calls, h("h2", {}, `Methods of ${row.class}, on all nodes`), methods.rows.length ? h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Methods" }, h("table", {}, h("thead", {}, h("tr", {}, ["Method", "Calls", "Errors", "Waited p95", "Ran p50", "Ran p95", "Ran p99", "Waited and ran, p95"].map((label, place) => h("th", { scope: "col", className: place && place < 7 ? "num" : "" }, label)))),
      h("tbody", {}, methods.rows.map((each) => h("tr", {}, h("td", {}, each.method), [count(each.calls), count(each.errors), seconds(each.wait_p95_s), seconds(each.run_p50_s), seconds(each.run_p95_s), seconds(each.run_p99_s)].map((text) => h("td", { className: "num" }, text)), h("td", {}, waitAndRun(each.wait_p95_s, each.run_p95_s, most))))))) : h("p", { className: "soft" }, "No calls were measured."));
    refill(happened, h("h2", {}, h("a", { href: `#/events?about=${encodeURIComponent(id)}` }, "What has happened to it")), events.rows.length ? h("ul", { className: "plain" }, events.rows.toReversed().map((each) => h("li", {}, moment(each.time), " ", state(each.severity), ` ${each.text}`))) : h("p", { className: "soft" }, "Nothing that anybody remembers: no failure, restart or end."));
    refill(traces, h("h2", {}, "Recent traces"), lately.rows.length ? h("ul", { className: "plain" }, lately.rows.map((each) => h("li", {}, moment(each.start_ns / 1e9), " ", h("a", { href: `#/traces/${each.trace_id}` }, each.root_name), ` ${seconds(each.duration_ns / 1e9)} `, each.errors ? state("error") : null))) : h("p", { className: "soft" }, "No node remembers one with this actor."));
    refill(said, h("h2", {}, "Last logged"), logs.rows.length ? h("ul", { className: "plain" }, logs.rows.map((each) => h("li", {}, moment(each.time), ` ${each.level} ${each.message}`))) : h("p", { className: "soft" }, "It has logged nothing that logging let through."));
    return { asked: 1, answered: 1, unanswered: [] };
  }
  return { element, update };
}

function pairs(rows) {
  return h("dl", { className: "facts" }, rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== NONE).map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]));
}
