// A node's settings, where each comes from, and changing those that may change while it runs.
import { get } from "/assets/api.js";
import { confirmAction, showDetails } from "/assets/dialogs.js";
import { h, fill } from "/assets/dom.js";

export async function showSettings(name, readOnly) {
  const body = h("div", { className: "scroll" }, h("p", { className: "soft" }, "It is asked."));
  const search = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter settings", oninput: () => draw() });
  let told = null;
  showDetails(`Settings of node ${name}`, h("div", { className: "filters" }, search), body);
  try {
    told = await get(`nodes/${encodeURIComponent(name)}/settings`);
    draw();
  } catch (error) {
    fill(body, h("p", { className: "bad", role: "alert" }, error.message));
  }

  function draw() {
    const needle = search.value.toLowerCase();
    const rows = told.rows.filter((row) => row.name.toLowerCase().includes(needle)).sort((one, other) => other.may_change - one.may_change);
    fill(body, h("table", {}, h("thead", {}, h("tr", {}, ["Setting", "Value", "From", ""].map((label) => h("th", { scope: "col" }, label)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("td", {}, row.name), h("td", { className: "wide mono" }, JSON.stringify(row.value)), h("td", {}, row.source), h("td", {}, row.may_change && !readOnly ? h("button", { type: "button", onclick: () => ask(row) }, "Change") : null))))));
  }

  function ask(row) {
    const about = told.changeable[row.name] ?? told.changeable[row.name.split(".")[0]] ?? "";
    const words = about.split(", ");
    const isChoice = row.name in told.changeable && words.length > 2;
    const input = isChoice ? h("select", { "aria-label": row.name }, words.map((word) => h("option", { value: word, selected: word === row.value }, word))) : h("input", { "aria-label": row.name, value: row.value ?? "none" });
    const text = h("span", {}, `${row.name}: ${isChoice ? "one of these. " : `${about}. `}It lasts as long as the node's process. `, input);
    confirmAction(`Change a setting of node ${name}?`, text, "Change it", `nodes/${encodeURIComponent(name)}/settings`, () => ({ setting: row.name, value: input.value }), () => showSettings(name, readOnly));
  }
}
