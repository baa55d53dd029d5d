// Numbers, durations, times and states as people read them.
import { h } from "/assets/dom.js";

export const NONE = "\u2013";

export function count(value) {
  if (value === null || value === undefined) return NONE;
  if (Math.abs(value) < 10000) return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1).replace(/\.?0+$/, "");
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

// Always with one digit behind the point, so that those below each other can be compared.
export function rate(value) {
  if (value === null || value === undefined) return NONE;
  return value === 0 ? "0" : value < 0.05 ? "<0.1" : value < 10000 ? value.toFixed(1) : count(value);
}

export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0";
  if (value < 0.001) return `${trim(value * 1e6)} \u00b5s`;
  if (value < 1) return `${trim(value * 1e3)} ms`;
  if (value < 60) return `${trim(value)} s`;
  return span(value);
}

export function span(value) {
  if (value === null || value === undefined) return NONE;
  const whole = Math.floor(value);
  const units = [["d", 86400, "h", 3600], ["h", 3600, "m", 60], ["m", 60, "s", 1]];
  for (const [unit, size, smaller, part] of units) {
    if (whole >= size) return `${Math.floor(whole / size)}${unit} ${Math.floor((whole % size) / part)}${smaller}`;
  }
  return `${whole}s`;
}

function trim(value) {
  return value >= 99.5 ? String(Math.round(value)) : value.toPrecision(2).replace(/\.0+$/, "").replace(/(\.\d*?)0+$/, "$1");
}

const two = (number) => String(number).padStart(2, "0");

export function clock(unixSeconds) {
  const at = new Date(unixSeconds * 1000);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

// A time of the day, with the day unless that is today; all of it where somebody points at it.
export function moment(unixSeconds, className = "faint mono") {
  const at = new Date(unixSeconds * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  const day = isToday ? "" : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return h("time", { className: `moment ${className}`, dateTime: at.toISOString(), title: at.toString() }, `${day}${clock(unixSeconds)}`);
}

export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

// Each state has a shape of its own, so that nobody has to tell them by colour.
const STATES = {
  up: ["\u25cf", "ok"], alive: ["\u25cf", "ok"], created: ["\u25cf", "ok"], suspect: ["\u25c6", "warn"], down: ["\u2715", "bad"], left: ["\u25cb", "off"],
  process: ["\u25aa", "ok"], draining: ["\u25bc", "warn"], starting: ["\u25d4", "warn"], restarting: ["\u21bb", "warn"], pending: ["\u2026", "warn"],
  stopping: ["\u25bd", "warn"], stopped: ["\u25a0", "off"], removed: ["\u25a0", "off"], infeasible: ["\u2715", "bad"], "no answer": ["?", "bad"],
  error: ["\u2715", "bad"], warning: ["\u25b2", "warn"], ok: ["\u25cf", "ok"],
};

export function state(word) {
  const [shape, kind] = STATES[word] ?? ["\u00b7", "off"];
  return h("span", { className: `state ${kind}` }, h("i", { "aria-hidden": "true" }, shape), word);
}
