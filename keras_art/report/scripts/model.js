// What the page knows: pictures, columns, where each picture stands, which are shown and selected. No DOM here.

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text); // of the browsers since 2025, and several times faster
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let n = 0; n < letters.length; n++) bytes[n] = letters.charCodeAt(n);
  return bytes;
}
const numbersOf = (Kind, text) => new Kind(bytesOf(text).buffer);
const FORMULA = /^'*[=+\-@\t\r]/;
const NUMBER = /^[+-]?[\d.,]+(e[+-]?\d+)?%?$/i;
const UNKNOWN = "#b9b9b9";
const OTHERS = "#7d7d7d";
const HIDDEN = "#dedede";

class Model {
  constructor(data) {
    this.data = data;
    this.count = data.ids.length;
    this.ids = data.ids;
    this.columns = data.columns.map((column) => ({ ...column, codes: numbersOf(Uint32Array, column.codes) }));
    this.spaces = data.spaces.map((space) => ({
      name: space.name,
      layouts: {
        cloud: numbersOf(Float32Array, space.cloud),
        grid: numbersOf(Float32Array, space.grid),
      },
      cell: space.cell,
      near: numbersOf(Int32Array, space.near),
      far: numbersOf(Float32Array, space.far),
    }));
    this.near = data.near;
    this.shown = new Uint8Array(this.count).fill(1);
    this.selected = new Uint8Array(this.count);
    this.current = -1;
    this.words = "";
    this.range = null; // of the numbers of the colouring column
    this.off = new Set(); // codes of the colouring column that the legend has switched off
    this.colourBy(data.colour);
  }

  value(column, i) {
    return column.values[column.codes[i]];
  }

  // The words of a column in the order in which they take colours: that of the first of the longest columns that have
  // them all, so that a class and its prediction are of one colour; those with twice as many are of other things.
  ranked(column) {
    const words = ({ numeric, values }) => (numeric ? [] : values.filter((text) => text !== ""));
    const own = words(column);
    let whole = [];
    for (const other of this.columns.map(words)) {
      if (other.length <= whole.length || other.length > 2 * own.length) continue;
      const all = new Set(other);
      if (own.every((text) => all.has(text))) whole = other;
    }
    return new Map(whole.map((text, rank) => [text, rank]));
  }

  // Colours: of a column of words the most frequent have one each; of numbers a ramp from the least to the greatest.
  colourBy(index) {
    this.off.clear();
    this.range = null;
    this.colouring = index >= 0 ? this.columns[index] : null;
    const column = this.colouring;
    this.byCode = [];
    if (column && column.numeric) {
      const numbers = column.values.map((text) => (text === "" ? NaN : Number(text)));
      const known = numbers.filter(Number.isFinite);
      [column.least, column.most] = spread(known);
      const span = column.most - column.least || 1;
      this.numbers = numbers;
      this.byCode = numbers.map((x) => (Number.isFinite(x) ? rampAt(this.data.ramp, (x - column.least) / span) : UNKNOWN));
    } else if (column) {
      const ranks = this.ranked(column);
      this.byCode = column.values.map((text) => (text === "" ? UNKNOWN : this.data.palette[ranks.get(text)] ?? OTHERS));
    }
    this.colours = new Array(this.count);
    this.packed = new Uint32Array(this.count); // the same as pixels of a canvas
    for (let i = 0; i < this.count; i++) {
      this.colours[i] = column ? this.byCode[column.codes[i]] : OTHERS;
      this.packed[i] = packed(this.colours[i]);
    }
  }

  // Which pictures are shown: every word of the search somewhere in a picture's texts, and what the legend lets through.
  filter() {
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !this.haystack) this.haystack = this.ids.map((id, i) => this.told(i).toLowerCase());
    const column = this.colouring;
    for (let i = 0; i < this.count; i++) {
      let shown = words.every((word) => this.haystack[i].includes(word));
      if (shown && column && this.off.size) shown = !this.off.has(this.group(column.codes[i]));
      if (shown && column && this.range) {
        const number = this.numbers[column.codes[i]];
        shown = number >= this.range[0] && number <= this.range[1];
      }
      this.shown[i] = shown ? 1 : 0;
    }
  }

  // What the legend takes together: the words that have no colour of their own are one group, -1.
  group(code) {
    return this.byCode[code] === OTHERS ? -1 : code;
  }

  told(i) {
    return [this.ids[i], ...this.columns.map((column) => this.value(column, i))].join("\n");
  }

  countOf(flags) {
    let total = 0;
    for (let i = 0; i < flags.length; i++) total += flags[i];
    return total;
  }

  neighbours(space, i) {
    const found = [];
    for (let k = 0; k < this.near; k++) {
      const row = space.near[i * this.near + k];
      if (row >= 0) found.push({ row, distance: space.far[i * this.near + k] });
    }
    return found;
  }

  // The selected pictures as a table; without a selection, the shown ones. No cell is a formula.
  csv() {
    const taken = this.countOf(this.selected) ? this.selected : this.shown;
    const lines = [["id", ...this.columns.map((column) => column.name)]];
    for (let i = 0; i < this.count; i++) {
      if (taken[i]) lines.push([this.ids[i], ...this.columns.map((column) => this.value(column, i))]);
    }
    return lines.map((line) => line.map(cell).join(",")).join("\n") + "\n";
  }
}

function cell(text) {
  const inert = FORMULA.test(text) && !NUMBER.test(text) ? "'" + text : text;
  return /[",\n\r;\t|]/.test(inert) ? '"' + inert.replaceAll('"', '""') + '"' : inert;
}

function spread(numbers) {
  let least = Infinity, most = -Infinity;
  for (const x of numbers) {
    if (x < least) least = x;
    if (x > most) most = x;
  }
  return [least, most];
}

const PACKED = new Map();
function packed(colour) {
  if (!PACKED.has(colour)) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    PACKED.set(colour, ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
  }
  return PACKED.get(colour);
}

function rampAt(ramp, share) {
  const place = Math.min(Math.max(share, 0), 1) * (ramp.length - 1);
  const from = Math.min(Math.floor(place), ramp.length - 2);
  const part = (k) => {
    const [a, b] = [ramp[from], ramp[from + 1]].map((colour) => parseInt(colour.slice(1 + 2 * k, 3 + 2 * k), 16));
    return Math.round(a + (b - a) * (place - from)).toString(16).padStart(2, "0");
  };
  return "#" + part(0) + part(1) + part(2);
}

function half(image) {
  const [resizeWidth, resizeHeight] = [image.width, image.height].map((side) => Math.max(1, Math.round(side / 2)));
  return createImageBitmap(image, { resizeWidth, resizeHeight, resizeQuality: "medium" });
}

// The pictures' thumbnails, on pages of which the first have the pictures seen first.
class Atlases {
  constructor(about, texts, changed) {
    Object.assign(this, { side: about.side, across: about.across, type: about.type });
    this.slots = numbersOf(Int32Array, about.slots);
    this.boxes = bytesOf(about.boxes);
    this.order = new Int32Array(this.slots.length);
    this.slots.forEach((slot, i) => (this.order[slot] = i));
    this.pages = [];
    this.load(texts, changed);
  }

  // All begin at once, on as many processors as there are; what is drawn small takes the large one while it has no other.
  async load(texts, changed) {
    const pages = texts.map((element) => {
      const page = createImageBitmap(new Blob([bytesOf(element.textContent)], { type: this.type }));
      element.remove();
      return page;
    });
    for (const page of pages) {
      this.pages.push([await page]);
      if (this.pages.length === 1) performance.mark("first pictures");
      changed();
    }
    performance.mark("every picture");
    for (const page of this.pages) {
      page.push(await half(page[0]));
      page.push(await half(page[1]));
    }
    changed();
  }

  // Draws a picture into a square of `size` about a point; gives the rectangle it fills, null while it is not decoded.
  draw(context, i, x, y, size) {
    const slot = this.slots[i], perPage = this.across * this.across;
    const page = this.pages[Math.floor(slot / perPage)];
    if (!page) return null;
    const step = Math.min(size * 4 <= this.side ? 2 : size * 2 <= this.side ? 1 : 0, page.length - 1);
    const image = page[step], by = 1 << step, within = slot % perPage;
    const left = (within % this.across) * this.side, top = Math.floor(within / this.across) * this.side;
    const wide = this.boxes[2 * i], tall = this.boxes[2 * i + 1];
    const w = Math.max(1, Math.round((wide * size) / this.side)), h = Math.max(1, Math.round((tall * size) / this.side));
    const [l, t] = [Math.round(x - w / 2), Math.round(y - h / 2)];
    context.drawImage(image, left / by, top / by, wide / by, tall / by, l, t, w, h);
    return [l, t, w, h];
  }
}
