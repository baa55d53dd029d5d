// Dialogs: whoever is about to end something is asked first; and the keys.
import { act } from "/assets/api.js";
import { h, fill } from "/assets/dom.js";

const dialog = () => document.getElementById("dialog");

export function confirmAction(title, text, label, path, parameters, done) {
  const problem = h("p", { className: "bad", role: "alert" });
  const go = h("button", { type: "button", className: "danger" }, label);
  go.addEventListener("click", async () => {
    go.disabled = true;
    fill(problem);
    fill(go, "Asked for \u2026"); // a node may take seconds to start
    try {
      const answer = await act(path, typeof parameters === "function" ? parameters() : parameters);
      dialog().close();
      done?.(answer);
    } catch (error) {
      fill(problem, error.message);
      fill(go, label);
      go.disabled = false;
    }
  });
  show(title, h("p", {}, text), problem, h("div", { className: "row" }, closing("Cancel"), go));
}

export function showKeys(keys) {
  show("Keys", h("dl", { className: "facts" }, keys.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])), h("div", { className: "row" }, closing("Close")));
}

export function showDetails(title, ...children) {
  show(title, ...children, h("div", { className: "row" }, closing("Close")));
}

function closing(label) {
  return h("button", { type: "button", autofocus: true, onclick: () => dialog().close() }, label);
}

function show(title, ...children) {
  fill(dialog(), h("h2", { id: "dialog-title" }, title), ...children);
  if (!dialog().open) dialog().showModal();
}
