// The page around the maps: search, colours, details with neighbours, selection. All text goes in as text, never as HTML.

const MOST_IN_LEGEND = 40;
const byId = (id) => document.getElementById(id);

function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const data = JSON.parse(byId("data").textContent);
const model = new Model(data);
const views = [];
const open = () => views.filter((view) => !view.host.hidden);
const repaint = () => open().forEach((view) => view.draw());
const atlases = new Atlases(data.atlas, [...document.querySelectorAll("script.atlas")], () => {
  repaint();
  byId("details").querySelectorAll("canvas").forEach((canvas) => thumbnail(canvas));
});
const plural = (n, word) => n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");

const events = {
  choose(i, from) {
    model.current = i;
    if (i >= 0) open().forEach((view) => view.reveal(i));
    else repaint();
    details();
    byId("said").textContent = i < 0 ? "No picture chosen" : spoken(i);
  },
  step(by, view) {
    let i = model.current;
    for (let n = 0; n < model.count; n++) {
      i = (i + by + model.count) % model.count;
      if (model.shown[i]) return this.choose(i, view);
    }
  },
  details() {
    byId("details").focus();
  },
  select(rows, added) {
    if (!added) model.selected.fill(0);
    rows.forEach((i) => (model.selected[i] = 1));
    selection();
  },
  toggle(i) {
    model.selected[i] ^= 1;
    selection();
  },
};

function spoken(i) {
  const column = model.colouring;
  const known = column ? ", " + column.name + " " + (model.value(column, i) || "not known") : "";
  return model.ids[i] + known + (model.selected[i] ? ", selected" : "");
}

function thumbnail(canvas) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  atlases.draw(context, Number(canvas.dataset.picture), canvas.width / 2, canvas.height / 2, canvas.width);
}

function picture(i, side) {
  const canvas = make("canvas", "", { width: side * 2, height: side * 2, "data-picture": i, role: "img", "aria-label": model.ids[i] });
  canvas.style.width = canvas.style.height = side + "px";
  thumbnail(canvas);
  return canvas;
}

// Details of the picture that is looked at, and its neighbours by every map.
function details() {
  const host = byId("details"), i = model.current;
  host.replaceChildren();
  if (i < 0) {
    host.append(make("p", "Click a picture, or press an arrow key on the map.", { class: "hint" }));
    return;
  }
  host.append(make("h2", model.ids[i]), picture(i, Math.min(300, Math.max(160, 1.6 * data.atlas.side))));
  const does = make("p", "", { class: "row" });
  if (data.links) does.append(make("a", "Open the file", { href: data.links[i], target: "_blank", rel: "noreferrer" }));
  const mark = make("button", model.selected[i] ? "Take out of the selection" : "Select it", { type: "button" });
  mark.addEventListener("click", () => events.toggle(i));
  const close = make("button", "Zoom to it", { type: "button" });
  close.addEventListener("click", () => open().forEach((view) => view.reveal(i, true)));
  does.append(mark, close);
  host.append(does);
  const list = make("dl");
  for (const column of model.columns) {
    list.append(make("dt", column.name), make("dd", model.value(column, i) || "—"));
  }
  host.append(list);
  const maps = open();
  const sets = maps.map((view) => model.neighbours(view.space, i).map(({ row }) => row));
  for (const view of maps) {
    host.append(make("h3", maps.length > 1 ? "Nearest by " + view.space.name : "Nearest neighbours"));
    const neighbours = make("ol", "", { class: "neighbours" });
    for (const { row, distance } of model.neighbours(view.space, i)) {
      const button = make("button", "", { type: "button", "data-row": row });
      const both = maps.length > 1 && sets.every((set) => set.includes(row));
      button.append(picture(row, 56), make("span", model.ids[row]), make("span", distance.toFixed(3) + (both ? ", in both" : ""), { class: "far" }));
      button.addEventListener("click", () => {
        events.choose(row);
        byId("details").focus();
      });
      const item = make("li");
      item.append(button);
      neighbours.append(item);
    }
    host.append(neighbours);
  }
}

function selection() {
  const chosen = model.countOf(model.selected);
  byId("selected").textContent = chosen ? plural(chosen, "picture") + " selected" : "Nothing selected";
  byId("export").textContent = chosen ? "Export the selection as CSV" : "Export what is shown as CSV";
  byId("clear").disabled = !chosen;
  repaint();
  details();
}

function filtered() {
  model.filter();
  const shown = model.countOf(model.shown);
  byId("count").textContent = shown === model.count ? plural(shown, "picture") : shown.toLocaleString("en") + " of " + plural(model.count, "picture");
  views.forEach((view) => view.relevel());
}

function legend() {
  const host = byId("legend"), column = model.colouring;
  host.replaceChildren();
  if (!column) return;
  const counts = new Map();
  for (let i = 0; i < model.count; i++) {
    const group = model.group(column.codes[i]);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  if (column.numeric) return host.append(ramp(column));
  const groups = [...counts.keys()].filter((group) => group >= 0).slice(0, MOST_IN_LEGEND);
  groups.sort((a, b) => (column.values[a] === "") - (column.values[b] === "") || a - b);
  if (counts.has(-1)) groups.push(-1);
  for (const group of groups) {
    const name = group < 0 ? "others" : column.values[group] || "not known";
    const label = make("label"), box = make("input", "", { type: "checkbox" });
    box.checked = !model.off.has(group);
    box.addEventListener("change", () => {
      if (box.checked) model.off.delete(group);
      else model.off.add(group);
      filtered();
    });
    const patch = make("span", "", { class: "patch" });
    patch.style.background = group < 0 ? OTHERS : model.byCode[group];
    const only = make("button", "only", { type: "button", "aria-label": "Show only " + name });
    only.addEventListener("click", () => {
      model.off = new Set(groups.filter((other) => other !== group));
      legend();
      filtered();
    });
    label.append(box, patch, make("span", name, { class: "name" }), make("span", counts.get(group).toLocaleString("en"), { class: "far" }));
    const line = make("div", "", { class: "entry" });
    line.append(label, only);
    host.append(line);
  }
  const all = make("button", "Show all", { type: "button" });
  all.addEventListener("click", () => {
    model.off.clear();
    legend();
    filtered();
  });
  host.append(all);
}

function ramp(column) {
  const host = make("div"), bar = make("div", "", { class: "ramp" });
  bar.style.background = "linear-gradient(to right, " + data.ramp.join(", ") + ")";
  host.append(bar);
  const ends = ["from", "to"].map((word, n) => {
    const input = make("input", "", { type: "number", step: "any", value: n ? column.most : column.least });
    input.addEventListener("change", () => {
      const [low, high] = ends.map((end) => (end.value === "" ? NaN : Number(end.value)));
      const whole = (Number.isNaN(low) || low <= column.least) && (Number.isNaN(high) || high >= column.most);
      model.range = whole ? null : [Number.isNaN(low) ? -Infinity : low, Number.isNaN(high) ? Infinity : high];
      filtered();
    });
    const label = make("label", word + " ");
    label.append(input);
    host.append(label, document.createTextNode(" "));
    return input;
  });
  return host;
}

function save() {
  const link = make("a", "", { download: data.file });
  link.href = URL.createObjectURL(new Blob(["\ufeff" + model.csv()], { type: "text/csv;charset=utf-8" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function compare() {
  const twice = byId("beside").checked;
  views[1].host.hidden = byId("space2").parentElement.hidden = !twice;
  document.querySelector(".maps").classList.toggle("two", twice);
  details();
}

function start() {
  for (const host of document.querySelectorAll(".view")) {
    const view = new View(host, model, atlases, events);
    view.gestures = new Gestures(view, model, events);
    views.push(view);
  }
  const options = (select, names) => names.forEach((name, value) => select.append(make("option", name, { value })));
  model.columns.forEach((column, value) => byId("colour").append(make("option", column.name, { value })));
  byId("colour").value = data.colour;
  const show = () => {
    views.forEach((view, n) => {
      const space = model.spaces[Number(byId("space" + (n + 1)).value)];
      view.show(space, byId("layout").value);
      view.canvas.setAttribute("aria-label", `Map of ${plural(model.count, "picture")} by ${space.name}. Arrow keys go to the next picture in their direction, n and p from one to the next; Enter reads its details, space selects it; plus, minus and 0 zoom; Shift and arrows move the map.`);
      view.host.querySelector("figcaption").textContent = space.name;
    });
    details();
  };
  for (const n of [1, 2]) {
    options(byId("space" + n), model.spaces.map((space) => space.name));
    byId("space" + n).addEventListener("change", show);
  }
  byId("space2").value = Math.min(1, model.spaces.length - 1);
  byId("spaces").hidden = model.spaces.length < 2;
  byId("beside").checked = model.spaces.length > 1 && window.innerWidth > 900;
  byId("beside").addEventListener("change", compare);
  byId("layout").addEventListener("change", show);
  byId("colour").addEventListener("change", () => {
    model.colourBy(Number(byId("colour").value));
    legend();
    filtered();
    details();
  });
  byId("size").addEventListener("input", () => {
    views.forEach((view) => {
      view.thumb = Number(byId("size").value);
      view.relevel();
    });
  });
  let later = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(later);
    later = setTimeout(() => {
      model.words = byId("search").value;
      filtered();
    }, 120);
  });
  byId("frame").addEventListener("click", () => open().forEach((view) => view.frame(model.shown)));
  document.querySelectorAll("[name=tool]").forEach((radio) => {
    radio.addEventListener("change", () => views.forEach((view) => (view.gestures.tool = radio.value)));
  });
  const zooms = { in: (view) => view.zoomBy(1.6), out: (view) => view.zoomBy(1 / 1.6), whole: (view) => view.fit() };
  for (const [id, zoom] of Object.entries(zooms)) byId(id).addEventListener("click", () => open().forEach(zoom));
  // On a map they zoom that one; elsewhere, and before anything has been clicked, they are the buttons.
  const keys = { "+": "in", "=": "in", "-": "out", 0: "whole" };
  document.addEventListener("keydown", (event) => {
    const typed = event.target.closest("select, input:not([type=radio], [type=checkbox], [type=range])");
    if (typed || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in keys) byId(keys[event.key]).click();
  });
  byId("take").addEventListener("click", () => events.select([...model.shown.keys()].filter((i) => model.shown[i]), true));
  byId("clear").addEventListener("click", () => events.select([], false));
  byId("export").addEventListener("click", save);
  show();
  compare();
  legend();
  filtered();
  selection();
  performance.mark("map");
}

start();
