// What a hand or a key does to a map: move, zoom, choose, select.

class Gestures {
  constructor(view, model, events) {
    Object.assign(this, { view, model, events });
    this.tool = "move";
    this.held = new Map();
    const canvas = view.canvas;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => (view.tip.hidden = true));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => view.zoomBy(2, ...this.where(event)));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  where(event) {
    const box = this.view.canvas.getBoundingClientRect(), ratio = this.view.ratio;
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }

  down(event) {
    const at = this.where(event);
    this.view.canvas.setPointerCapture(event.pointerId);
    this.held.set(event.pointerId, at);
    this.moved = 0;
    this.began = at;
    this.picking = this.held.size === 1 && (this.tool !== "move" || event.shiftKey);
    this.view.outline = this.picking ? [at] : null;
    this.view.tip.hidden = true;
  }

  move(event) {
    const at = this.where(event), before = this.held.get(event.pointerId), view = this.view;
    if (!before) return this.hover(event, at);
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    this.moved += Math.abs(dx) + Math.abs(dy);
    if (this.held.size === 2) {
      const other = [...this.held].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      view.zoomBy(apart(at) / Math.max(1, apart(before)), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
      view.pan(dx / 2, dy / 2);
    } else if (this.picking) {
      const [x, y] = this.began;
      if (this.tool === "lasso") view.outline.push(at);
      else view.outline = [this.began, [at[0], y], at, [x, at[1]]];
      view.draw();
    } else view.pan(dx, dy);
    this.held.set(event.pointerId, at);
  }

  up(event) {
    if (!this.held.delete(event.pointerId) || this.held.size) return;
    const { view } = this, outline = view.outline;
    view.outline = null;
    if (this.moved < 5 * view.ratio) {
      if (event.type === "pointerup") this.events.choose(view.at(...this.where(event)), view);
    } else if (this.picking) this.events.select(view.inside(outline), event.ctrlKey || event.metaKey || event.shiftKey);
    view.draw();
  }

  hover(event, at) {
    const { view, model } = this, i = view.at(...at);
    view.tip.hidden = i < 0;
    view.canvas.style.cursor = i >= 0 ? "pointer" : this.tool === "move" ? "grab" : "crosshair";
    if (i < 0) return;
    const column = model.colouring;
    view.tip.textContent = model.ids[i] + (column ? "\n" + column.name + ": " + (model.value(column, i) || "not known") : "");
    const [x, y] = [at[0] / view.ratio, at[1] / view.ratio];
    view.tip.style.left = Math.min(x + 14, view.host.clientWidth - 190) + "px";
    view.tip.style.top = Math.min(y + 14, view.host.clientHeight - 60) + "px";
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    this.view.zoomBy(2 ** (-event.deltaY * lines * 0.0025), ...this.where(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { view, model, events } = this, step = 80 * view.ratio;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) view.pan(-arrow[0] * step, -arrow[1] * step);
    else if (arrow) {
      const next = view.towards(model.current, ...arrow);
      if (next >= 0) events.choose(next, view);
    } else if (event.key === "+" || event.key === "=") view.zoomBy(1.4, ...this.anchor());
    else if (event.key === "-") view.zoomBy(1 / 1.4, ...this.anchor());
    else if (event.key === "0") view.fit();
    else if (event.key === "Enter" && model.current >= 0) events.details();
    else if (event.key === " " && model.current >= 0) events.toggle(model.current);
    else if (event.key === "n" || event.key === "p") events.step(event.key === "n" ? 1 : -1, view);
    else if (event.key === "Escape") events.choose(-1, view);
    else return;
    event.preventDefault();
  }

  // Where the keyboard zooms to: the picture that is looked at, while it is in sight.
  anchor() {
    const { view, model } = this;
    if (model.current >= 0) {
      const [x, y] = view.place(model.current);
      if (x > 0 && y > 0 && x < view.width && y < view.height) return [x, y];
    }
    return [view.width / 2, view.height / 2];
  }
}
