// Draws the map of the overlay on a canvas: links and nodes by shape, so that no colour has to be told from another.

export const NODE = 9;
const NEWS_MS = 2600;

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.view = { x: 0, y: 0, scale: 1 };
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colour = { panel: of("panel"), text: of("text"), soft: of("soft"), faint: of("faint"), line: of("line"), ok: of("ok"), warn: of("warn"), bad: of("bad"), accent: of("accent"), tree: of("tree"), way: of("way") };
  }

  fit(bounds) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    // Buttons stand above, and the legend below.
    const scale = Math.min(1.6, width / (bounds.right - bounds.left + 120), (height - 100) / (bounds.bottom - bounds.top + 70));
    this.view = { scale, x: width / 2 - (scale * (bounds.left + bounds.right)) / 2, y: height / 2 + 4 - (scale * (bounds.top + bounds.bottom)) / 2 };
  }

  // How much smaller things are drawn than they would become: a closer look is for what lies close together.
  get shrink() {
    return Math.min(1, 1.3 / this.view.scale);
  }

  toWorld(x, y) {
    return { x: (x - this.view.x) / this.view.scale, y: (y - this.view.y) / this.view.scale };
  }

  draw(picture, places, shown, selected, news, now) {
    const { pen, canvas, view } = this;
    const dots = devicePixelRatio || 1;
    if (canvas.width !== Math.round(canvas.clientWidth * dots) || canvas.height !== Math.round(canvas.clientHeight * dots)) {
      canvas.width = Math.round(canvas.clientWidth * dots);
      canvas.height = Math.round(canvas.clientHeight * dots);
    }
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    pen.setTransform(dots * view.scale, 0, 0, dots * view.scale, dots * view.x, dots * view.y);
    this.drawLinks(picture, places, shown, selected, news, now);
    for (const node of picture.nodes) {
      const place = places.get(node.name);
      if (place) this.drawNode(node, place, node.name === selected, news.get(node.name), now);
    }
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    this.drawNames(picture, places, shown.names, selected);
  }

  // Names have one size however far away the map is, and stand where there is room for them: that of the node that is
  // looked at first, then of those that are not well, then of those with most links. More come with a closer look.
  drawNames(picture, places, withNames, selected) {
    const { pen, colour, view, canvas } = this;
    pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    pen.textAlign = "center";
    pen.lineWidth = 3.5;
    pen.strokeStyle = colour.panel;
    const links = new Map();
    for (const { from, to } of picture.links) for (const end of [from, to]) links.set(end, (links.get(end) ?? 0) + 1);
    const isWell = (node) => node.state === "up" && node.answered && !node.draining;
    const rank = (node) => (node.name === selected ? 1e9 : 0) + (isWell(node) ? 0 : 1e6) + (links.get(node.name) ?? 0);
    const boxes = picture.nodes.filter((node) => places.has(node.name)).map((node) => {
      const { x, y } = places.get(node.name);
      return { node, x: view.x + x * view.scale, y: view.y + y * view.scale, size: sizeOf(node) * this.shrink * view.scale };
    });
    const taken = boxes.map(({ x, y, size }) => [x - size, y - size, x + size, y + size]);
    for (const { node, x, y, size } of boxes.sort((one, other) => rank(other.node) - rank(one.node))) {
      if (!withNames && node.name !== selected) continue;
      const text = short(node.name);
      const half = pen.measureText(text).width / 2 + 2;
      const places = [[x, y + size + 14], [x, y - size - 6], [x + size + half + 4, y + 4], [x - size - half - 4, y + 4]];
      const free = places.find(([left, line]) => left - half > 0 && left + half < canvas.clientWidth && !taken.some((box) => left - half < box[2] && left + half > box[0] && line - 11 < box[3] && line + 3 > box[1]));
      const place = free ?? (node.name === selected ? places[0] : null);
      if (!place) continue;
      taken.push([place[0] - half, place[1] - 11, place[0] + half, place[1] + 3]);
      pen.strokeText(text, ...place);
      pen.fillStyle = node.state === "down" ? colour.bad : colour.text;
      pen.fillText(text, ...place);
    }
  }

  drawLinks(picture, places, shown, selected, news, now) {
    const { colour } = this;
    const some = Math.max(0.28, Math.min(0.8, 110 / picture.links.length)); // many of them would hide each other
    if (shown.passive || selected) {
      for (const [name, others] of Object.entries(picture.passive)) {
        if (!shown.passive && name !== selected) continue;
        for (const other of others) this.line(places.get(name), places.get(other), colour.faint, 1, [1.5, 4], shown.passive ? 0.35 : 0.8);
      }
    }
    for (const link of picture.links) {
      const isMine = link.from === selected || link.to === selected;
      const isNew = now - (news.get(`${link.from}|${link.to}`)?.at ?? -Infinity) < NEWS_MS;
      const [ink, dash] = link.mutual ? [isNew || isMine ? colour.accent : colour.soft, []] : [colour.warn, [7, 5]];
      this.line(places.get(link.from), places.get(link.to), ink, isNew ? 3.2 : isMine ? 2.6 : 1.5, dash, isNew || isMine ? 0.9 : selected ? Math.min(0.35, some) : link.mutual ? some : 0.8);
    }
    if (shown.tree) for (const [one, other] of picture.tree) this.line(places.get(one), places.get(other), colour.tree, picture.links.length > 150 ? 3 : 4.5, [], 0.55);
    if (shown.ways) {
      for (const [from, to, by] of picture.ways) {
        if (selected && from !== selected && to !== selected) continue;
        this.line(places.get(from), places.get(by), colour.way, 2.2, [8, 5], 0.95);
        this.line(places.get(by), places.get(to), colour.way, 2.2, [3, 6], 0.95);
      }
    }
  }

  line(one, other, ink, width, dash, alpha) {
    if (!one || !other) return;
    const { pen } = this;
    pen.globalAlpha = alpha;
    pen.strokeStyle = ink;
    pen.lineWidth = width * this.shrink;
    pen.setLineDash(dash.map((each) => each * this.shrink));
    pen.beginPath();
    pen.moveTo(one.x, one.y);
    pen.lineTo(other.x, other.y);
    pen.stroke();
    pen.globalAlpha = 1;
    pen.setLineDash([]);
  }

  drawNode(node, place, isSelected, news, now) {
    const { pen, colour } = this;
    const { x, y } = place;
    const ink = node.state === "down" ? colour.bad : node.state === "suspect" || !node.answered ? colour.warn : node.draining ? colour.warn : colour.ok;
    const { shrink } = this;
    const size = sizeOf(node) * shrink;
    const age = now - (news?.at ?? -Infinity);
    if (age < NEWS_MS) {
      pen.globalAlpha = 1 - age / NEWS_MS;
      pen.strokeStyle = ink;
      pen.lineWidth = 3 * shrink;
      pen.beginPath();
      pen.arc(x, y, size + (24 * shrink * age) / NEWS_MS, 0, 7);
      pen.stroke();
      pen.globalAlpha = 1;
    }
    pen.fillStyle = colour.panel;
    pen.strokeStyle = ink;
    pen.lineWidth = 3 * shrink;
    pen.beginPath();
    if (node.state === "down") {
      cross(pen, x, y, size * 0.75);
      pen.stroke();
    } else {
      if (node.state === "suspect") corners(pen, x, y, size * 1.25, 4, 0);
      else if (node.draining) corners(pen, x, y, size * 1.25, 3, Math.PI / 2);
      else if (node.hosted_by) corners(pen, x, y, size * 1.3, 4, Math.PI / 4);
      else pen.arc(x, y, size, 0, 7);
      pen.fill();
      pen.globalAlpha = 0.16;
      pen.fillStyle = ink;
      pen.fill();
      pen.globalAlpha = 1;
      if (!node.answered) pen.setLineDash([3 * shrink, 3 * shrink]);
      pen.stroke();
      pen.setLineDash([]);
    }
    if (isSelected) {
      pen.strokeStyle = colour.accent;
      pen.lineWidth = 2.5 * shrink;
      pen.beginPath();
      pen.arc(x, y, size + 7 * shrink, 0, 7);
      pen.stroke();
    }
  }
}

const sizeOf = (node) => (node.hosted_by ? NODE * 0.62 : NODE + Math.min(5, Math.sqrt(node.actors) * 0.5));

// The end of a name tells more than its middle: workers are numbered.
const short = (name) => (name.length > 24 ? `${name.slice(0, 12)}\u2026${name.slice(-10)}` : name);

function corners(pen, x, y, size, number, turn) {
  for (let each = 0; each < number; each += 1) {
    const angle = turn + (each * 2 * Math.PI) / number;
    pen[each ? "lineTo" : "moveTo"](x + size * Math.cos(angle), y + size * Math.sin(angle));
  }
  pen.closePath();
}

function cross(pen, x, y, size) {
  pen.moveTo(x - size, y - size);
  pen.lineTo(x + size, y + size);
  pen.moveTo(x + size, y - size);
  pen.lineTo(x - size, y + size);
}
