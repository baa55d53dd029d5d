// Faults on purpose: which there are, one more, and the end of all. Nodes that do not allow it take no part.
import { get } from "/assets/api.js";
import { confirmAction } from "/assets/dialogs.js";
import { h, fill, refill } from "/assets/dom.js";
import { count, plural, seconds } from "/assets/format.js";

export function faults(readOnly, { refresh, warnAgain }) {
  const now = h("div", {});
  const told = h("p", { className: "soft", role: "status" });
  const make = h("div", {});
  let forms = [];
  let names = [];

  const kind = h("select", { id: "fault-kind", onchange: () => show() });
  const about = h("p", { className: "soft" });
  const fields = h("div", { className: "form" });
  const values = { nodes: "", seconds: "30", percent: "5", delay_ms: "100", one_way: false };
  const inputs = {
    nodes: ["Nodes", (id) => h("input", { id, list: "fault-nodes", required: true, placeholder: "all, 2 random, 30%, or names between commas", value: values.nodes, oninput: (event) => { values.nodes = event.target.value; } })],
    percent: ["Of messages, in per cent", (id) => number(id, "percent", 1, 100)],
    delay_ms: ["By milliseconds", (id) => number(id, "delay_ms", 1, 60000)],
    one_way: ["Only what these nodes send", (id) => h("input", { id, type: "checkbox", checked: values.one_way, onchange: (event) => { values.one_way = event.target.checked; } })],
    seconds: ["For seconds", (id) => number(id, "seconds", 1, 3600)],
  };
  const number = (id, key, min, max) => h("input", { id, type: "number", min, max, required: true, value: values[key], oninput: (event) => { values[key] = event.target.value; } });

  function show() {
    const form = forms.find((each) => each.operation === kind.value);
    fill(about, form.about);
    fill(fields, Object.keys(inputs).filter((key) => form.takes.includes(key)).map((key) => [h("label", { htmlFor: `fault-${key}` }, inputs[key][0]), inputs[key][1](`fault-${key}`)]));
  }

  function ask() {
    const form = forms.find((each) => each.operation === kind.value);
    const bad = fields.querySelector(":invalid");
    if (bad) { bad.reportValidity(); return; }
    const given = Object.fromEntries(["nodes", ...form.takes].map((key) => [key, String(values[key])]));
    const text = `${form.about} Nodes: ${values.nodes}.${form.takes.includes("seconds") ? ` For ${values.seconds} s.` : ""} Work that needs them may fail.`;
    confirmAction(`Inject ${form.operation}?`, text, "Inject it", "faults", { operation: form.operation, ...given }, done);
  }

  const done = (answer) => { fill(told, `${answer.text}, by ${plural(answer.nodes.length, "node")}`); warnAgain(); refresh(); };
  const end = h("button", { type: "button", className: "danger", onclick: () => confirmAction("End all faults?", "Cuts heal, and what was held arrives. What has crashed or left stays as it is.", "End them", "faults/clear", {}, done) }, "End all");

  async function update() {
    const found = await get("faults");
    const rows = found.rows.map((row) => h("tr", {}, h("td", {}, h("b", {}, row.operation)), h("td", { className: "wide" }, row.text.replace(`${row.operation}: `, "")), h("td", { className: "num" }, row.begins_s ? `in ${seconds(row.begins_s)}` : "now"), h("td", { className: "num" }, seconds(Math.ceil(row.left_s))), h("td", { className: "wide" }, row.nodes.join(", "))));
    const suffered = found.nodes.filter((row) => row.rules || Object.keys(row.suffered).length).map((row) => h("li", {}, `${row.node}: ${plural(row.rules, "rule")}, `, Object.entries(row.suffered).map(([what, many]) => `${count(many)} ${what}`).join(", ") || "no message has suffered"));
    refill(now, rows.length ? h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of faults" }, h("table", {}, h("thead", {}, h("tr", {}, ["Fault", "What", "Begins", "Lasts yet", "Carried out by"].map((label, place) => h("th", { scope: "col", className: place === 2 || place === 3 ? "num" : "" }, label)))), h("tbody", {}, rows)))
      : h("p", { className: "empty" }, "No faults are injected from outside."), suffered.length ? h("ul", { className: "plain" }, suffered) : null);
    forms = found.forms;
    names = found.allowed_on;
    if (!kind.options.length) { fill(kind, forms.map((each) => h("option", { value: each.operation }, each.operation))); show(); }
    const mayInject = found.may_inject && !readOnly;
    if (!names.length) refill(make, h("p", { className: "soft" }, "No node takes part in faults. Start those of a laboratory with --allow-faults; others are left alone."));
    else if (!mayInject) refill(make, h("p", { className: "soft" }, `${plural(names.length, "node")} would take part. ${readOnly ? "This dashboard is read-only." : "Other machines can reach this dashboard: start it with --allow-faults, or one on loopback."}`), readOnly ? null : end);
    else if (!make.contains(kind)) {
      fill(make, h("h2", {}, "One more"), h("div", { className: "form" }, h("label", { htmlFor: "fault-kind" }, "Fault"), kind), about, fields, h("datalist", { id: "fault-nodes" }, ["all", "1 random", "30%", ...names].map((name) => h("option", { value: name }))), h("div", { className: "filters" }, h("button", { type: "button", className: "danger", onclick: ask }, "Inject"), end), h("p", { className: "faint" }, `${names.join(", ")} would take part.`));
    }
    return found;
  }
  return { element: h("div", {}, told, now, make), update };
}
