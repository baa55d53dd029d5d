// The frame of the dashboard: which view is shown, when it asks again, what it says when not all nodes answered, and keys.
import { Refusal, get, signOut, whoami } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { showKeys } from "/assets/dialogs.js";
import { clock } from "/assets/format.js";
import { actorView, actorsView } from "/assets/view_actors.js";
import { clusterView } from "/assets/view_cluster.js";
import { channelsView, methodsView } from "/assets/view_calls.js";
import { nodeView, nodesView } from "/assets/view_nodes.js";
import { eventsView } from "/assets/view_events.js";
import { overlayView } from "/assets/view_overlay.js";
import { logsView } from "/assets/view_logs.js";
import { traceView, tracesView } from "/assets/view_traces.js";
import { treeView } from "/assets/view_tree.js";
import { moreView } from "/assets/view_more.js";

// A view is a function of what stands behind its name in the address; it gives {element, update(), close()}.
const VIEWS = [
  ["", "Cluster", clusterView, "c"],
  ["nodes", "Nodes", nodesView, "n"],
  ["overlay", "Overlay", overlayView, "o"],
  ["actors", "Actors", actorsView, "a"],
  ["tree", "Supervision", treeView, "u"],
  ["methods", "Methods", methodsView, "m"],
  ["channels", "Channels", channelsView, "h"],
  ["traces", "Traces", tracesView, "s"],
  ["logs", "Logs", logsView, "l"],
  ["events", "Events", eventsView, "e"],
  ["more", "More", moreView, "x"],
];
const DETAILS = { nodes: nodeView, actors: actorView, traces: traceView };
const PERIOD_MS = 2000;
const WARNINGS_MS = 10_000;

let current = null;
let timer = 0;
let warned = -Infinity; // when it was last asked what every page has to say
let round = 0; // counts: whoever asks again is the only one that goes on asking
let paused = false;
let readOnly = false;

function show() {
  const [path] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const argument = rest.map(decoded).join("/");
  const found = VIEWS.find(([each]) => each === name) ?? VIEWS[0];
  const make = argument && DETAILS[name] ? DETAILS[name] : found[2];
  current?.close?.();
  document.getElementById("dialog").close(); // it was about what is left
  current = make(argument, { readOnly, refresh, warnAgain: () => { warned = -Infinity; }, isPaused: () => paused });
  document.title = `${found[1]} - partisan dashboard`;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.name !== found[0]) { link.removeAttribute("aria-current"); continue; }
    link.setAttribute("aria-current", "page");
    link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.offsetLeft - (link.parentElement.clientWidth - link.clientWidth) / 2;
  }
  const main = document.getElementById("main");
  fill(main, current.element);
  scrollTo(0, 0);
  refresh();
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; } // an address that somebody has typed
}

async function refresh() {
  clearTimeout(timer);
  const asked = current;
  const mine = ++round;
  warn();
  try {
    const answer = await asked.update();
    if (mine !== round) return;
    tell(answer);
    fill(document.getElementById("freshness"), paused ? "paused" : clock(Date.now() / 1000).slice(0, 8));
  } catch (error) {
    if (mine !== round) return;
    banner(error instanceof Refusal ? error.message : "The dashboard itself does not answer. It is asked again every few seconds.", true);
    fill(document.getElementById("freshness"), "no answer");
  }
  if (!paused) timer = setTimeout(() => (document.hidden ? refreshWhenSeen() : refresh()), PERIOD_MS);
}

function refreshWhenSeen() {
  // A page that nobody sees asks nobody.
  const mine = round;
  document.addEventListener("visibilitychange", () => { if (mine === round && !paused) refresh(); }, { once: true });
}

function tell(answer) {
  const silent = answer?.unanswered ?? [];
  if (!silent.length) return banner("");
  const names = silent.slice(0, 5).map((each) => each.name).join(", ");
  return banner(`${answer.answered} of ${answer.asked} nodes answered. Not heard from: ${names}${silent.length > 5 ? ` and ${silent.length - 5} more` : ""} (${silent[0].why})`);
}

// Whoever looks at anything is told that what is seen is somebody's experiment.
async function warn() {
  if (performance.now() - warned < WARNINGS_MS) return;
  warned = performance.now();
  const told = await get("warnings").catch(() => null); // the view itself says what is wrong
  if (!told) return;
  const element = document.getElementById("drill");
  element.hidden = !told.faulted.length;
  const names = told.faulted.slice(0, 5).join(", ");
  refill(element, told.faulted.length ? ["Faults are injected on ", h("b", {}, names), told.faulted.length > 5 ? ` and ${told.faulted.length - 5} more` : "", ". What goes wrong may be that. ", h("a", { href: "#/more/faults" }, "Which?")] : []);
}

function banner(text, isBad = false) {
  const element = document.getElementById("banner");
  element.hidden = !text;
  element.classList.toggle("bad", isBad);
  if (element.textContent !== text) element.textContent = text;
}

function pause() {
  paused = !paused;
  const button = document.getElementById("pause");
  button.textContent = paused ? "Go on" : "Pause";
  button.classList.toggle("on", paused);
  button.setAttribute("aria-pressed", String(paused));
  if (paused) { clearTimeout(timer); fill(document.getElementById("freshness"), "paused"); } else refresh();
}

function theme() {
  const root = document.documentElement;
  const isDark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("partisan-theme", root.dataset.theme); } catch { /* then it is not remembered */ }
  document.dispatchEvent(new CustomEvent("themechange"));
}

const KEYS = [
  ...VIEWS.map(([name, label, , key]) => [key, label, () => { location.hash = `#/${name}`; }]),
  ["/", "Filter", () => document.getElementById("filter")?.focus()],
  ["p", "Pause, or go on", pause],
  ["r", "Ask again now", () => refresh()],
  ["t", "Light or dark", theme],
  ["?", "These keys", () => showKeys(KEYS.map(([key, label]) => [key, label]))],
];

function pressed(event) {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping) { event.target.blur(); return; }
  if (isTyping) return;
  const found = KEYS.find(([key]) => key === event.key);
  if (found) { event.preventDefault(); found[2](); }
}

async function begin() {
  fill(document.getElementById("nav"), VIEWS.map(([name, label, , key]) => h("a", { href: `#/${name}`, title: `key ${key}`, "data-name": name }, label)));
  document.getElementById("pause").addEventListener("click", pause);
  document.getElementById("theme").addEventListener("click", theme);
  document.getElementById("keys").addEventListener("click", () => showKeys(KEYS.map(([key, label]) => [key, label])));
  document.addEventListener("keydown", pressed);
  addEventListener("hashchange", show);
  try {
    const session = await whoami();
    readOnly = session.read_only;
    fill(document.getElementById("cluster"), session.cluster, readOnly ? [" ", h("span", { className: "chip" }, "read-only")] : null);
    const leave = document.getElementById("leave");
    leave.hidden = !session.may_sign_out;
    leave.addEventListener("click", () => signOut().catch((error) => banner(error.message, true)));
  } catch (error) {
    banner(error.message, true);
  }
  show();
}

begin();
