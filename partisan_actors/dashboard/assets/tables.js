// Tables that are chosen, sorted and cut by the server: the page asks for a screenful and keeps what it asked in the address.
import { get } from "/assets/api.js";
import { h, fill, refill } from "/assets/dom.js";
import { NONE, plural } from "/assets/format.js";

const LIMIT = 100;

export class ServerTable {
  // columns: {key, label, show(row), num, sort: false, wide}; filters: {key, label, choices(answer)} or {key, label, flag: true}
  constructor({ path, noun, columns, filters = [], order, open = null, empty, fixed = {}, remember = true }) {
    Object.assign(this, { path, noun, columns, filters, open, empty, fixed, remember });
    this.asked = { sort: order, offset: 0, q: "", ...(remember ? fromAddress() : {}) };
    this.search = h("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${noun}s`, value: this.asked.q ?? "", id: remember ? "filter" : null });
    this.search.addEventListener("input", () => this.change({ q: this.search.value, offset: 0 }));
    this.selects = filters.map((filter) => this.control(filter));
    this.count = h("span", { className: "count", role: "status" });
    this.heads = h("tr");
    this.body = h("tbody");
    this.pager = h("div", { className: "pager" });
    this.element = h("div", {},
      h("div", { className: "filters" }, this.search, this.selects.map(({ label }) => label), this.count),
      h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Table of ${noun}s` }, h("table", {}, h("thead", {}, this.heads), this.body)), this.pager);
    this.drawHeads();
  }

  control(filter) {
    const value = this.asked[filter.key] ?? "";
    if (filter.flag) {
      const box = h("input", { type: "checkbox", checked: value === "true" });
      box.addEventListener("change", () => this.change({ [filter.key]: box.checked ? "true" : "", offset: 0 }));
      return { filter, label: h("label", {}, box, filter.label) };
    }
    const select = h("select", {}, h("option", { value: "" }, "all"), value ? h("option", { value }, value) : null);
    select.value = value;
    select.addEventListener("change", () => this.change({ [filter.key]: select.value, offset: 0 }));
    return { filter, select, label: h("label", {}, filter.label, select) };
  }

  change(changes) {
    Object.assign(this.asked, changes);
    if (this.remember) toAddress(this.asked);
    this.drawHeads();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.update().catch((error) => fill(this.count, error.message)), 120);
  }

  drawHeads() {
    const column = this.asked.sort.replace(/^-/, "");
    const isDown = this.asked.sort.startsWith("-");
    refill(this.heads, this.columns.map((each) => {
      const isMine = each.key === column;
      const next = isMine ? (isDown ? each.key : `-${each.key}`) : each.num ? `-${each.key}` : each.key;
      const head = h("th", { scope: "col", className: each.num ? "num" : "", title: each.about ?? "", "aria-sort": isMine ? (isDown ? "descending" : "ascending") : null },
        each.sort === false ? each.label || h("span", { className: "visually-hidden" }, "Actions") : h("button", { type: "button", onclick: () => this.change({ sort: next, offset: 0 }) }, each.label));
      return head;
    }));
  }

  async update() {
    const asked = JSON.stringify(this.asked);
    const answer = await get(this.path, { limit: LIMIT, ...this.asked, ...this.fixed });
    if (asked !== JSON.stringify(this.asked)) return answer; // somebody has asked for something else meanwhile
    this.draw(answer);
    return answer;
  }

  draw(answer) {
    for (const { filter, select } of this.selects) {
      const choices = filter.choices?.(answer) ?? [];
      if (!select || !choices.length || document.activeElement === select) continue;
      const known = [...select.options].map((option) => option.value);
      const wanted = ["", ...new Set([...choices, ...(select.value ? [select.value] : [])])];
      if (known.join("\n") === wanted.join("\n")) continue;
      const value = select.value;
      fill(select, wanted.map((choice) => h("option", { value: choice }, choice || "all")));
      select.value = value;
    }
    fill(this.count, plural(answer.total, this.noun));
    const isChosen = this.asked.q || this.filters.some(({ key }) => this.asked[key]);
    if (answer.rows.length) refill(this.body, answer.rows.map((row) => this.line(row)));
    else refill(this.body, h("tr", {}, h("td", { colSpan: this.columns.length, className: "empty" }, isChosen && !answer.total ? `No ${this.noun} is like that.` : this.empty)));
    const last = answer.offset + answer.rows.length;
    const turn = (label, offset, isOff) => h("button", { type: "button", "data-offset": offset, disabled: isOff, onclick: () => { this.change({ offset }); this.element.scrollIntoView({ block: "nearest" }); } }, label);
    const pages = [turn("Previous", Math.max(0, answer.offset - LIMIT), !answer.offset), turn("Next", last, last >= answer.total), `${answer.offset + 1} to ${last} of ${answer.total}`];
    refill(this.pager, answer.total > LIMIT || answer.offset ? pages : []);
  }

  line(row) {
    const cells = this.columns.map((each) => {
      const value = each.show ? each.show(row) : row[each.key];
      const title = typeof value === "string" && value.length > 40 && !each.wide ? value : null; // it may be cut
      return h("td", { title, className: [each.num ? "num" : "", each.wide ? "wide" : "", each.mono ? "mono" : ""].join(" ") }, value === null || value === undefined || value === "" ? h("span", { className: "faint" }, NONE) : value);
    });
    const target = this.open?.(row);
    if (!target) return h("tr", {}, cells);
    const go = () => { location.hash = target; };
    return h("tr", { className: "link", "data-target": target, tabIndex: 0, onclick: (event) => { if (!event.target.closest("a, button") && !String(getSelection())) go(); }, onkeydown: (event) => { if (event.key === "Enter" && event.target.tagName === "TR") go(); } }, cells);
  }
}

function fromAddress() {
  const query = location.hash.split("?")[1] ?? "";
  const found = Object.fromEntries(new URLSearchParams(query));
  if ("offset" in found) found.offset = Number(found.offset) || 0;
  return found;
}

function toAddress(asked) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) if (value !== "" && value !== 0 && value !== null) query.set(name, value);
  history.replaceState(null, "", `${location.hash.split("?")[0]}?${query}`);
}
