// Where the nodes of the map stand: links pull, nodes push each other away, and each part of the overlay has a place of its own.

const REST = 90; // the length that a link would like to have
const REACH = 260; // nodes further apart than this leave each other alone

export class Layout {
  constructor() {
    this.nodes = new Map();
    this.links = [];
    this.heat = 0;
    this.wide = 1; // how much wider than high the place is
  }

  // Takes over who is there; whoever is new stands beside somebody it is linked with.
  set(nodes, links, parts) {
    const before = this.nodes;
    this.nodes = new Map();
    const near = new Map();
    for (const { from, to } of links) {
      near.set(from, [...(near.get(from) ?? []), to]);
      near.set(to, [...(near.get(to) ?? []), from]);
    }
    const centres = places(parts);
    nodes.forEach((node, number) => {
      const known = before.get(node.name);
      const friend = (near.get(node.name) ?? []).map((name) => before.get(name)).find(Boolean);
      const angle = number * 2.399963; // the golden angle: a spiral that looks like nothing in particular
      const spread = 26 * Math.sqrt(number + 1);
      const place = known ?? (friend ? { x: friend.x + 40 * Math.cos(angle), y: friend.y + 40 * Math.sin(angle) } : { x: spread * Math.cos(angle), y: spread * Math.sin(angle) });
      this.nodes.set(node.name, { x: place.x, y: place.y, dx: 0, dy: 0, held: known?.held ?? false, centre: centres[node.part ?? -1] ?? { x: 0, y: 0 }, name: node.name });
    });
    this.links = links.map(({ from, to }) => [this.nodes.get(from), this.nodes.get(to)]).filter(([one, other]) => one && other);
    // Who is new has to find a place; the larger the map, the less the others should move for it.
    const news = nodes.filter((node) => !before.has(node.name)).length;
    this.heat = before.size ? Math.max(this.heat, Math.min(0.35, 0.08 + (2 + news) / nodes.length)) : 1;
  }

  warm(heat = 0.4) {
    this.heat = Math.max(this.heat, heat);
  }

  // One step; returns whether anything still moves.
  step() {
    if (this.heat < 0.01) return false;
    const all = [...this.nodes.values()];
    const cells = new Map();
    for (const node of all) {
      node.dx = ((node.centre.x - node.x) * 0.012) / this.wide;
      node.dy = (node.centre.y - node.y) * 0.012 * this.wide;
      const key = `${Math.floor(node.x / REACH)},${Math.floor(node.y / REACH)}`;
      if (cells.has(key)) cells.get(key).push(node);
      else cells.set(key, [node]);
    }
    for (const node of all) {
      const column = Math.floor(node.x / REACH);
      const row = Math.floor(node.y / REACH);
      for (let x = column - 1; x <= column + 1; x += 1) {
        for (let y = row - 1; y <= row + 1; y += 1) {
          for (const other of cells.get(`${x},${y}`) ?? []) push(node, other);
        }
      }
    }
    for (const [one, other] of this.links) pull(one, other);
    for (const node of all) {
      if (node.held) continue;
      const length = Math.hypot(node.dx, node.dy);
      const most = 40 * this.heat;
      const scale = length > most ? most / length : 1;
      node.x += node.dx * scale;
      node.y += node.dy * scale;
    }
    this.heat *= 0.982;
    return true;
  }

  // As far as it comes in that time: with a thousand nodes, the rest is seen to move.
  settle(most_ms = 400) {
    this.warm(1);
    const until = performance.now() + most_ms;
    while (performance.now() < until && this.step());
  }

  bounds() {
    const all = [...this.nodes.values()];
    if (!all.length) return { left: -100, top: -100, right: 100, bottom: 100 };
    return { left: Math.min(...all.map((each) => each.x)), right: Math.max(...all.map((each) => each.x)), top: Math.min(...all.map((each) => each.y)), bottom: Math.max(...all.map((each) => each.y)) };
  }
}

function push(node, other) {
  if (node === other) return;
  const x = node.x - other.x || 0.1;
  const y = node.y - other.y || 0.1;
  const square = x * x + y * y;
  if (square > REACH * REACH) return;
  const strength = Math.min(2600 / square, 4) / Math.sqrt(square);
  node.dx += x * strength * 1.6;
  node.dy += y * strength * 1.6;
}

function pull(one, other) {
  const x = other.x - one.x;
  const y = other.y - one.y;
  const length = Math.hypot(x, y) || 1;
  const strength = ((length - REST) / length) * 0.055;
  one.dx += x * strength;
  one.dy += y * strength;
  other.dx -= x * strength;
  other.dy -= y * strength;
}

function places(parts) {
  // Side by side, the largest first, each as wide as it is likely to become; the screen is wider than high.
  const radius = (part) => 60 + 32 * Math.sqrt(part.length);
  let right = 0;
  return parts.map((part, number) => {
    const x = number ? right + radius(part) : 0;
    right = x + radius(part);
    return { x, y: 0 };
  });
}
