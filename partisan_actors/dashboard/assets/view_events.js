// What has happened in the cluster: the newest at the top, and more as it happens.
import { get } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { moment, plural, state } from "/assets/format.js";
import { Stream } from "/assets/stream.js";

const LIMIT = 500;
const FAMILIES = ["node", "overlay", "actor", "name", "process", "group", "object", "deadlock", "faults", "exporter", "connection"];

export function eventsView(_, { isPaused }) {
  const asked = { severity: "info", ...Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? "")) };
  const lines = h("tbody", {});
  const status = h("span", { className: "count", role: "status" });
  const search = h("input", { type: "search", id: "filter", placeholder: "Filter", "aria-label": "Filter events", value: asked.q ?? "", oninput: (event) => ask({ q: event.target.value }) });
  const severity = choice("severity", ["info", "warning", "error"], false);
  const kind = choice("kind", FAMILIES.includes(asked.kind) || !asked.kind ? FAMILIES : [...FAMILIES, asked.kind], true);
  const chosen = h("span", {});
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Events"), h("span", { className: "sub" }, "what has happened; each node keeps its last 200 of each kind")),
    h("div", { className: "panel" }, h("div", { className: "filters" }, search, h("label", {}, "at least", severity), h("label", {}, "Kind", kind), chosen, status),
      h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of events" }, h("table", { className: "events" }, h("thead", {}, h("tr", {}, ["When", "How bad", "Kind", "What", "Told by"].map((label) => h("th", { scope: "col" }, label)))), lines))));
  let timer = 0;
  let shown = "";
  let fresh = new Set();

  function choice(name, words, withAll) {
    return h("select", { onchange: (event) => ask({ [name]: event.target.value }) }, withAll ? h("option", { value: "" }, "all") : null, words.map((word) => h("option", { value: word, selected: word === asked[name] }, word)));
  }

  function ask(changes) {
    Object.assign(asked, changes);
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    history.replaceState(null, "", `#/events?${query}`);
    clearTimeout(timer);
    timer = setTimeout(() => update().catch((error) => fill(status, error.message)), 150);
  }

  // The stream says that something has happened; what is shown is asked for, as it is filtered.
  let isFirst = true;
  const stream = new Stream("/api/v1/events/stream", {
    events: ({ rows }) => {
      if (!isFirst) for (const row of rows) fresh.add(nameOf(row));
      isFirst = false;
      if (rows.length && !isPaused()) ask({});
    },
  });

  async function update() {
    const wanted = JSON.stringify(asked);
    const found = await get("events", { limit: LIMIT, ...asked });
    if (wanted !== JSON.stringify(asked)) return found;
    if (stream.failure) throw stream.failure;
    fill(status, plural(found.rows.length, "event"), found.cut ? ", and older ones" : "");
    const only = asked.about || asked.node;
    fill(chosen, only ? h("button", { type: "button", onclick: () => ask({ about: "", node: "" }) }, `only ${only} \u2715`) : null);
    const now = `${wanted} ${found.rows.map((row) => `${nameOf(row)}+${row.seen_by.length}`).join()}`;
    if (now === shown) return found;
    shown = now;
    if (found.rows.length) refill(lines, found.rows.toReversed().map(line));
    else refill(lines, h("tr", {}, h("td", { colSpan: 5, className: "empty" }, "Nothing has happened that is like that.")));
    fresh = new Set();
    return found;
  }

  function line(row) {
    const link = row.kind.startsWith("actor.") ? `#/actors/${encodeURIComponent(row.about)}` : row.kind.startsWith("node.") || row.kind.startsWith("overlay.") ? `#/nodes/${encodeURIComponent(row.about)}` : null;
    const others = row.seen_by.length > 1 ? h("span", { className: "faint", title: row.seen_by.join(", ") }, ` and ${row.seen_by.length - 1} more`) : null;
    return h("tr", { className: fresh.has(nameOf(row)) ? "fresh" : "" }, h("td", {}, isMapped(row) ? h("a", { href: `#/overlay?at=${Math.ceil(row.time * 1000)}`, title: "the map of the overlay at that time" }, moment(row.time, "mono")) : moment(row.time)), h("td", {}, state(row.severity)), h("td", { className: "mono" }, row.kind),
      h("td", { className: "wide" }, row.text, link ? h("a", { href: link, "aria-label": `show ${row.about}` }, " \u2197") : null), h("td", {}, row.node, others));
  }

  function close() {
    stream.close();
    clearTimeout(timer);
  }
  return { element, update, close };
}

const isMapped = (row) => row.kind.startsWith("node.") || row.kind.startsWith("overlay.");

function nameOf(row) {
  return `${row.kind} ${row.node} ${row.seq}`;
}
