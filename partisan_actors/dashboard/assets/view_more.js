// What is looked at less often: work that waits, placement groups, deadlocks.
import { get } from "/assets/api.js";
import { confirmAction } from "/assets/dialogs.js";
import { h, fill } from "/assets/dom.js";
import { bytes, moment, plural, seconds, state } from "/assets/format.js";
import { broadcasts } from "/assets/view_broadcasts.js";
import { faults } from "/assets/view_faults.js";
import { ServerTable } from "/assets/tables.js";

const PARTS = [["tasks", "Waiting work"], ["groups", "Placement groups"], ["deadlocks", "Deadlocks"], ["objects", "Objects"], ["dead-letters", "Dead letters"], ["broadcasts", "Broadcasts"], ["faults", "Faults"]];

export function moreView(part, { readOnly, refresh, warnAgain }) {
  const [name, title] = PARTS.find(([each]) => each === part) ?? PARTS[0];
  const tabs = h("div", { className: "filters", role: "navigation", "aria-label": "More views" }, PARTS.map(([each, label]) => h("a", { href: `#/more/${each}`, className: "chip", "aria-current": each === name ? "page" : null, style: each === name ? { background: "var(--accent-soft)", color: "var(--accent)" } : {} }, label)));
  const made = name === "deadlocks" ? deadlocks() : name === "objects" ? objects() : name === "dead-letters" ? letters(readOnly, refresh) : name === "broadcasts" ? broadcasts() : name === "faults" ? faults(readOnly, { refresh, warnAgain }) : table(name);
  return { element: h("div", {}, h("div", { className: "head" }, h("h1", {}, title)), tabs, h("div", { className: "panel" }, made.element)), update: made.update };
}

function table(name) {
  const made = name === "tasks"
    ? new ServerTable({ path: "tasks", noun: "row", order: "what", empty: "Nothing waits: all that was asked for is done or running.", columns: [{ key: "what", label: "What" }, { key: "state", label: "State" }, { key: "from", label: "Asked for by" }, { key: "reasons", label: "Why", sort: false, wide: true, show: (row) => h("ul", { className: "plain" }, row.reasons.map((each) => h("li", {}, each))) }] })
    : new ServerTable({ path: "groups", noun: "group", order: "id", empty: "There are no placement groups.", columns: [{ key: "name", label: "Name" }, { key: "state", label: "State", show: (row) => state(row.state) }, { key: "strategy", label: "Strategy" }, { key: "bundles", label: "Bundles", sort: false, wide: true, show: (row) => row.bundles.map((bundle, place) => `${Object.entries(bundle).map(([key, value]) => `${key} ${value}`).join(", ")} on ${row.nodes[place] ?? "no node"}`).join("; ") }, { key: "owner", label: "Owner", sort: false }, { key: "why", label: "Why", sort: false, wide: true }, { key: "id", label: "Id", mono: true }] });
  return { element: made.element, update: () => made.update() };
}

function objects() {
  const stores = h("div", { className: "legend" });
  const made = new ServerTable({ path: "objects", noun: "object", order: "-size_bytes", empty: "No node keeps a large object, or one that others hold.", columns: [
    { key: "id", label: "Object", mono: true }, { key: "node", label: "Owner" }, { key: "size_bytes", label: "Size", num: true, show: (row) => (row.size_bytes ? bytes(row.size_bytes) : h("span", { className: "faint" }, "small")) }, { key: "state", label: "State" }, { key: "where", label: "Where" }, { key: "handles", label: "Handles", num: true },
    { key: "holders", label: "Held by", show: (row) => row.held_by.join(", ") || h("span", { className: "faint" }, "nobody yet") }, { key: "copies_on", label: "Copies on", sort: false, show: (row) => row.copies_on.join(", ") }, { key: "on_the_way_s", label: "On its way", num: true, sort: false, show: (row) => (row.on_the_way_s ? `${Math.ceil(row.on_the_way_s)} s` : "") }] });
  async function update() {
    const found = await made.update();
    fill(stores, found.stores.map((each) => h("span", {}, `${each.node}: ${bytes(each.bytes_used)} of ${bytes(each.bytes_max)}${each.spilled ? `, ${each.spilled} on disk` : ""}`)));
    return found;
  }
  return { element: h("div", {}, stores, made.element), update };
}

function letters(readOnly, refresh) {
  const again = (row) => {
    const to = h("input", { "aria-label": "To which actor", value: row.actor, placeholder: "actor:node~1a/2", style: { width: "100%", marginTop: ".5rem" } });
    const text = h("span", {}, `${row.method}, which was for ${row.whom}, is sent once more, from node ${row.node}, to the actor with this id. References to objects in it may have ended.`, to);
    return h("button", { type: "button", "data-number": row.number, onclick: () => confirmAction("Send this message again?", text, "Send it", `nodes/${encodeURIComponent(row.node)}/dead-letters/${row.number}/resend`, () => ({ to: to.value.trim() }), refresh) }, "Send again");
  };
  const count = h("p", { className: "soft" });
  const made = new ServerTable({ path: "dead-letters", noun: "letter", order: "-time", empty: "Every message has reached somebody.", filters: [{ key: "reason", label: "Reason", choices: (answer) => Object.keys(answer.reasons) }], columns: [{ key: "time", label: "When", show: (row) => moment(row.time, "") }, { key: "node", label: "Node" }, { key: "whom", label: "For whom", wide: true }, { key: "method", label: "What" }, { key: "sender", label: "From" }, { key: "reason", label: "Reason" }, { key: "why", label: "Why it reached nobody", wide: true }, ...(readOnly ? [] : [{ key: "number", label: "", sort: false, show: (row) => (row.may_resend ? again(row) : h("span", { className: "faint", title: "What it held was too large to be kept, or cannot be read" }, "not kept")) }])] });
  async function update() {
    const found = await made.update();
    const reasons = Object.entries(found.reasons).map(([reason, number]) => `${number} ${reason}`).join(", ");
    fill(count, `${plural(found.count, "message")} in all${reasons ? ` (${reasons})` : ""}; each node keeps the last 200.`);
    return found;
  }
  return { element: h("div", {}, count, made.element), update };
}

function deadlocks() {
  const element = h("div", {});
  async function update() {
    const found = await get("deadlocks");
    fill(element, found.rows.length ? found.rows.map((ring) => h("div", {}, h("h2", {}, state("error"), ` a ring of ${ring.calls.length} calls; ${ring.waiting} more wait for these`), h("ul", { className: "plain" }, ring.calls.map((call) => h("li", {}, `${call.method} of ${call.actor} on ${call.node} `, h("span", { className: "soft" }, `${call.is_running ? "waits" : "is queued"}, for ${seconds(call.for_s)}`))))))
      : h("p", { className: "empty" }, "No calls wait for each other in a ring."));
    return found;
  }
  return { element, update };
}
