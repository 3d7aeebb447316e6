// A map on a canvas: dots, and pictures where there is room for them. The nearer one looks, the more become pictures.

const LEVELS = 19; // of zoom, each 1.41 times the one before
const GROWTH = 0.5; // a picture's side grows with this power of the zoom, up to LARGEST times
const LARGEST = 5;
const INK = "#1a1a1a";
const ACCENT = "#d55e00";
const GROUND = "#f7f6f3";
const SLOW = 25; // milliseconds of a frame above which a moving map is the last one, moved, until it rests
const REST = 140;

class View {
  constructor(host, model, atlases, events) {
    Object.assign(this, { host, model, atlases, events });
    this.canvas = host.querySelector("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.tip = host.querySelector(".tip");
    this.layout = "cloud";
    this.thumb = 44;
    this.zoom = 1;
    this.drawn = [];
    this.frames = 0;
    new ResizeObserver(() => this.resize()).observe(host);
  }

  show(space, layout) {
    this.space = space;
    this.layout = layout;
    this.points = space.layouts[layout];
    this.fit();
  }

  resize() {
    const box = this.host.getBoundingClientRect();
    if (!box.width || !box.height) return;
    this.ratio = window.devicePixelRatio || 1;
    this.width = Math.max(1, Math.round(box.width * this.ratio));
    this.height = Math.max(1, Math.round(box.height * this.ratio));
    if (this.canvas.width === this.width && this.canvas.height === this.height) return;
    this.canvas.width = this.width;
    this.canvas.height = this.height;
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    if (this.centre === undefined) this.fit();
    else this.relevel();
  }

  // Zoomed to 1 all points are in sight, with room for half a picture round them.
  fit() {
    this.zoom = 1;
    this.relevel();
    this.centre = this.middle;
    this.draw();
  }

  get scale() {
    return this.base * this.zoom;
  }

  // The side of a picture in pixels of the canvas.
  sizeAt(zoom) {
    if (this.layout === "grid") return 0.94 * this.space.cell * this.base * zoom;
    return this.thumb * this.ratio * Math.min(LARGEST, Math.max(1, zoom ** GROWTH));
  }

  // From which level of zoom on each picture is one: where no other that comes before it would be covered.
  relevel() {
    if (!this.width || !this.space) return;
    const { points, model } = this;
    const ends = [0, 1].map((axis) => spread(points.filter((_, n) => n % 2 === axis)));
    const cell = this.layout === "grid" ? this.space.cell : 0; // the points are the middles of its pictures
    const extent = ends.map(([low, high]) => Math.max(high - low + cell, 0.05));
    this.middle = ends.map(([low, high]) => (low + high) / 2);
    const edge = this.layout === "grid" ? 8 * this.ratio : 1.35 * this.thumb * this.ratio;
    this.base = Math.min(Math.max(50, this.width - edge) / extent[0], Math.max(50, this.height - edge) / extent[1]);
    this.levels = new Uint8Array(model.count);
    if (this.layout === "cloud") {
      this.levels.fill(LEVELS);
      const left = [...this.atlases.order].filter((i) => model.shown[i]);
      const taken = [];
      for (let level = 0, waiting = left; level < LEVELS && waiting.length; level++) {
        const zoom = 2 ** (level / 2), side = (1.08 * this.sizeAt(zoom)) / (this.base * zoom);
        const across = Math.ceil(1 / side) + 3;
        const grid = across <= 2048 ? new Int32Array(across * across).fill(-1) : new Map();
        const get = grid instanceof Map ? (k) => grid.get(k) ?? -1 : (k) => grid[k];
        const set = grid instanceof Map ? (k, i) => grid.set(k, i) : (k, i) => (grid[k] = i);
        const key = (i) => (Math.floor(points[2 * i] / side) + 1) * across + Math.floor(points[2 * i + 1] / side) + 1;
        for (const i of taken) set(key(i), i);
        const rest = [];
        for (const i of waiting) {
          const here = key(i);
          let free = true;
          for (let a = -across; free && a <= across; a += across) {
            for (let b = -1; b <= 1; b++) {
              const j = get(here + a + b);
              if (j < 0 || j === undefined) continue;
              const dx = Math.abs(points[2 * i] - points[2 * j]), dy = Math.abs(points[2 * i + 1] - points[2 * j + 1]);
              if (dx < side && dy < side) {
                free = false;
                break;
              }
            }
          }
          if (free) {
            this.levels[i] = level;
            set(here, i);
            taken.push(i);
          } else rest.push(i);
        }
        waiting = rest;
      }
    }
    this.draw();
  }

  draw() {
    if (this.waiting || !this.centre || this.host.hidden) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
      this.frames++;
    });
  }

  // While a slow map moves, dots and on them its last picture; once it rests, all of it.
  paint() {
    const began = performance.now();
    if (this.cost > SLOW && this.last && began - this.stirred < REST && this.last.points === this.points) {
      this.scene(false);
      const { image, centre, scale } = this.last, by = this.scale / scale;
      const x = (centre[0] - this.centre[0]) * this.scale + this.width / 2, y = (centre[1] - this.centre[1]) * this.scale + this.height / 2;
      const [w, h] = [this.width * by, this.height * by];
      this.context.drawImage(image, x - w / 2, y - h / 2, w, h);
      clearTimeout(this.later);
      this.later = setTimeout(() => this.draw(), REST + 20);
      return;
    }
    this.scene(true);
    this.cost = performance.now() - began;
    if (this.cost > SLOW) {
      const image = this.last?.image ?? document.createElement("canvas");
      [image.width, image.height] = [this.width, this.height];
      image.getContext("2d", { alpha: false }).drawImage(this.canvas, 0, 0);
      this.last = { image, centre: this.centre, scale: this.scale, points: this.points };
    } else this.last = null;
  }

  scene(whole) {
    const { context, model, points, width, height, scale, zoom } = this;
    const [cx, cy] = this.centre;
    const size = this.sizeAt(zoom), level = Math.min(LEVELS, Math.floor(2 * Math.log2(zoom) + 1e-6));
    const asPictures = whole && size >= 5, pale = packed(HIDDEN);
    const radius = this.layout === "grid" ? size / 2 : this.ratio * Math.min(5, Math.max(model.count > 30000 ? 0.8 : 1.6, 1.6 * zoom ** 0.4));
    const disc = discOf(radius);
    const pictures = [];
    this.pixels.fill(packed(GROUND));
    const pass = (wanted) => {
      for (let i = 0; i < model.count; i++) {
        if (model.shown[i] !== wanted) continue;
        const x = (points[2 * i] - cx) * scale + width / 2, y = (points[2 * i + 1] - cy) * scale + height / 2;
        if (x < -size || y < -size || x > width + size || y > height + size) continue;
        if (wanted && asPictures && (this.levels[i] <= level || zoom >= this.most())) pictures.push(i, x, y);
        else this.stamp(disc, x, y, wanted ? model.packed[i] : pale);
      }
    };
    pass(0);
    pass(1);
    context.putImageData(this.image, 0, 0);
    if (!whole) return;
    this.lines();
    context.imageSmoothingQuality = "low";
    this.drawn = [];
    const frame = model.colouring && size >= 14 ? Math.max(1, Math.round(Math.min(3, size / 14) * Math.min(2, this.ratio))) : 0;
    const marked = [];
    for (let n = 0; n < pictures.length; n += 3) {
      const [i, x, y] = [pictures[n], pictures[n + 1], pictures[n + 2]];
      if (i === model.current || model.selected[i]) {
        marked.push(i, x, y);
        continue;
      }
      this.picture(i, x, y, size, frame);
    }
    for (let n = 0; n < marked.length; n += 3) this.picture(marked[n], marked[n + 1], marked[n + 2], size, frame);
    this.mark(size);
    if (this.outline) this.drawOutline();
  }

  picture(i, x, y, size, frame) {
    const { context, model } = this;
    const box = this.atlases.draw(context, i, x, y, size);
    if (!box) {
      context.fillStyle = model.colours[i];
      context.fillRect(Math.round(x - size / 6), Math.round(y - size / 6), Math.ceil(size / 3), Math.ceil(size / 3));
      return;
    }
    this.drawn.push(i, ...box);
    if (frame) {
      context.fillStyle = model.colours[i];
      const [l, t, w, h] = box;
      context.fillRect(l - frame, t - frame, w + 2 * frame, frame);
      context.fillRect(l - frame, t + h, w + 2 * frame, frame);
      context.fillRect(l - frame, t, frame, h);
      context.fillRect(l + w, t, frame, h);
    }
    if (model.selected[i]) this.ring(box, INK, frame + 2 * this.ratio);
  }

  ring([l, t, w, h], colour, wide) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = wide;
    this.context.strokeRect(l - wide / 2 - 1, t - wide / 2 - 1, w + wide + 2, h + wide + 2);
  }

  // Selected dots, and the picture that is looked at, which is drawn whether there is room or not.
  mark(size) {
    const { context, model } = this;
    context.strokeStyle = INK;
    context.lineWidth = 1.5 * this.ratio;
    const drawn = new Set();
    for (let n = 0; n < this.drawn.length; n += 5) drawn.add(this.drawn[n]);
    context.beginPath();
    for (let i = 0; i < model.count; i++) {
      if (!model.selected[i] || drawn.has(i)) continue;
      const [x, y] = this.place(i);
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      context.moveTo(x + 4 * this.ratio, y);
      context.arc(x, y, 4 * this.ratio, 0, 7);
    }
    context.stroke();
    if (model.current < 0) return;
    const [x, y] = this.place(model.current);
    const large = Math.max(size, 56 * this.ratio);
    const box = this.atlases.draw(context, model.current, x, y, large);
    if (!box) return;
    this.drawn.push(model.current, ...box);
    this.ring(box, "#ffffff", 5 * this.ratio);
    this.ring(box, ACCENT, 3 * this.ratio);
  }

  lines() {
    const { context, model } = this;
    if (model.current < 0) return;
    const [x, y] = this.place(model.current);
    context.strokeStyle = ACCENT;
    context.lineWidth = this.ratio;
    context.beginPath();
    for (const { row } of model.neighbours(this.space, model.current)) {
      context.moveTo(x, y);
      context.lineTo(...this.place(row));
    }
    context.stroke();
  }

  drawOutline() {
    const { context } = this;
    context.beginPath();
    this.outline.forEach(([x, y], n) => (n ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.fillStyle = "rgba(213, 94, 0, 0.12)";
    context.fill();
    context.strokeStyle = ACCENT;
    context.lineWidth = 1.5 * this.ratio;
    context.stroke();
  }

  place(i) {
    const x = (this.points[2 * i] - this.centre[0]) * this.scale + this.width / 2;
    return [x, (this.points[2 * i + 1] - this.centre[1]) * this.scale + this.height / 2];
  }

  stamp(disc, x, y, colour) {
    const { pixels, width, height } = this;
    const left = Math.round(x), top = Math.round(y);
    for (let n = 0; n < disc.length; n += 2) {
      const px = left + disc[n], py = top + disc[n + 1];
      if (px >= 0 && py >= 0 && px < width && py < height) pixels[py * width + px] = colour;
    }
  }

  most() {
    return 2 ** ((LEVELS - 1) / 2);
  }

  // The picture at a point of the canvas: the topmost one drawn there, else the nearest dot; -1 for none.
  at(x, y) {
    for (let n = this.drawn.length - 5; n >= 0; n -= 5) {
      const [l, t, w, h] = [this.drawn[n + 1], this.drawn[n + 2], this.drawn[n + 3], this.drawn[n + 4]];
      if (x >= l && y >= t && x <= l + w && y <= t + h) return this.drawn[n];
    }
    let best = -1, nearest = (9 * this.ratio) ** 2;
    for (let i = 0; i < this.model.count; i++) {
      if (!this.model.shown[i]) continue;
      const [px, py] = this.place(i), far = (px - x) ** 2 + (py - y) ** 2;
      if (far < nearest) [best, nearest] = [i, far];
    }
    return best;
  }

  pan(dx, dy) {
    this.stirred = performance.now();
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] - dy / this.scale];
    this.draw();
  }

  zoomBy(by, x = this.width / 2, y = this.height / 2) {
    const zoom = Math.min(this.most(), Math.max(0.5, this.zoom * by));
    const before = this.scale, after = this.base * zoom;
    const [fx, fy] = [x - this.width / 2, y - this.height / 2];
    this.centre = [this.centre[0] + fx / before - fx / after, this.centre[1] + fy / before - fy / after];
    this.zoom = zoom;
    this.stirred = performance.now();
    this.draw();
  }

  // Brings a picture into sight without more movement than that needs; `near` also brings it close.
  reveal(i, near = false) {
    const [x, y] = this.place(i), edge = 60 * this.ratio;
    if (near || x < edge || y < edge || x > this.width - edge || y > this.height - edge) {
      this.centre = [this.points[2 * i], this.points[2 * i + 1]];
    }
    if (near) {
      const large = this.layout === "grid" ? (90 * this.ratio) / (this.space.cell * this.base) : 2 ** (this.levels[i] / 2);
      this.zoom = Math.max(this.zoom, Math.min(this.most(), large));
    }
    this.draw();
  }

  // The whole of some pictures into sight.
  frame(flags) {
    let [l, t, r, b] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < flags.length; i++) {
      if (!flags[i]) continue;
      const [x, y] = [this.points[2 * i], this.points[2 * i + 1]];
      [l, t, r, b] = [Math.min(l, x), Math.min(t, y), Math.max(r, x), Math.max(b, y)];
    }
    if (l > r) return;
    const fits = Math.min(this.width / (r - l + 1e-6), this.height / (b - t + 1e-6)) / this.base;
    this.centre = [(l + r) / 2, (t + b) / 2];
    this.zoom = Math.min(this.most() / 4, Math.max(1, 0.85 * fits));
    this.draw();
  }

  // The nearest shown picture that lies in a direction from one, -1 for none; without one, the nearest to the middle.
  towards(i, dx, dy) {
    const [x, y] = i < 0 ? [this.width / 2, this.height / 2] : this.place(i);
    let best = -1, nearest = Infinity;
    for (let j = 0; j < this.model.count; j++) {
      if (j === i || !this.model.shown[j]) continue;
      const [px, py] = this.place(j), along = (px - x) * dx + (py - y) * dy, off = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (i >= 0 && (along <= 0 || off > along)) continue;
      const far = i < 0 ? (px - x) ** 2 + (py - y) ** 2 : along + 2 * off;
      if (far < nearest) [best, nearest] = [j, far];
    }
    return best;
  }

  inside(polygon) {
    const found = [];
    for (let i = 0; i < this.model.count; i++) {
      if (!this.model.shown[i]) continue;
      const [x, y] = this.place(i);
      let within = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
        const [ax, ay] = polygon[a], [bx, by] = polygon[b];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
      }
      if (within) found.push(i);
    }
    return found;
  }
}

function discOf(radius) {
  const found = [], reach = Math.ceil(radius);
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) if (x * x + y * y <= radius * radius) found.push(x, y);
  }
  return found;
}
