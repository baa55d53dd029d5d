// A profile as a flame graph: each function stands below the one that calls it, as wide as the time it took.
import { get } from "/assets/api.js";
import { showDetails } from "/assets/dialogs.js";
import { h, fill } from "/assets/dom.js";
import { count, seconds } from "/assets/format.js";

const THIN = 0.002; // what is narrower than this share of the picture is not drawn

export function profileButton(path) {
  return h("button", { type: "button", title: "Where it spends its time", onclick: () => showProfile(path) }, "Profile");
}

function showProfile(path) {
  const lengths = h("select", { "aria-label": "For how long" }, [2, 5, 10, 30].map((each) => h("option", { value: each, selected: each === 5 }, `${each} seconds`)));
  const clocks = h("select", { "aria-label": "Which time" }, h("option", { value: "cpu_s" }, "processor time"), h("option", { value: "samples" }, "time by the clock, waiting too"));
  const take = h("button", { type: "button", className: "primary", onclick: () => record() }, "Record");
  const status = h("span", { className: "count", role: "status" });
  const picture = h("div", { className: "flames" }, h("p", { className: "empty" }, "Nothing is stopped: its threads are looked at a hundred times a second."));
  const about = h("p", { className: "soft flame-about", "aria-live": "polite" });
  let told = null;
  let zoomed = 0;
  clocks.addEventListener("change", () => draw());
  showDetails("Where it spends its time", h("div", { className: "filters" }, lengths, clocks, take, status), picture, about);

  async function record() {
    take.disabled = true;
    let left = Number(lengths.value);
    const tick = () => fill(status, left > 0 ? `${left} s to go` : "the answer comes");
    tick();
    const timer = setInterval(() => { left -= 1; tick(); }, 1000);
    try {
      told = await get(`${path}/profile`, { seconds: lengths.value });
      zoomed = 0;
      for (const option of clocks.options) option.disabled = option.value === "cpu_s" && !told.has_cpu;
      if (!told.has_cpu) clocks.value = "samples";
      fill(status, `node ${told.node}, ${count(told.samples)} looks in ${seconds(told.seconds)}${told.cut ? `, ${count(told.cut)} at more places than are kept` : ""}`);
      draw();
    } catch (error) {
      fill(status, h("span", { className: "bad", role: "alert" }, error.message));
    } finally {
      clearInterval(timer);
      take.disabled = false;
    }
  }

  const amount = (row) => row[clocks.value];
  const shown = (row) => (clocks.value === "cpu_s" ? seconds(row.cpu_s) : `${count(row.samples)} looks`);

  function draw(focus = -1) {
    if (!told) return;
    const whole = amount(told.frames[zoomed]);
    if (!whole) {
      fill(picture, h("p", { className: "empty" }, told.frames[0].samples ? "It took no processor time meanwhile." : "It was not seen to run anything meanwhile."));
      fill(about);
      return;
    }
    const below = new Map();
    told.frames.forEach((row, place) => { if (row.parent >= 0) below.set(row.parent, [...(below.get(row.parent) ?? []), place]); });
    const boxes = [];
    const above = [];
    for (let each = told.frames[zoomed].parent; each >= 0; each = told.frames[each].parent) above.unshift(each);
    above.forEach((each, depth) => boxes.push(box(each, 0, 1, depth)));
    let deepest = above.length;
    const lay = (place, left, depth) => {
      const width = amount(told.frames[place]) / whole;
      if (width < THIN) return;
      deepest = Math.max(deepest, depth);
      boxes.push(box(place, left, width, depth));
      const inside = (below.get(place) ?? []).sort((one, other) => amount(told.frames[other]) - amount(told.frames[one]));
      for (const each of inside) { lay(each, left, depth + 1); left += amount(told.frames[each]) / whole; }
    };
    lay(zoomed, 0, above.length);
    fill(picture, h("div", { className: "flame-boxes", style: { height: `${(deepest + 1) * 21}px` } }, boxes));
    if (focus >= 0) picture.querySelector(`[data-place="${focus}"]`)?.focus();
    tell(zoomed);
  }

  function box(place, left, width, depth) {
    const row = told.frames[place];
    const kind = row.is_users ? "users" : row.file ? "others" : "thread";
    return h("button", { type: "button", className: `flame ${kind}`, "data-place": place, "aria-label": `${row.function}, ${shown(row)}`, style: { left: `${left * 100}%`, width: `${width * 100}%`, top: `${depth * 21}px` },
      onmouseenter: () => tell(place), onfocus: () => tell(place), onclick: () => { zoomed = place === zoomed ? Math.max(row.parent, 0) : place; draw(zoomed); } }, width > 0.03 ? row.function : "");
  }

  function tell(place) {
    const row = told.frames[place];
    const share = amount(told.frames[0]) ? Math.round((1000 * amount(row)) / amount(told.frames[0])) / 10 : 0;
    fill(about, h("b", {}, row.function), ` ${shown(row)}, ${share} % of all`, row.file ? h("span", { className: "faint mono" }, ` ${row.file}:${row.line}`) : null);
  }
}
