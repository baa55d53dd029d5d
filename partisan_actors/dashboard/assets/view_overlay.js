// The live map of the overlay: who is linked with whom, the broadcast tree, ways through others, and what changes.
import { get } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { clock, plural, state } from "/assets/format.js";
import { Layout } from "/assets/layout.js";
import { NODE, Painter } from "/assets/painter.js";
import { PastBar } from "/assets/past.js";
import { Stream } from "/assets/stream.js";

const FEED_MAX = 200;
const feed = [];

export function overlayView(_, { isPaused }) {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const layout = new Layout();
  const news = new Map();
  const shown = { tree: false, passive: false, ways: true, names: true };
  let picture = { nodes: [], links: [], passive: {}, tree: [], ways: [], parts: [], one_sided: [], unanswered: [] };
  let selected = null;
  let root = "";
  let channel = ""; // whose connections are drawn in the place of the overlay's links
  let connections = [];
  let frame = 0;
  let isFitted = false;
  let isChosen = false; // somebody has chosen what part of the map is seen
  let isHeld = false;
  let isOpen = true;
  let last = null; // what the stream has told

  const canvas = h("canvas", { tabIndex: 0, role: "img", "aria-label": "Map of the overlay" });
  const summary = h("p", { className: "visually-hidden", role: "status" });
  const sub = h("span", { className: "sub" });
  const side = h("div", { className: "panel" });
  const list = h("div", { className: "panel feed", tabIndex: 0, "aria-label": "What has changed" });
  const roots = h("select", { "aria-label": "Whose broadcasts the tree is for" });
  roots.addEventListener("change", () => { root = roots.value; refreshTree(); });
  const channels = h("select", { "aria-label": "Which links are shown" }, h("option", { value: "" }, "links of the overlay"));
  channels.addEventListener("change", () => { channel = channels.value; connections = []; refreshChannel().then(draw); });
  const toggles = [["tree", "Broadcast tree"], ["passive", "Passive views"], ["ways", "Relay paths"], ["names", "Names"]].map(([key, label]) => {
    const button = h("button", { type: "button", "aria-pressed": String(shown[key]), className: shown[key] ? "on" : "" }, label);
    button.addEventListener("click", () => {
      shown[key] = !shown[key];
      button.setAttribute("aria-pressed", String(shown[key]));
      button.classList.toggle("on", shown[key]);
      if (key === "tree") refreshTree();
      draw();
    });
    return button;
  });
  const fit = h("button", { type: "button", onclick: () => { isChosen = false; painter.fit(layout.bounds()); draw(); } }, "Fit");
  const legend = h("div", { className: "legend", "aria-hidden": "true" }, [["active", "active"], ["passive", "passive"], ["tree", "tree"], ["way", "relayed"], ["loose", "one-sided"]].map(([kind, label]) => h("span", { className: kind }, h("i"), label)), state("up"), state("suspect"), state("draining"), state("down"), state("process"));
  // ---- the past ----

  const bar = new PastBar({
    show: (then) => take(then, false),
    live: () => {
      pastToggle.setAttribute("aria-pressed", "false");
      pastToggle.classList.remove("on");
      if (last) take({ ...last, changes: [] }, true); else update().catch(() => null); // the next question says what is wrong
    },
  });
  const pastToggle = h("button", { type: "button", "aria-pressed": "false", title: "The map as it was", onclick: () => (bar.isOpen ? bar.close() : openPast()) }, "Past");

  async function openPast(at = null) {
    pastToggle.setAttribute("aria-pressed", "true");
    pastToggle.classList.add("on");
    await bar.open(at).catch((error) => { bar.close(); fill(sub, h("span", { className: "bad", role: "alert" }, error.message)); });
  }

  const stage = h("div", { className: "panel stage" }, canvas, h("div", { className: "controls" }, toggles, channels, roots, fit, pastToggle), legend, summary);
  const element = h("div", {}, h("div", { className: "head" }, h("h1", {}, "Overlay"), sub), bar.element, h("div", { className: "map" }, stage, h("div", { className: "side" }, side, list)));
  const painter = new Painter(canvas);

  // ---- what is shown ----

  function take(found, isLive) {
    const isOther = JSON.stringify(found.links) !== JSON.stringify(picture.links) || found.nodes.length !== picture.nodes.length;
    const now = performance.now();
    for (const each of found.changes ?? []) {
      feed.unshift({ ...each, time: Date.now() / 1000 });
      news.set(each.other ? `${each.node}|${each.other}` : each.node, { at: now });
    }
    feed.length = Math.min(feed.length, FEED_MAX);
    picture = { ...found, tree: root && isLive ? picture.tree : found.tree };
    if (isOther) {
      layout.wide = Math.min(2.2, Math.max(0.6, (canvas.clientWidth || 1) / (canvas.clientHeight || 1) / Math.max(1, picture.parts.length)));
      layout.set(picture.nodes, picture.links, picture.parts);
      if (isStill || !isFitted) layout.settle(isStill ? 1500 : 400);
      if (!isFitted && canvas.clientWidth) { painter.fit(layout.bounds()); isFitted = true; }
    }
    if (!picture.nodes.some((each) => each.name === selected)) selected = null;
    describe();
    run();
  }

  function describe() {
    const up = picture.nodes.filter((each) => each.state === "up").length;
    const parts = picture.parts.length;
    const text = `${bar.isOpen ? "as it was: " : ""}${plural(up, "node")} up, ${plural(picture.links.length, "active link")}, ${parts === 1 ? "in one part" : `in ${parts} parts`}${picture.one_sided.length ? `, ${plural(picture.one_sided.length, "one-sided link")}` : ""}`;
    fill(sub, text, parts > 1 ? h("span", { className: "chip bad", style: { marginLeft: ".6rem" } }, "partitioned") : null);
    if (summary.textContent !== text) summary.textContent = text;
    const names = picture.nodes.map((each) => each.name);
    if (document.activeElement !== roots && roots.options.length !== names.length + 1) {
      fill(roots, h("option", { value: "" }, "tree of all"), names.map((name) => h("option", { value: name }, `tree of ${name}`)));
      roots.value = root;
    }
    if (bar.isOpen) refill(list, bar.list());
    else refill(list, h("h2", {}, "What has changed"), feed.length ? h("ul", { className: "plain" }, feed.map((each) => h("li", {}, h("span", { className: "faint mono" }, clock(each.time).slice(0, 8)), " ", each.text))) : h("p", { className: "soft" }, "Nothing since this page was opened."));
    const node = picture.nodes.find((each) => each.name === selected);
    refill(side, node ? about(node) : everybody());
  }

  function about(node) {
    const near = picture.links.filter((each) => each.from === node.name || each.to === node.name).map((each) => (each.from === node.name ? each.to : each.from));
    const open = connections.filter((each) => each.from === node.name || each.to === node.name).map((each) => `${each.from === node.name ? each.to : each.from} (${plural(each.lanes, "lane")}${each.queued ? `, ${each.queued} queued` : ""})`);
    const ways = picture.ways.filter(([from]) => from === node.name).map(([, to, by]) => `${to} by ${by}`);
    return [h("h2", {}, h("a", { href: `#/nodes/${encodeURIComponent(node.name)}` }, node.name), " ", state(node.draining ? "draining" : node.state)),
      h("dl", { className: "facts" }, [["overlay", node.overlay], ["host", node.host], ["actors", node.actors], ["active", links(near)], [channel ? `channel ${channel}` : "", channel ? open.join(", ") || "no connection" : ""], ["passive", links(picture.passive[node.name] ?? [])], ["relays", ways.join(", ") || "none"], ["answered", node.answered ? "yes" : "no: this is what others know"]].filter(([key]) => key).map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])),
      h("button", { type: "button", onclick: () => choose(null) }, "Close")];
  }

  function everybody() {
    return [h("h2", {}, "Nodes"), h("ul", { className: "plain", style: { maxHeight: "34vh", overflow: "auto" } }, [...picture.nodes].sort((one, other) => (one.state === "up") - (other.state === "up")).slice(0, 300).map((each) => h("li", {}, link(each.name), " ", state(each.draining ? "draining" : each.state), h("span", { className: "faint" }, ` ${plural(picture.links.filter((one) => one.from === each.name || one.to === each.name).length, "link")}`))))];
  }

  const link = (name) => h("button", { type: "button", style: { border: "0", padding: "0", minHeight: "0", background: "none", color: "var(--accent)" }, onclick: () => choose(name) }, name);
  const links = (names) => (names.length ? names.flatMap((name, place) => (place ? [", ", link(name)] : [link(name)])) : "nobody");

  function choose(name) {
    selected = name;
    describe();
    draw();
  }

  // ---- drawing ----

  function draw() {
    if (!isFitted && canvas.clientWidth && picture.nodes.length) { painter.fit(layout.bounds()); isFitted = true; }
    const links = channel ? connections.map(({ from, to, ends }) => ({ from, to, mutual: ends === 2 })) : picture.links;
    painter.draw({ ...picture, links }, layout.nodes, shown, selected, isStill ? new Map() : news, performance.now());
    canvas.dataset.nodes = picture.nodes.length; // for whoever tests this
    canvas.dataset.links = links.length;
  }

  function run() {
    if (frame) return;
    const turn = () => {
      frame = 0;
      if (!isOpen) return;
      const isMoving = !isStill && layout.step();
      if (isMoving && !isChosen && !isHeld) painter.fit(layout.bounds());
      const now = performance.now();
      for (const [key, each] of news) if (now - each.at > 3000) news.delete(key);
      draw();
      if (isMoving || (news.size && !isStill)) frame = requestAnimationFrame(turn);
    };
    frame = requestAnimationFrame(turn);
  }

  // ---- hands ----

  let grabbed = null;
  const at = (event) => { const box = canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  const under = (point) => {
    const world = painter.toWorld(point.x, point.y);
    return [...layout.nodes.values()].map((each) => [Math.hypot(each.x - world.x, each.y - world.y), each]).filter(([far]) => far < NODE * 2 * painter.shrink).sort((one, other) => one[0] - other[0])[0]?.[1];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const point = at(event);
    grabbed = { node: under(point), from: point, last: point, isMoved: false };
    if (grabbed.node) grabbed.node.held = true;
    isHeld = true;
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = at(event);
    if (!isHeld) { canvas.title = under(point)?.name ?? ""; return; }
    grabbed.isMoved ||= Math.hypot(point.x - grabbed.from.x, point.y - grabbed.from.y) > 4;
    if (grabbed.node) { Object.assign(grabbed.node, painter.toWorld(point.x, point.y)); layout.warm(0.15); run(); } else {
      isChosen = true;
      painter.view.x += point.x - grabbed.last.x;
      painter.view.y += point.y - grabbed.last.y;
      draw();
    }
    grabbed.last = point;
  });
  canvas.addEventListener("pointerup", () => {
    if (grabbed?.node) grabbed.node.held = false;
    if (grabbed && !grabbed.isMoved) choose(grabbed.node?.name ?? null);
    isHeld = false;
    grabbed = null;
  });
  canvas.addEventListener("pointercancel", () => {
    if (grabbed?.node) grabbed.node.held = false;
    isHeld = false;
    grabbed = null;
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0012), at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const names = picture.nodes.map((each) => each.name);
    const place = names.indexOf(selected);
    const turns = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const middle = { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 };
    if (event.key in turns && names.length) choose(names[(place + turns[event.key] + names.length) % names.length]);
    else if (event.key === "+" || event.key === "=") zoom(1.2, middle);
    else if (event.key === "-") zoom(1 / 1.2, middle);
    else if (event.key === "Escape") choose(null);
    else if (event.key === "Enter" && selected) location.hash = `#/nodes/${encodeURIComponent(selected)}`;
    else return;
    event.preventDefault();
  });

  function zoom(factor, point) {
    isChosen = true;
    const { view } = painter;
    const scale = Math.min(6, Math.max(0.08, view.scale * factor));
    view.x = point.x - ((point.x - view.x) * scale) / view.scale;
    view.y = point.y - ((point.y - view.y) * scale) / view.scale;
    view.scale = scale;
    draw();
  }

  const repaint = () => { painter.readColours(); draw(); };
  const size = new ResizeObserver(() => draw());
  size.observe(canvas);
  document.addEventListener("themechange", repaint);

  // ---- the stream ----

  const stream = new Stream("/api/v1/changes", {
    overlay: (told) => {
      last = told;
      if (!isPaused() && !bar.isOpen) take(last, true);
    },
  });

  async function refreshTree() {
    if (!shown.tree && !root) return;
    const found = await get("overlay", { root }).catch(() => null);
    if (found) { picture.tree = found.tree; draw(); }
  }

  // Both ends tell of their connections: a pair of nodes of which only one does is drawn as one-sided.
  async function refreshChannel() {
    const wanted = channel;
    const found = await get("channels", { limit: 1000, sort: "-lanes" }).catch(() => null);
    if (!found || wanted !== channel) return;
    const names = [...new Set(found.rows.map((row) => row.channel))].sort();
    if (document.activeElement !== channels && channels.options.length !== names.length + 1) {
      fill(channels, h("option", { value: "" }, "links of the overlay"), names.map((name) => h("option", { value: name }, `channel ${name}`)));
      channels.value = channel;
    }
    const pairs = new Map();
    for (const row of found.rows) {
      if (row.channel !== channel || !row.lanes) continue;
      const [from, to] = [row.node, row.peer].sort();
      const known = pairs.get(`${from}|${to}`) ?? { from, to, ends: 0, lanes: 0, queued: 0 };
      pairs.set(`${from}|${to}`, { ...known, ends: known.ends + 1, lanes: Math.max(known.lanes, row.lanes), queued: known.queued + row.queued_messages });
    }
    connections = [...pairs.values()];
  }

  async function update() {
    if (bar.isOpen) {
      const told = await bar.refresh();
      describe();
      return told;
    }
    await refreshChannel();
    if (channel) describe();
    if (stream.isOpen && last) {
      if (root) await refreshTree();
      if (stream.failure) throw stream.failure;
      return last;
    }
    const found = await get("overlay", { root });
    take(found, false);
    return found;
  }

  const wanted = Number(new URLSearchParams(location.hash.split("?")[1] ?? "").get("at"));
  if (wanted > 0) openPast(wanted);

  function close() {
    isOpen = false;
    clearTimeout(bar.timer);
    stream.close();
    size.disconnect();
    cancelAnimationFrame(frame);
    document.removeEventListener("themechange", repaint);
  }

  return { element, update, close };
}
