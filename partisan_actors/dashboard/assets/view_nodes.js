// Nodes, and one of them.
import { get } from "/assets/api.js";
import { confirmAction } from "/assets/dialogs.js";
import { h, fill, leading, refill } from "/assets/dom.js";
import { NONE, bytes, count, plural, seconds, span, state } from "/assets/format.js";
import { profileButton } from "/assets/flames.js";
import { showSettings } from "/assets/settings.js";
import { stacksButton } from "/assets/stacks.js";
import { ServerTable } from "/assets/tables.js";

const shown = (row) => (row.draining && row.state === "up" ? "draining" : row.why && row.state === "up" ? "no answer" : row.state);

export function nodesView() {
  const table = new ServerTable({
    path: "nodes", noun: "node", order: "name", empty: "The cluster has no nodes.",
    open: (row) => `#/nodes/${encodeURIComponent(row.name)}`,
    filters: [{ key: "state", label: "State", choices: () => ["up", "suspect", "down", "left"] }, { key: "processes", label: "with processes of isolated work", flag: true }],
    columns: [
      { key: "name", label: "Node", show: (row) => h("a", { href: `#/nodes/${encodeURIComponent(row.name)}` }, row.name) },
      { key: "state", label: "State", show: (row) => state(shown(row)) },
      { key: "actors", label: "Actors", num: true, show: (row) => count(row.actors) },
      { key: "neighbours", label: "Neighbours", num: true },
      { key: "cpu", label: "CPU", num: true, show: (row) => (row.cpu === null ? NONE : `${Math.round(row.cpu * 100)} %`), about: "of one processor" },
      { key: "rss_bytes", label: "Memory", num: true, show: (row) => bytes(row.rss_bytes) },
      { key: "loop_lag_p99_s", label: "Loop lag p99", num: true, show: (row) => h("span", { className: row.loop_lag_p99_s > 0.1 ? "hot" : "" }, seconds(row.loop_lag_p99_s)) },
      { key: "fds", label: "Files", num: true, show: (row) => count(row.fds) },
      { key: "tasks_running", label: "Tasks", num: true, show: (row) => count(row.tasks_running) },
      { key: "dead_letters", label: "Dead letters", num: true, show: (row) => count(row.dead_letters) },
      { key: "uptime_s", label: "Up for", num: true, show: (row) => span(row.uptime_s) },
      { key: "host", label: "Host" },
      { key: "pid", label: "Process", num: true },
      { key: "address", label: "Address", mono: true },
      { key: "version", label: "Version" },
    ],
  });
  return { element: h("div", {}, h("div", { className: "head" }, h("h1", {}, "Nodes"), h("span", { className: "sub" }, "every node is its own master; none is special")), h("div", { className: "panel" }, table.element)), update: () => table.update() };
}

export function nodeView(name, { readOnly, refresh }) {
  const sub = h("span", { className: "sub" });
  const told = h("span", { className: "sub", role: "status" });
  const facts = h("div", { className: "panel" });
  const views = h("div", { className: "panel" });
  const said = h("div", { className: "panel" });
  const actors = new ServerTable({ path: "actors", noun: "actor", order: "-mailbox", empty: "No actor runs here.", fixed: { node: name }, remember: false,
    open: (row) => `#/actors/${encodeURIComponent(row.id)}`,
    columns: [{ key: "class", label: "Class" }, { key: "name", label: "Name" }, { key: "state", label: "State", show: (row) => state(row.state) }, { key: "mailbox", label: "Mailbox", num: true }, { key: "processed", label: "Calls", num: true, show: (row) => count(row.processed) }, { key: "restarts", label: "Restarts", num: true }, { key: "id", label: "Id", mono: true }] });
  const path = `nodes/${encodeURIComponent(name)}`;
  const logs = leading(`#/logs?node=${encodeURIComponent(name)}`, "Logs");
  const events = leading(`#/events?about=${encodeURIComponent(name)}`, "Events");
  const settings = h("button", { type: "button", onclick: () => showSettings(name, readOnly) }, "Settings");
  const actions = readOnly ? [logs, events, stacksButton(path), profileButton(path), settings] : [logs, events, stacksButton(path), profileButton(path), settings,
    h("button", { type: "button", title: "Another node beside this one", onclick: () => confirmAction(`Start another node beside ${name}?`, `It runs on ${name}'s host as one more process of its partisan start, with the same settings and the same offer of resources, and ends with it.`, "Start it", `${path}/start`, {}, ({ text }) => { fill(told, text); refresh(); }) }, "Start another"),
    h("button", { type: "button", onclick: () => confirmAction(`Drain node ${name}?`, "It takes no new work. Its tasks finish, its restartable actors move to other nodes, the others have 60 seconds. Then it ends, if partisan start runs it. There is no way back.", "Drain it", `${path}/drain`, { timeout: 60 }, refresh) }, "Drain"),
    h("button", { type: "button", className: "danger", onclick: () => confirmAction(`Stop node ${name}?`, "Its process leaves the cluster and ends, with every actor on it.", "Stop it", `${path}/stop`, {}, refresh) }, "Stop"),
  ];
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, name), sub, told, h("span", { className: "actions" }, actions)),
    h("div", { className: "grid" }, facts, views, said), h("div", { className: "panel" }, h("h2", {}, "Actors"), actors.element));

  async function update() {
    const [found] = await Promise.all([get(path), actors.update()]);
    const { row, status, process, member } = found;
    refill(sub, state(shown(row)), row.why ? ` ${row.why}` : "");
    refill(facts, h("h2", {}, "Process"), pairs([["address", row.address], ["host", row.host], ["process", row.pid], ["up for", span(row.uptime_s)], ["Python", row.python ?? status?.python], ["version", row.version],
      ["CPU", row.cpu === null ? null : `${Math.round(row.cpu * 100)} % of one`], ["memory", bytes(row.rss_bytes)], ["open files", count(row.fds)], ["threads", count(row.threads)],
      ["loop lag p99", seconds(row.loop_lag_p99_s)], ["incarnation", process?.incarnation ?? member.id.split("~")[1]], ["hosted by", row.hosted_by]]));
    const link = (other) => h("a", { href: `#/nodes/${encodeURIComponent(other)}` }, other);
    refill(views, h("h2", {}, `Overlay: ${row.overlay}`), pairs([["active", list(found.neighbours.map(link))], ...Object.entries(found.views).filter(([view]) => view !== "active").map(([view, names]) => [view, list(names.map(link))]), ["labels", Object.entries(member.labels).map(([key, value]) => `${key}=${value}`).join(", ")], ["suspected by", member.suspected_by.join(", ")]]));
    refill(said, h("h2", {}, "Work"), status ? pairs([["actors", count(status.actors)], ["tasks running", count(status.tasks_running)], ["tasks waiting", count(status.tasks_queued)], ["tasks finished", count(status.tasks_finished)], ["restarts", count(status.restarts)], ["dead letters", count(status.dead_letters)], ["objects lent", count(status.objects_lent)], ["connected peers", count(status.connected_peers)], ["resumed lanes", count(status.resumed_lanes)], ["broken connections", count(status.broken_connections)], ["refused connections", count(status.refused_connections)], ["encrypted", status.tls ? "TLS" : "no"]]) : h("p", { className: "soft" }, "It has not answered. What is shown is what other nodes know of it."));
    return { asked: 1, answered: 1, unanswered: [] };
  }
  return { element, update };
}

function pairs(rows) {
  return h("dl", { className: "facts" }, rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== NONE).map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]));
}

function list(elements) {
  return elements.length ? elements.flatMap((each, place) => (place ? [", ", each] : [each])) : "nobody";
}
