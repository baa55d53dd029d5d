// The bar with which the map goes back in time: a slider, and steps from one change to the next.
import { get } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { moment, plural, span, state } from "/assets/format.js";

const LISTED_MAX = 200;
const STEP_MS = 100;

export class PastBar {
  // show(picture) gets what was; live() is called when somebody comes back to now
  constructor({ show, live }) {
    Object.assign(this, { show, live });
    this.at = null; // in milliseconds; null for now
    this.told = { since: null, until: 0, moments: [] };
    this.slider = h("input", { type: "range", step: STEP_MS, "aria-label": "The time that the map shows", oninput: () => this.go(Number(this.slider.value)) });
    this.when = h("output", { className: "when" });
    this.marks = h("div", { className: "marks", "aria-hidden": "true" });
    const step = (label, title, turn) => h("button", { type: "button", title, "aria-label": title, onclick: turn }, label);
    this.back = step("\u25c2", "The change before", () => this.step(-1));
    this.on = step("\u25b8", "The next change", () => this.step(1));
    this.now = h("button", { type: "button", className: "primary", onclick: () => this.close() }, "Live");
    this.element = h("div", { className: "past panel", hidden: true }, this.back, this.on, h("div", { className: "rail" }, this.marks, this.slider), this.when, this.now);
  }

  get isOpen() {
    return !this.element.hidden;
  }

  async open(at = null) {
    this.element.hidden = false;
    await this.refresh();
    this.go(at ?? this.last() ?? this.until);
  }

  close() {
    this.element.hidden = true;
    this.at = null;
    clearTimeout(this.timer);
    this.live();
  }

  get since() { return Math.floor((this.told.since ?? this.told.until) * 1000); }

  get until() { return Math.ceil(this.told.until * 1000); }

  last() {
    const { moments } = this.told;
    return moments.length ? moments[moments.length - 1].time * 1000 : null;
  }

  // What has happened meanwhile; the time that is shown stays.
  async refresh() {
    this.told = await get("overlay/past");
    this.slider.min = this.since;
    this.slider.max = this.until;
    if (this.at !== null) this.slider.value = this.at;
    const length = Math.max(1, this.until - this.since);
    refill(this.marks, this.told.moments.slice(-500).map((each) => h("i", { className: each.severity, style: { left: `${(100 * (each.time * 1000 - this.since)) / length}%` } })));
    return this.told;
  }

  go(at) {
    this.at = Math.min(this.until, Math.max(this.since, at));
    this.slider.value = this.at;
    const ago = Math.max(0, this.told.until - this.at / 1000);
    fill(this.when, moment(this.at / 1000, "mono"), h("span", { className: "soft" }, ago >= 1 ? ` ${span(ago)} ago` : " now"));
    this.slider.setAttribute("aria-valuetext", this.when.textContent);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 80);
  }

  async ask() {
    const asked = this.at;
    try {
      const picture = await get("overlay", { at_ms: Math.ceil(asked) });
      if (this.at === asked && this.isOpen) this.show(picture);
    } catch (error) {
      fill(this.when, h("span", { className: "bad", role: "alert" }, error.message));
    }
  }

  step(turn) {
    const times = this.told.moments.map((each) => each.time * 1000);
    const next = turn > 0 ? times.find((time) => time > this.at + 1) : times.findLast((time) => time < this.at - 1);
    if (next !== undefined) this.go(next);
  }

  // What had happened by then, the latest first; each leads there.
  list() {
    const rows = this.told.moments.filter((each) => each.time * 1000 <= this.at + 1).slice(-LISTED_MAX).reverse();
    const about = h("p", { className: "soft" }, this.told.since === null ? "Nothing has happened yet." : `The nodes remember ${plural(this.told.moments.length, "change")} of the last ${span(this.told.until - this.told.since)}.`);
    return [h("h2", {}, "What had happened"), about, h("ul", { className: "plain" }, rows.map((each) => h("li", {}, h("button", { type: "button", className: "inline", title: "Show the map of that moment", onclick: () => this.go(each.time * 1000) }, moment(each.time, "mono")), " ", each.severity === "info" ? null : state(each.severity), ` ${each.text}`)))];
  }
}
