// The tree of actors: who has made whom, and who makes whom again. What was folded stays so while the page is open.
import { get } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { count, plural, state } from "/assets/format.js";

const folded = new Set();

export function treeView() {
  const asked = { ...Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? "")) };
  const status = h("span", { className: "count", role: "status" });
  const forest = h("ul", { className: "treeview" });
  const search = h("input", { type: "search", id: "filter", placeholder: "Filter", "aria-label": "Filter actors", value: asked.q ?? "", oninput: (event) => { asked.q = event.target.value; keep(); draw(); } });
  const ended = h("input", { type: "checkbox", checked: asked.ended === "true", onchange: (event) => { asked.ended = event.target.checked ? "true" : ""; keep(); update().catch((error) => fill(status, error.message)); } });
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Supervision"), h("span", { className: "sub" }, "who has made whom, whose end ends whom, and who makes whom again")),
    h("div", { className: "panel" }, h("div", { className: "filters" }, search, h("label", {}, ended, "with ended ones"), status), forest));
  let found = null;
  let shown = "";

  function keep() {
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    history.replaceState(null, "", `#/tree?${query}`);
  }

  async function update() {
    found = await get("tree", { ended: asked.ended, node: asked.node });
    draw();
    return found;
  }

  function draw() {
    if (!found) return;
    fill(status, plural(found.total, "actor"), found.cut ? ", of which not all are shown" : "");
    const now = JSON.stringify([asked, found.roots]);
    if (now === shown) return;
    shown = now;
    const needle = (asked.q ?? "").toLowerCase();
    const items = found.roots.map((root) => item(root, needle)).filter(Boolean);
    refill(forest, items.length ? items : h("li", { className: "empty" }, needle ? "No actor matches." : "No actor runs in this cluster."));
  }

  // An element for whoever matches, or has somebody below that does.
  function item(each, needle) {
    const line = each.kind === "actor" ? actor(each) : owner(each);
    const below = each.children.map((child) => item(child, needle)).filter(Boolean);
    const isMeant = !needle || [each.class, each.name, each.id, each.node, each.label].some((text) => text?.toLowerCase().includes(needle));
    if (!isMeant && !below.length) return null;
    const id = each.id ?? each.label;
    if (!below.length) return h("li", { className: "leaf" }, line);
    const inside = h("ul", { hidden: !needle && folded.has(id) }, below);
    const fold = h("button", { type: "button", className: "fold", "aria-expanded": String(!inside.hidden), "aria-label": `Whom ${each.name || each.class || each.label} has made` });
    fold.addEventListener("click", () => {
      const list = fold.parentElement.querySelector("ul");
      list.hidden = !list.hidden;
      fold.setAttribute("aria-expanded", String(!list.hidden));
      if (list.hidden) folded.add(id); else folded.delete(id);
    });
    return h("li", {}, fold, line, inside);
  }
  return { element, update };
}

function owner(root) {
  const states = Object.entries(root.states).map(([word, number]) => `${count(number)} ${word}`).join(", ");
  const name = root.label.split("~")[0];
  return [root.kind === "node" ? h("b", {}, "node ", h("a", { href: `#/nodes/${encodeURIComponent(name)}` }, name)) : h("b", {}, "detached: nobody's end ends these"), h("span", { className: "soft" }, ` ${states}`)];
}

function actor(row) {
  const ties = [["links", row.links], ["monitors", row.monitors]].filter(([, whom]) => whom.length).map(([what, whom]) => h("span", { className: "chip", title: whom.join(", ") }, `${what} ${whom.length}`));
  const lives = row.max_restarts === 0 ? null : h("span", { className: row.restarts ? "chip warn" : "chip", title: row.supervision }, row.max_restarts < 0 ? `restarts ${row.restarts}, without limit` : `restarts ${row.restarts} of ${row.max_restarts}`);
  return [h("a", { href: `#/actors/${encodeURIComponent(row.id)}` }, row.class, row.name ? ` ${row.name}` : ""), " ", state(row.state), h("span", { className: "soft" }, ` on ${row.node} `), lives, " ", ties,
    row.guardians.length ? h("span", { className: "faint" }, ` guarded by ${row.guardians.join(", ")}`) : null, row.made_by ? h("span", { className: "faint" }, ` made by ${row.made_by}`) : null, row.reason ? h("span", { className: "soft" }, ` ${row.reason}`) : null];
}
