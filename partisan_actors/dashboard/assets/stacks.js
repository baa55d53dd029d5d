// What a node or an actor runs at this moment, and what that waits for: asked for when somebody wants it.
import { get } from "/assets/api.js";
import { showDetails } from "/assets/dialogs.js";
import { h, fill } from "/assets/dom.js";

export function stacksButton(path) {
  return h("button", { type: "button", title: "What it runs at this moment", onclick: () => showStacks(path) }, "Stacks");
}

async function showStacks(path) {
  const body = h("div", { className: "stacks" }, h("p", { className: "soft" }, "It is asked."));
  const withOwn = h("input", { type: "checkbox", onchange: () => draw() });
  const again = h("button", { type: "button", onclick: () => look() }, "Look again");
  let told = null;
  showDetails("Stacks at this moment", h("div", { className: "filters" }, again, h("label", {}, withOwn, "with those of the framework")), body);

  async function look() {
    try {
      told = await get(`${path}/stacks`);
      draw();
    } catch (error) {
      fill(body, h("p", { className: "bad", role: "alert" }, error.message));
    }
  }

  function draw() {
    if (!told) return;
    const rows = [...told.threads.map((row) => ["thread", row]), ...told.coroutines.map((row) => ["coroutine", row])];
    const shown = rows.filter(([, row]) => withOwn.checked || row.runs);
    const hidden = rows.length - shown.length;
    fill(body, shown.map(([what, row]) => stack(what, row)), shown.length ? null : h("p", { className: "empty" }, "It runs nothing of anybody's at this moment."),
      hidden ? h("p", { className: "soft" }, `${hidden} of the framework itself are not shown.`) : null, told.left_out ? h("p", { className: "soft" }, `${told.left_out} more are left out.`) : null);
  }

  function stack(what, row) {
    const frames = row.frames.filter((frame) => withOwn.checked || frame.is_users || row.frames.every((each) => !each.is_users));
    return h("section", {}, h("h2", {}, row.runs || row.name, h("span", { className: "soft" }, ` on a ${what}${row.waits_for.length ? `, waits for ${row.waits_for.join(", ")}` : ""}`)),
      h("ol", { className: "plain mono" }, frames.map((frame) => h("li", {}, h("span", { className: "faint" }, `${frame.file}:${frame.line} `), frame.function, h("div", { className: frame.is_users ? "" : "soft" }, `\u00a0\u00a0${frame.text}`)))));
  }
  await look();
}
