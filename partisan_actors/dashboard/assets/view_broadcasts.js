// What broadcasts cost: how often a payload comes once more, what is said beside, over how many links, how deep the tree is.
import { h, refill } from "/assets/dom.js";
import { NONE, count, rate } from "/assets/format.js";
import { ServerTable } from "/assets/tables.js";

const each = (value) => (value === null || value === undefined ? NONE : value.toFixed(2));

export function broadcasts() {
  const figures = h("div", { className: "figures" });
  const links = h("div", { className: "hops" });
  const made = new ServerTable({ path: "broadcasts", noun: "node", order: "-redundancy", empty: "No node tells of broadcasts.", columns: [
    { key: "node", label: "Node", show: (row) => h("a", { href: `#/nodes/${encodeURIComponent(row.node)}` }, row.node) },
    { key: "delivered", label: "Arrived", num: true, show: (row) => count(row.delivered) },
    { key: "delivered_per_s", label: "a second", num: true, show: (row) => rate(row.delivered_per_s) },
    { key: "repeated", label: "Once more", num: true, show: (row) => count(row.repeated) },
    { key: "redundancy", label: "Redundancy", num: true, about: "payloads that came once more, for each that was new (RMR)", show: (row) => each(row.redundancy) },
    { key: "lazy", label: "Announced", num: true, show: (row) => count(row.lazy) },
    { key: "graft", label: "Grafts", num: true, show: (row) => count(row.graft) },
    { key: "prune", label: "Prunes", num: true, show: (row) => count(row.prune) },
    { key: "control_each", label: "Control for each", num: true, about: "announcements, grafts and prunes for each broadcast that was new", show: (row) => each(row.control_each) },
    { key: "hops_mean", label: "Links crossed", num: true, about: "in the mean", show: (row) => each(row.hops_mean) },
    { key: "hops_max", label: "at most", num: true },
    { key: "eager", label: "Passes on to", num: true, about: "neighbours in the tree" },
    { key: "depth", label: "Depth below it", num: true, about: "over how many links of the tree its own broadcasts reach everybody (LDH)", show: (row) => (row.unreached ? h("span", { className: "hot", title: "the tree does not lead to all" }, `${row.depth}, ${row.unreached} not reached`) : row.depth) },
  ] });

  async function update() {
    const found = await made.update();
    const { totals } = found;
    const figure = (label, value, note) => h("div", { className: "figure" }, h("div", { className: "label" }, label), h("div", { className: "value" }, value), h("div", { className: "note" }, note));
    refill(figures,
      figure("Redundancy lately", each(found.lately ?? null), `${each(totals.redundancy)} since the nodes were started; 0 on a tree`),
      figure("Control for each", each(totals.control_each), `${count(totals.lazy)} announced, ${count(totals.graft)} grafts, ${count(totals.prune)} prunes`),
      figure("Links crossed", each(totals.hops_mean), totals.hops_max === null ? "nothing has arrived" : `at most ${totals.hops_max}`),
      figure("Depth of the tree", found.depth_max === null ? NONE : found.depth_min === found.depth_max ? found.depth_max : `${found.depth_min} to ${found.depth_max}`, `${count(found.links)} links; depends on who broadcasts`),
      figure("Arrived", count(totals.delivered), `${count(totals.repeated)} once more`));
    const most = Math.max(...Object.values(totals.hops), 1);
    refill(links, Object.entries(totals.hops).map(([crossed, number]) => h("div", { className: "hop" }, h("span", { className: "soft" }, `${crossed} link${crossed === "1" ? "" : "s"}`), h("span", { className: "track" }, h("i", { className: "run-bg", style: { width: `${(100 * number) / most}%` } })), h("span", { className: "num" }, count(number)))));
    return found;
  }
  return { element: h("div", {}, figures, h("h2", {}, "Broadcasts by the links that they crossed"), links, h("h2", {}, "By node"), made.element), update };
}
