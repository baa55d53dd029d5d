// Logs of all nodes, the newest at the bottom; they follow until somebody scrolls up.
import { get } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { moment, plural } from "/assets/format.js";

const LIMIT = 500;

export function logsView() {
  const asked = { level: "DEBUG", ...Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? "")) };
  const lines = h("div", { className: "lines", tabIndex: 0, role: "log", "aria-label": "Log records" });
  const status = h("span", { className: "count", role: "status" });
  const search = h("input", { type: "search", id: "filter", placeholder: "Filter", "aria-label": "Filter messages", value: asked.q ?? "", oninput: (event) => ask({ q: event.target.value }) });
  const level = h("select", { onchange: (event) => ask({ level: event.target.value }) }, ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].map((word) => h("option", { value: word, selected: word === asked.level }, word)));
  const node = h("select", { onchange: (event) => ask({ node: event.target.value }) }, h("option", { value: "" }, "all"), asked.node ? h("option", { value: asked.node, selected: true }, asked.node) : null);
  const chosen = h("span", {});
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Logs"), h("span", { className: "sub" }, "what logging let through; each node keeps its last 2000 records")),
    h("div", { className: "panel log" }, h("div", { className: "filters", style: { fontFamily: "var(--sans)" } }, search, h("label", {}, "at least", level), h("label", {}, "Node", node), chosen, status), lines));
  let timer = 0;
  let shown = "";

  function ask(changes) {
    Object.assign(asked, changes);
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    history.replaceState(null, "", `#/logs?${query}`);
    clearTimeout(timer);
    timer = setTimeout(() => update().catch((error) => fill(status, error.message)), 150);
  }

  async function update() {
    const wanted = JSON.stringify(asked);
    const [found, nodes] = await Promise.all([get("logs", { limit: LIMIT, ...asked }), get("nodes", { limit: 500 })]);
    if (wanted !== JSON.stringify(asked)) return found;
    if (document.activeElement !== node && node.options.length !== nodes.rows.length + 1) {
      fill(node, h("option", { value: "" }, "all"), nodes.rows.map((row) => h("option", { value: row.name }, row.name)));
      node.value = asked.node ?? "";
    }
    fill(status, plural(found.rows.length, "record"), found.cut ? ", and older ones" : "");
    const only = asked.actor ?? asked.trace;
    fill(chosen, only ? h("button", { type: "button", onclick: () => ask({ actor: "", trace: "" }) }, `only ${only} \u2715`) : null);
    const last = found.rows[found.rows.length - 1];
    const now = `${wanted} ${found.rows.length} ${last?.node} ${last?.seq}`;
    if (now === shown) return found;
    shown = now;
    const follows = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    if (found.rows.length) refill(lines, found.rows.map(line));
    else refill(lines, h("p", { className: "empty" }, "Nothing was logged that is like that."));
    if (follows) lines.scrollTop = lines.scrollHeight;
    return found;
  }

  function line(row) {
    const who = row.actor_id ? h("a", { href: `#/actors/${encodeURIComponent(row.actor_id)}`, title: row.actor_id }, row.actor_class) : h("span", { className: "faint", title: row.logger }, row.logger);
    return h("div", { className: `line ${row.level}` }, moment(row.time, "faint"), h("span", {}, row.level), h("span", {}, h("a", { href: `#/nodes/${encodeURIComponent(row.node)}` }, row.node), " ", who),
      h("span", {}, row.message, row.trace_id ? h("a", { href: `#/traces/${row.trace_id}`, title: "its trace" }, " \u2197") : null));
  }
  return { element, update };
}
