// Traces: a list of the newest, and one of them as a waterfall.
import { get, whoami } from "/assets/api.js";
import { h, fill, leading, refill } from "/assets/dom.js";
import { NONE, clock, count, moment, plural, seconds, state } from "/assets/format.js";

export function tracesView() {
  const asked = { limit: 50 };
  const rows = h("tbody");
  const status = h("span", { className: "count", role: "status" });
  const service = h("select", {}, h("option", { value: "" }, "all"));
  const operation = h("select", {}, h("option", { value: "" }, "all"));
  const input = (key, placeholder, label, id = null) => h("input", { type: "search", id, placeholder, "aria-label": label, oninput: (event) => ask({ [key]: event.target.value }) });
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Traces"), h("span", { className: "sub" }, "as the nodes remember them, newest first"),
      h("span", { className: "actions" }, leading("/api/v1/timeline", "Save timeline", { download: "timeline.json", title: "The last spans of all nodes, for Perfetto or chrome://tracing" }))),
    h("div", { className: "panel" }, h("div", { className: "filters" },
      h("label", {}, "Service", service), h("label", {}, "Span", operation), input("tags", "error=true", "Attributes of a span", "filter"), input("min_duration", "at least 10ms", "Shortest duration"),
      h("label", {}, h("input", { type: "checkbox", onchange: (event) => ask({ failed: event.target.checked ? "true" : "" }) }), "failed"),
      h("label", {}, "Begun", h("select", { onchange: (event) => ask({ since: event.target.value }) }, [["", "at any time"], ["60", "last minute"], ["900", "last 15 minutes"], ["3600", "last hour"]].map(([value, label]) => h("option", { value }, label)))), status),
    h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of traces" }, h("table", {}, h("thead", {}, h("tr", {}, ["Began", "Trace", "Took", h("span", { className: "visually-hidden" }, "Took, as a bar"), "Spans", "Errors", "Nodes", "Id"].map((label, place) => h("th", { scope: "col", className: [2, 4, 5].includes(place) ? "num" : "" }, label)))), rows))));
  service.addEventListener("change", () => ask({ service: service.value, operation: "" }));
  operation.addEventListener("change", () => ask({ operation: operation.value }));
  let timer = 0;

  function ask(changes) {
    Object.assign(asked, changes);
    clearTimeout(timer);
    timer = setTimeout(() => update().catch((error) => fill(status, error.message)), 200);
  }

  function choices(select, names, chosen) {
    if (document.activeElement === select || select.options.length === names.length + 1) return;
    fill(select, h("option", { value: "" }, "all"), names.map((name) => h("option", { value: name }, name)));
    select.value = chosen ?? "";
  }

  async function update() {
    const wanted = JSON.stringify(asked);
    const [found, names] = await Promise.all([get("traces", asked), get("traces/names", { service: asked.service })]);
    if (wanted !== JSON.stringify(asked)) return found;
    choices(service, names.services, asked.service);
    choices(operation, [...new Set(names.operations.map((each) => each.name))], asked.operation);
    fill(status, plural(found.rows.length, "trace"), found.cut ? ", and there are more" : "");
    const most = Math.max(...found.rows.map((row) => row.duration_ns), 1);
    if (found.rows.length) refill(rows, found.rows.map((row) => line(row, most)));
    else refill(rows, h("tr", {}, h("td", { colSpan: 8, className: "empty" }, found.tracing ? "No trace is like that." : "No node traces. Start nodes with --tracing, or pa.init(tracing=True); no other server is needed.")));
    return found;
  }

  function line(row, most) {
    const href = `#/traces/${row.trace_id}`;
    const width = Math.max(1, (100 * Math.log10(1 + row.duration_ns / 1e4)) / Math.log10(1 + most / 1e4));
    return h("tr", { className: "link", tabIndex: 0, onclick: () => { location.hash = href; }, onkeydown: (event) => { if (event.key === "Enter") location.hash = href; } },
      h("td", {}, moment(row.start_ns / 1e9, "mono")), h("td", {}, h("a", { href }, row.root_name), row.orphans ? h("span", { className: "chip warn", title: "spans whose parent no node remembers" }, `${row.orphans} without parent`) : null),
      h("td", { className: "num" }, seconds(row.duration_ns / 1e9)), h("td", { style: { width: "160px" } }, h("span", { className: "bars" }, h("span", { className: "track" }, h("i", { className: "run-bg", style: { left: "0", width: `${width}%` } })))),
      h("td", { className: "num" }, count(row.spans)), h("td", { className: "num" }, h("span", { className: row.errors ? "bad" : "faint" }, row.errors || NONE)), h("td", {}, row.nodes.join(", ")), h("td", { className: "mono faint" }, row.trace_id.slice(0, 12)));
  }
  return { element, update };
}

export function traceView(id) {
  const title = h("h1", {}, id);
  const sub = h("span", { className: "sub" });
  const links = h("span", { className: "actions" });
  const lanes = h("div", { className: "waterfall", role: "group", "aria-label": "Spans" });
  const legend = h("div", { className: "legend" }, [["run", "on the node where it began"], ["tree", "on another node"], ["wait", "waited in a mailbox"], ["bad", "failed"]].map(([colour, label]) => h("span", {}, h("i", { className: "block", style: { color: `var(--${colour})` } }), label)));
  const details = h("div", { className: "panel" });
  const element = h("div", {}, h("div", { className: "head" }, title, sub, links), h("div", { className: "panel" }, legend, lanes), details);
  let selected = null;
  let shape = "";

  async function update() {
    const found = await get(`traces/${encodeURIComponent(id)}`);
    const now = `${found.spans.length} ${found.summary.end_ns}`;
    if (now === shape) return found; // spans do not change, there can only be more of them
    shape = now;
    const { summary } = found;
    const { jaeger_url: jaeger } = await whoami();
    fill(title, summary.root_name);
    fill(sub, `${clock(summary.start_ns / 1e9)}, ${seconds(summary.duration_ns / 1e9)}, ${plural(summary.spans, "span")} on ${summary.nodes.join(", ")}`, summary.errors ? [" ", state("error")] : "");
    fill(links, ["jaeger", "otlp", "chrome"].map((form) => leading(`/api/v1/traces/${encodeURIComponent(id)}/export?format=${form}`, `Save as ${form}`, { download: `${id}.${form}.json` })), leading(`#/logs?trace=${id}`, "Logs"), jaeger ? leading(`${jaeger.replace(/\/$/, "")}/trace/${id}`, "Open in Jaeger", { target: "_blank", rel: "noopener" }) : null);
    draw(found);
    return found;
  }

  function draw({ spans, summary }) {
    const length = Math.max(summary.duration_ns, 1);
    const nodes = [...new Set(spans.map((span) => nodeOf(span)))];
    const ticks = h("span", { className: "ticks", "aria-hidden": "true" }, [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", { style: { left: `${100 * part}%` } }, part ? seconds((part * length) / 1e9) : "0")));
    refill(lanes, h("span", { className: "soft" }, "Span"), ticks, h("span", { className: "time soft" }, "Took"), inOrder(spans).map(([span, depth]) => {
      const name = h("button", { type: "button", className: `name ${span.span_id === selected ? "on" : ""}`, style: { paddingLeft: `${8 + depth * 15}px` }, title: `${span.name} on ${nodeOf(span)}`, "aria-pressed": String(span.span_id === selected), "data-span": span.span_id, onclick: () => { selected = span.span_id; draw({ spans, summary }); } },
        span.status === "error" ? h("span", { className: "bad", title: "failed" }, "\u2715 ") : null, span.name, h("span", { className: "faint" }, ` ${nodeOf(span)}`));
      const left = (100 * (span.start_ns - summary.start_ns)) / length;
      const width = Math.min(100 - left, (100 * (span.end_ns - span.start_ns)) / length);
      const waited = span.attributes["partisan.mailbox.wait"];
      const kind = span.status === "error" ? "error" : span.name.startsWith("mailbox") ? "wait" : nodes.indexOf(nodeOf(span)) > 0 ? "far" : "";
      const wait = waited ? h("i", { className: "wait", title: `waited ${seconds(waited)}`, style: { left: `${left}%`, width: `${Math.min(width, (100 * waited * 1e9) / length)}%`, opacity: ".9", top: "9px", bottom: "1px" } }) : null;
      return [name, h("span", { className: "lane" }, h("i", { className: kind, style: { left: `${left}%`, width: `${width}%` } }), wait), h("span", { className: "time" }, seconds((span.end_ns - span.start_ns) / 1e9))];
    }));
    show(spans.find((span) => span.span_id === selected) ?? spans[0]);
  }

  function show(span) {
    const pairs = (values) => h("dl", { className: "facts" }, Object.entries(values).map(([key, value]) => [h("dt", {}, key), h("dd", { className: "mono" }, typeof value === "object" ? JSON.stringify(value) : String(value))]));
    fill(details, h("h2", {}, span.name, " ", h("span", { className: "chip" }, span.kind), span.status === "error" ? h("span", { className: "chip bad" }, span.status_message || "failed") : null),
      h("div", { className: "grid" }, h("div", {}, pairs({ span: span.span_id, parent: span.parent_id ?? "none", node: nodeOf(span), took: seconds((span.end_ns - span.start_ns) / 1e9), ...span.attributes })),
        h("div", {}, span.events.length ? [h("h2", {}, "Events"), span.events.map((event) => pairs({ event: event.name, after: seconds((event.time_ns - span.start_ns) / 1e9), ...event.attributes }))] : null,
          span.links.length ? [h("h2", {}, "Links"), h("ul", { className: "plain" }, span.links.map((link) => h("li", {}, h("a", { href: `#/traces/${link.trace_id}` }, link.trace_id))))] : null)));
  }
  return { element, update };
}

function nodeOf(span) {
  return span.resource["partisan.node.name"] ?? span.resource["service.name"] ?? "";
}

// Children below their parents, in the order of time; a span whose parent nobody remembers is a root. Rings cannot hang it.
function inOrder(spans) {
  const known = new Set(spans.map((span) => span.span_id));
  const below = new Map();
  for (const span of spans) {
    const parent = known.has(span.parent_id) ? span.parent_id : null;
    below.set(parent, [...(below.get(parent) ?? []), span]);
  }
  const found = [];
  const seen = new Set();
  const walk = (parent, depth) => {
    for (const span of below.get(parent) ?? []) {
      if (seen.has(span.span_id)) continue;
      seen.add(span.span_id);
      found.push([span, Math.min(depth, 30)]);
      walk(span.span_id, depth + 1);
    }
  };
  walk(null, 0);
  for (const span of spans) if (!seen.has(span.span_id)) found.push([span, 0]);
  return found;
}
