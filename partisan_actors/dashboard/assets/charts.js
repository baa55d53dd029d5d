// Small pictures: a line of the last minutes, and how long calls waited and ran.
import { h, svg } from "/assets/dom.js";
import { seconds } from "/assets/format.js";

export class Line {
  // Remembers what it was shown, for as long as the page is open.
  constructor(most = 90) {
    this.most = most;
    this.values = [];
  }

  push(value) {
    if (value === null || value === undefined) return;
    this.values.push(value);
    if (this.values.length > this.most) this.values.shift();
  }

  draw(label) {
    const top = Math.max(...this.values, 1e-9);
    const step = 100 / Math.max(this.most - 1, 1);
    const shift = 100 - (this.values.length - 1) * step;
    const points = this.values.map((value, place) => `${(shift + place * step).toFixed(2)},${(24 - (22 * value) / top).toFixed(2)}`);
    const picture = svg("svg", { viewBox: "0 0 100 26", preserveAspectRatio: "none", role: "img", "aria-label": label });
    if (points.length > 1) {
      picture.append(svg("polyline", { points: `${shift},26 ${points.join(" ")} 100,26`, fill: "currentColor", "fill-opacity": ".1", stroke: "none" }));
      picture.append(svg("polyline", { points: points.join(" "), fill: "none", stroke: "currentColor", "stroke-width": "1.5", "vector-effect": "non-scaling-stroke" }));
    }
    return picture;
  }
}

export function waitAndRun(wait, run, most) {
  // On a scale that shows microseconds and seconds at once.
  const part = (value) => (value ? Math.max(2, Math.min(100, (100 * Math.log10(1 + value * 1e5)) / Math.log10(1 + most * 1e5))) : 0);
  const waited = part(wait);
  const both = Math.max(waited, part((wait ?? 0) + (run ?? 0)));
  const label = `waited ${seconds(wait)}, ran ${seconds(run)}`;
  return h("span", { className: "bars", title: label }, h("span", { className: "track", role: "img", "aria-label": label },
    h("i", { className: "wait-bg", style: { left: "0", width: `${waited}%` } }),
    h("i", { className: "run-bg", style: { left: `${waited}%`, width: `${both - waited}%` } })));
}

export function histogram(plain, bounds, label) {
  const top = Math.max(...plain.buckets, 1);
  const width = 100 / plain.buckets.length;
  const picture = svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": label, width: "100%", height: "70" });
  plain.buckets.forEach((number, place) => {
    const height = number ? Math.max(1, (36 * Math.log10(1 + number)) / Math.log10(1 + top)) : 0;
    const bar = svg("rect", { x: place * width + 0.3, y: 40 - height, width: width - 0.6, height, fill: "currentColor" });
    const upTo = place < bounds.length ? `up to ${seconds(bounds[place])}` : `longer than ${seconds(bounds[bounds.length - 1])}`;
    bar.append(svg("title", {}, `${number}: ${upTo}`));
    picture.append(bar);
  });
  return picture;
}
