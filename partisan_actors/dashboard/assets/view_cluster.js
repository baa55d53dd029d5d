// The cluster at a glance.
import { get } from "/assets/api.js";
import { Line, waitAndRun } from "/assets/charts.js";
import { h, refill } from "/assets/dom.js";
import { bytes, count, plural, rate, seconds, state } from "/assets/format.js";

const lines = { calls: new Line(), errors: new Line(), p99: new Line(), actors: new Line() };

export function clusterView() {
  const sub = h("span", { className: "sub" });
  const figures = h("div", { className: "figures" });
  const alerts = h("div", { className: "panel" });
  const resources = h("div", { className: "panel" });
  const tasks = h("div", { className: "panel" });
  const busiest = h("div", { className: "panel" });
  const fullest = h("div", { className: "panel" });
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Cluster"), sub), figures, h("div", { className: "grid" }, alerts, resources, tasks), h("div", { className: "grid" }, busiest, fullest));

  async function update() {
    const [found, methods, actors] = await Promise.all([get("cluster"), get("methods", { sort: "-calls_per_s", limit: 8 }), get("actors", { sort: "-mailbox", limit: 8 })]);
    const { nodes, calls, totals } = found;
    lines.calls.push(calls.calls_per_s);
    lines.errors.push(calls.errors_per_s);
    lines.p99.push(calls.run_p99_s);
    lines.actors.push(totals.actors);
    refill(sub, `${found.cluster}, overlay ${found.overlays.join(", ") || "unknown"}`, found.read_only ? ", read-only" : "");
    const other = ["suspect", "down", "left"].filter((each) => nodes[each]).map((each) => `${nodes[each]} ${each}`);
    refill(figures,
      figure("Nodes up", count(nodes.up), other.length ? other.join(", ") : found.processes ? plural(found.processes, "process") + " of isolated work" : "all there are", null, "#/nodes"),
      figure("Actors", count(totals.actors), totals.restarts ? plural(totals.restarts, "restart") : "no restarts", lines.actors, "#/actors"),
      figure("Calls a second", rate(calls.calls_per_s), `${count(calls.calls)} in all, ${count(calls.in_flight)} in flight`, lines.calls, "#/methods"),
      figure("Errors a second", rate(calls.errors_per_s), `${count(calls.errors)} in all`, lines.errors, "#/methods?sort=-errors", calls.errors_per_s > 0 ? "bad" : ""),
      figure("Ran, p50 and p99", [seconds(calls.run_p50_s), h("span", { className: "second" }, ` / ${seconds(calls.run_p99_s)}`)], `waited ${seconds(calls.wait_p50_s)} / ${seconds(calls.wait_p99_s)}`, lines.p99, "#/methods?sort=-run_p99_s"),
      figure("Dead letters", count(totals.dead_letters), totals.dead_letters ? "messages that reached nobody" : "every message arrived", null, "#/more/dead-letters", totals.dead_letters ? "hot" : ""),
    );
    refill(alerts, h("h2", {}, "Needs a look"), found.alerts.length
      ? h("ul", { className: "plain" }, found.alerts.slice(0, 30).map((each) => h("li", {}, state(each.severity), " ", each.node ? h("a", { href: `#/nodes/${encodeURIComponent(each.node)}` }, each.text) : each.text)))
      : h("p", { className: "soft" }, "Nothing. All nodes that are up answered, and none has complaints."));
    refill(resources, h("h2", {}, "Resources"), h("dl", { className: "facts" }, Object.entries(found.resources.total).map(([name, total]) => {
      const free = found.resources.available[name] ?? 0;
      const show = name.includes("memory") ? bytes : count;
      return [h("dt", {}, name), h("dd", {}, bar(total - free, total), ` ${show(total - free)} of ${show(total)} in use`)];
    })), Object.keys(found.resources.total).length ? null : h("p", { className: "soft" }, "The nodes offer none."));
    refill(tasks, h("h2", {}, "Tasks"), h("dl", { className: "facts" },
      h("dt", {}, "running"), h("dd", {}, count(totals.tasks_running)), h("dt", {}, "waiting"), h("dd", {}, count(totals.tasks_queued)),
      h("dt", {}, "finished"), h("dd", {}, count(totals.tasks_finished)), h("dt", {}, "measured by"), h("dd", {}, `${calls.measured_by} of ${plural(found.asked, "node")}`)));
    const most = Math.max(...methods.rows.map((row) => (row.wait_p95_s ?? 0) + (row.run_p95_s ?? 0)), 1e-6);
    refill(busiest, h("h2", {}, h("a", { href: "#/methods?sort=-calls_per_s" }, "Busiest methods")), small("Busiest methods", ["Method", "a second", "Errors", "Ran p95", "Waited and ran"], methods.rows.map((row) => [`${row.class ? `${row.class}.` : ""}${row.method}`, rate(row.calls_per_s), row.errors ? h("span", { className: "bad" }, count(row.errors)) : "0", seconds(row.run_p95_s), waitAndRun(row.wait_p95_s, row.run_p95_s, most)]), "No call was measured yet."));
    refill(fullest, h("h2", {}, h("a", { href: "#/actors?sort=-mailbox" }, "Fullest mailboxes")), small("Fullest mailboxes", ["Actor", "Node", "Waiting", "Calls"], actors.rows.map((row) => [h("a", { href: `#/actors/${encodeURIComponent(row.id)}` }, row.class, row.name ? ` ${row.name}` : ""), row.node, count(row.mailbox), count(row.processed)]), "No actor runs in this cluster."));
    return found;
  }
  return { element, update };
}

function small(label, heads, rows, empty) {
  if (!rows.length) return h("p", { className: "soft" }, empty);
  const isNumber = (place) => place > 0 && !["Node", "Waited and ran"].includes(heads[place]);
  return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": label }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((text, place) => h("th", { scope: "col", className: isNumber(place) ? "num" : "" }, text)))), h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, place) => h("td", { className: isNumber(place) ? "num" : "" }, cell)))))));
}

function figure(label, value, note, line, href, kind = "") {
  return h("a", { className: "figure", href, style: { color: "inherit", textDecoration: "none" } }, h("div", { className: "label" }, label), h("div", { className: `value ${kind}` }, value), h("div", { className: "note" }, note), line ? line.draw(`${label}, lately`) : null);
}

function bar(used, total) {
  return h("span", { className: "bars", style: { display: "inline-flex", width: "110px" } }, h("span", { className: "track" }, h("i", { className: "run-bg", style: { left: "0", width: `${total ? (100 * used) / total : 0}%` } })));
}
