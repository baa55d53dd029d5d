// Methods: how often they are called, how long calls wait and run. Channels: what waits to be sent, to whom.
import { histogram, waitAndRun } from "/assets/charts.js";
import { showDetails } from "/assets/dialogs.js";
import { h } from "/assets/dom.js";
import { bytes, count, rate, seconds } from "/assets/format.js";
import { ServerTable } from "/assets/tables.js";

export function methodsView() {
  let most = 1e-6;
  let bounds = [];
  const details = (row) => showDetails(`${row.class ? `${row.class}.` : ""}${row.method}`, h("p", { className: "soft" }, `${count(row.calls)} calls, ${count(row.errors)} errors`),
    h("h2", {}, `Waited: p50 ${seconds(row.wait_p50_s)}, p99 ${seconds(row.wait_p99_s)}`), h("div", { style: { color: "var(--wait)" } }, histogram(row.wait, bounds, "how long calls waited")),
    h("h2", {}, `Ran: p50 ${seconds(row.run_p50_s)}, p99 ${seconds(row.run_p99_s)}`), h("div", { style: { color: "var(--run)" } }, histogram(row.run, bounds, "how long calls ran")), h("p", { className: "faint" }, `Buckets from ${seconds(bounds[0])} to ${seconds(bounds[bounds.length - 1])} and beyond; heights are logarithmic.`));
  const table = new ServerTable({
    path: "methods", noun: "method", order: "-calls", empty: "No call was measured yet.",
    filters: [{ key: "kind", label: "Kind", choices: () => ["ask", "tell", "task"] }],
    columns: [
      { key: "class", label: "Class", show: (row) => row.class || h("span", { className: "chip" }, "task") },
      { key: "method", label: "Method", show: (row) => h("button", { type: "button", style: { border: "0", padding: "0", minHeight: "0", color: "var(--accent)", background: "none" }, onclick: () => details(row) }, row.method) },
      { key: "kind", label: "Kind" },
      { key: "calls", label: "Calls", num: true, show: (row) => count(row.calls) },
      { key: "calls_per_s", label: "a second", num: true, show: (row) => rate(row.calls_per_s) },
      { key: "errors", label: "Errors", num: true, show: (row) => h("span", { className: row.errors ? "bad" : "" }, count(row.errors)) },
      { key: "in_flight", label: "In flight", num: true, show: (row) => count(row.in_flight) },
      { key: "wait_p50_s", label: "Waited p50", num: true, show: (row) => seconds(row.wait_p50_s) },
      { key: "wait_p99_s", label: "p99", num: true, show: (row) => seconds(row.wait_p99_s) },
      { key: "run_p50_s", label: "Ran p50", num: true, show: (row) => seconds(row.run_p50_s) },
      { key: "run_p95_s", label: "p95", num: true, show: (row) => seconds(row.run_p95_s) },
      { key: "run_p99_s", label: "p99", num: true, show: (row) => seconds(row.run_p99_s) },
      { key: "run_sum_s", label: "Waited and ran, p95", show: (row) => waitAndRun(row.wait_p95_s, row.run_p95_s, most), about: "sorted by all the time that calls ran" },
    ],
  });
  const legend = h("span", { className: "sub legend" }, h("span", {}, h("i", { style: { color: "var(--wait)", borderTopWidth: "8px" } }), "waited in the mailbox"), h("span", {}, h("i", { style: { color: "var(--run)", borderTopWidth: "8px" } }), "ran"));
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Methods"), legend), h("div", { className: "panel" }, table.element));
  const draw = table.draw.bind(table);
  table.draw = (answer) => {
    bounds = answer.bounds_s;
    most = Math.max(...answer.rows.map((row) => (row.wait_p95_s ?? 0) + (row.run_p95_s ?? 0)), 1e-6);
    draw(answer);
  };
  return { element, update: () => table.update() };
}

export function channelsView() {
  const table = new ServerTable({
    path: "channels", noun: "channel", order: "-queued_bytes", empty: "No channel is open, or no node measures them.",
    columns: [
      { key: "node", label: "Node" },
      { key: "peer", label: "To" },
      { key: "channel", label: "Channel" },
      { key: "lanes", label: "Lanes", num: true },
      { key: "queued_messages", label: "Waiting", num: true, show: (row) => h("span", { className: row.queued_messages > 1000 ? "hot" : "" }, count(row.queued_messages)) },
      { key: "queued_bytes", label: "Bytes", num: true, show: (row) => bytes(row.queued_bytes) },
      { key: "oldest_wait_s", label: "Oldest waits", num: true, show: (row) => h("span", { className: row.oldest_wait_s > 0.5 ? "hot" : "" }, seconds(row.oldest_wait_s)) },
      { key: "sent_bytes_per_s", label: "Sent/s", num: true, show: (row) => (row.sent_bytes_per_s === null ? null : bytes(row.sent_bytes_per_s)) },
      { key: "sent_messages_per_s", label: "Messages/s", num: true, show: (row) => rate(row.sent_messages_per_s) },
      { key: "received_bytes_per_s", label: "Received/s", num: true, show: (row) => (row.received_bytes_per_s === null ? null : bytes(row.received_bytes_per_s)) },
      { key: "sent_bytes", label: "Sent", num: true, show: (row) => bytes(row.sent_bytes) },
      { key: "received_bytes", label: "Received", num: true, show: (row) => bytes(row.received_bytes) },
      { key: "reconnects", label: "Reconnects", num: true },
    ],
  });
  return { element: h("div", {}, h("div", { className: "head" }, h("h1", {}, "Channels"), h("span", { className: "sub" }, "each end of each channel, and what waits there to be sent")), h("div", { className: "panel" }, table.element)), update: () => table.update() };
}
