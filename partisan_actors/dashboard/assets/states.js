// What an actor says of its state: asked for when somebody wants it, for it is a call of the actor.
import { get } from "/assets/api.js";
import { showDetails } from "/assets/dialogs.js";
import { h, fill } from "/assets/dom.js";

export function stateButton(path) {
  return h("button", { type: "button", hidden: true, title: "What it says of its state", onclick: () => showState(path) }, "State");
}

async function showState(path) {
  const body = h("div", { className: "stacks" });
  const again = h("button", { type: "button", onclick: () => look() }, "Look again");
  showDetails("What it says of its state", h("div", { className: "filters" }, again), body);

  async function look() {
    again.disabled = true;
    fill(body, h("p", { className: "soft", role: "status" }, "It is asked, in its turn."));
    try {
      const told = await get(`${path}/state`);
      fill(body, told.why ? h("p", { className: "soft", role: "status" }, told.why) : h("div", { className: "mono" }, shown(told.state)), told.cut ? h("p", { className: "soft" }, "There is more than is shown.") : null);
    } catch (error) {
      fill(body, h("p", { className: "bad", role: "alert" }, error.message));
    }
    again.disabled = false;
  }
  await look();
}

function shown(value) {
  if (Array.isArray(value)) return value.length ? h("ol", { className: "values", start: 0 }, value.map((each) => h("li", {}, shown(each)))) : h("span", { className: "faint" }, "empty");
  if (value === null || typeof value !== "object") return value === null ? h("span", { className: "faint" }, "None") : String(value);
  const pairs = Object.entries(value);
  return pairs.length ? h("dl", { className: "facts" }, pairs.map(([key, each]) => [h("dt", {}, key), h("dd", {}, shown(each))])) : h("span", { className: "faint" }, "empty");
}
