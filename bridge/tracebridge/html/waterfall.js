// The waterfall of one trace: rows that fold, bars on one time axis, details on demand. It asks for nothing from anywhere.
"use strict";

const ROWS_AT_ONCE = 1000; // rows that are added as one scrolls down
const MOST_INDENT = 160; // pixels; deeper rows say their depth instead
const SHARES = [1, 2, 5]; // distances of the axis' lines, times a power of ten

class Waterfall {
  /** Draw `picture` into `place`. `options.whole`: nanoseconds of the axis (two traces on one scale), `options.link`: see spanDetails,
   *  `options.state`: what `state()` of an earlier picture of this trace returned. */
  constructor(place, picture, options = {}) {
    this.picture = picture;
    this.rows = picture.rows;
    this.whole = Math.max(1, options.whole || picture.duration);
    this.link = options.link;
    this.folded = new Set();
    this.opened = new Map(); // row number → its details
    this.elements = new Map(); // row number → its element, made once
    this.drawn = ROWS_AT_ONCE;
    this.found = [];
    this.at = -1;
    this.current = 0;
    this.deepest = this.rows.reduce((most, row) => Math.max(most, row.depth), 1);
    [this.parents, this.end] = places(this.rows);
    this.body = el("div", { class: "body", role: "rowgroup" });
    this.tree = el("div", { class: "tree", role: "treegrid", "aria-label": `spans of ${picture.id}`, "aria-rowcount": this.rows.length + 1 });
    this.tree.append(this.head(), this.body);
    this.more = el("div", { class: "more-rows", hidden: true }, el("button", { type: "button", click: () => this.drawMore() }));
    this.place = el("div", { class: "waterfall" }, this.tools(), this.tree, this.legend());
    this.tree.append(this.more);
    this.tree.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.click(event));
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.drawMore()).observe(this.more);
    addEventListener("beforeprint", () => { this.drawn = Infinity; this.show(); });
    place.append(this.place);
    this.show();
    if (options.state) this.restore(options.state);
  }

  /** What a person has done here, by span IDs: an earlier picture has other row numbers. */
  state() {
    const ids = (numbers) => new Set([...numbers].map((number) => this.rows[number].id));
    return {
      folded: ids(this.folded), opened: ids(this.opened.keys()), current: this.rows[this.current].id, search: this.search.value,
      focused: this.body.contains(document.activeElement), drawn: this.drawn,
    };
  }

  restore(state) {
    this.drawn = state.drawn;
    this.rows.forEach((row, number) => {
      if (state.folded.has(row.id) && this.end[number] > number + 1) this.folded.add(number);
      if (state.opened.has(row.id)) this.toggleDetails(number);
    });
    this.show();
    const current = this.rows.findIndex((row) => row.id === state.current);
    if (current >= 0) this.focus(current, state.focused);
    this.search.value = state.search;
    this.mark();
  }

  // ---- parts

  tools() {
    this.search = el("input", { type: "search", placeholder: "Find in names, values, IDs ( / )", "aria-label": "Find spans", input: () => this.find() });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.next(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { this.search.value = ""; this.find(); this.focus(this.current); }
    });
    this.said = el("output", { "aria-live": "polite" });
    const folds = this.rows.some((row) => row.depth > 0);
    const errors = this.rows.some((row) => row.status === "ERROR");
    const critical = el("button", { type: "button", "aria-pressed": "true", click: () => {
      const calm = this.tree.classList.toggle("calm");
      critical.setAttribute("aria-pressed", String(!calm));
    } }, "Critical path");
    return el("div", { class: "tools", role: "group", "aria-label": "waterfall" },
      this.search, this.said,
      folds && el("button", { type: "button", click: () => this.foldAll() }, "Fold"),
      folds && el("button", { type: "button", click: () => { this.folded.clear(); this.show(); } }, "Unfold"),
      errors && el("button", { type: "button", click: () => this.nextError() }, "Next error"),
      critical);
  }

  head() {
    const step = this.step(5);
    this.tree.style.setProperty("--step", `${(100 * step) / this.whole}%`);
    const time = el("div", { class: "time", role: "columnheader", "aria-label": "time" });
    for (let ns = 0; ns <= this.whole; ns += step) {
      const label = el("span", ns / this.whole > 0.94 ? { class: "last" } : {}, tick(ns));
      label.style.left = `${(100 * ns) / this.whole}%`;
      time.append(label);
    }
    return el("div", { class: "row head", role: "row" }, el("div", { class: "name", role: "columnheader" }, "Span"), time);
  }

  /** Nanoseconds between two lines of the axis, so that there are at most so many. */
  step(most) {
    let step = 1;
    for (let power = 1; this.whole / step > most; power *= 10) {
      for (const share of SHARES) if (this.whole / step > most) step = share * power;
    }
    return step;
  }

  legend() {
    const services = [...new Set(this.rows.map((row) => row.service))].filter(Boolean);
    const made = el("div", { class: "legend" });
    for (const name of services.slice(0, 12)) {
      made.append(el("span", {}, dot(name), el("bdi", {}, name)));
    }
    if (services.length > 12) made.append(el("span", {}, `and ${count(services.length - 12, "service")}`));
    if (this.rows.some((row) => row.critical)) made.append(el("span", {}, el("i", { class: "stroke" }), "critical path"));
    if (this.rows.some((row) => row.status === "ERROR")) made.append(el("span", {}, el("i", { class: "hatched" }), "error"));
    return made;
  }

  /** Return the element of a row, made when it is first shown. */
  element(number) {
    const known = this.elements.get(number);
    if (known) return known;
    const row = this.rows[number];
    const parent = this.parents[number];
    const failed = row.status === "ERROR";
    const made = el("div", {
      class: `row${failed ? " error" : ""}${row.critical ? " critical" : ""}`, role: "row", tabindex: -1,
      "data-row": number, "aria-level": row.depth + 1, "aria-rowindex": number + 2,
    });
    const hueOf = hue(row.service);
    made.style.setProperty("--hue", hueOf);
    const indent = Math.min(MOST_INDENT, row.depth * Math.max(3, Math.min(16, 320 / this.deepest)));
    const name = el("div", { class: "name", role: "gridcell" });
    name.style.setProperty("--indent", `${indent}px`);
    const folds = this.end[number] > number + 1;
    if (indent === MOST_INDENT && row.depth > 10) name.append(el("span", { class: "more", title: "depth" }, String(row.depth)));
    name.append(el("button", { class: "fold", type: "button", tabindex: -1, "aria-hidden": "true", disabled: !folds }, folds ? "▾" : ""));
    name.append(dot(row.service), el("span", { class: "text", title: row.name }, `${failed ? "✗ " : ""}${row.name || "(no name)"}`));
    if (failed) name.append(el("span", { class: "sr" }, "error"));
    if (row.kind) name.append(el("span", { class: "kind" }, row.kind.toLowerCase()));
    if (row.place) name.append(el("span", { class: "kind", title: `parent ${row.parent}${placeWords(row)}` }, row.place));
    if (row.end_cause) name.append(el("span", { class: "kind" }, row.end_cause));
    if (row.service && (parent < 0 || this.rows[parent].service !== row.service)) name.append(el("span", { class: "service" }, row.service));
    if (row.left_out) name.append(el("span", { class: "more" }, `+ ${count(row.left_out, "deeper span")}`));
    made.append(name, this.timeOf(row));
    this.elements.set(number, made);
    return made;
  }

  timeOf(row) {
    const share = Math.min(1, row.start / this.whole);
    const width = Math.min(1 - share, row.duration / this.whole);
    const time = el("div", { class: "time", role: "gridcell" });
    const bar = el("div", { class: "bar" });
    bar.style.left = `${share * 100}%`;
    bar.style.width = `${width * 100}%`;
    const took = el("span", { class: "took" }, duration(row.duration));
    if (share + width < 0.8) took.style.left = `${(share + width) * 100}%`; // where there is room
    else if (share > 0.2) took.style.right = `${(1 - share) * 100}%`;
    else { took.style.left = `${share * 100}%`; took.style.color = "var(--paper)"; }
    time.append(bar, took);
    return time;
  }

  // ---- what is shown

  /** Put the rows that are not folded away into the page, at most `drawn` of them. */
  show() {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const shown = [];
    let rows = 0;
    let left = 0;
    for (let number = 0; number < this.rows.length; number = this.folded.has(number) ? this.end[number] : number + 1) {
      rows += 1;
      if (rows > this.drawn) { left += 1; continue; }
      const element = this.element(number);
      const folds = this.end[number] > number + 1;
      if (folds) {
        const isFolded = this.folded.has(number);
        element.setAttribute("aria-expanded", String(!isFolded));
        element.querySelector(".fold").textContent = isFolded ? "▸" : "▾";
      }
      shown.push(element);
      if (this.opened.has(number)) shown.push(this.opened.get(number));
    }
    this.body.replaceChildren(...shown);
    this.more.hidden = left === 0;
    this.more.firstChild.textContent = `${count(left, "row")} more`;
    this.element(this.current).tabIndex = 0;
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  drawMore() {
    this.drawn += ROWS_AT_ONCE;
    this.show();
  }

  isShown(number) {
    for (let at = this.parents[number]; at >= 0; at = this.parents[at]) if (this.folded.has(at)) return false;
    return true;
  }

  /** Unfold and draw what it takes to see a row, and go there. */
  reveal(number) {
    for (let at = this.parents[number]; at >= 0; at = this.parents[at]) this.folded.delete(at);
    this.drawn = Math.max(this.drawn, number + ROWS_AT_ONCE);
    this.show();
    this.focus(number, false);
    this.element(number).scrollIntoView({ block: "center" });
  }

  focus(number, takes = true) {
    this.element(this.current).tabIndex = -1;
    this.current = number;
    const element = this.element(number);
    element.tabIndex = 0;
    if (takes) element.focus();
  }

  fold(number, folds) {
    if (folds) this.folded.add(number);
    else this.folded.delete(number);
    this.show();
  }

  /** Fold everything below the second level, or, when that is so already, below the first. */
  foldAll() {
    const below = (depth) => this.rows.flatMap((row, number) => (row.depth === depth && this.end[number] > number + 1 ? [number] : []));
    const second = below(1);
    const is = second.length > 0 && second.every((number) => this.folded.has(number));
    for (const number of is || second.length === 0 ? below(0) : second) this.folded.add(number);
    if (!this.isShown(this.current)) this.focus(0, false);
    this.show();
  }

  toggleDetails(number) {
    if (this.opened.has(number)) this.opened.delete(number);
    else this.opened.set(number, spanDetails(this.rows[number], this.picture, this.selfTime(number), this.link));
    this.element(number).setAttribute("aria-selected", String(this.opened.has(number)));
    this.show();
  }

  /** Nanoseconds of a span in which none of its children ran. */
  selfTime(number) {
    const row = this.rows[number];
    let at = row.start;
    let own = 0;
    const children = [];
    for (let child = number + 1; child < this.end[number]; child = this.end[child]) children.push(this.rows[child]);
    for (const child of children.sort((one, other) => one.start - other.start)) {
      own += Math.max(0, Math.min(child.start, row.start + row.duration) - at);
      at = Math.max(at, child.start + child.duration);
    }
    return own + Math.max(0, row.start + row.duration - at);
  }

  // ---- finding

  find() {
    this.mark();
    if (this.found.length) this.next(1);
    else this.said.textContent = this.search.value.trim() === "" ? "" : "none found";
  }

  /** Mark the rows that have what is searched for in any of their texts. */
  mark() {
    for (const number of this.found) this.elements.get(number)?.classList.remove("found");
    const wanted = this.search.value.trim().toLowerCase();
    this.found = wanted === "" ? [] : this.rows.flatMap((row, number) => (this.haystack(row).includes(wanted) ? [number] : []));
    this.at = -1;
    for (const number of this.found) this.element(number).classList.add("found");
  }

  haystack(row) {
    row.haystack ??= JSON.stringify(Object.values(row)).toLowerCase();
    return row.haystack;
  }

  next(step) {
    if (!this.found.length) return;
    this.at = (this.at + step + this.found.length) % this.found.length;
    this.said.textContent = `${this.at + 1} of ${this.found.length}`;
    this.reveal(this.found[this.at]);
  }

  nextError() {
    const failed = this.rows.flatMap((row, number) => (row.status === "ERROR" ? [number] : []));
    const next = failed.find((number) => number > this.current) ?? failed[0];
    this.reveal(next);
    this.focus(next);
  }

  // ---- mouse and keyboard

  click(event) {
    const element = event.target.closest(".row");
    if (!element) return;
    const number = Number(element.dataset.row);
    this.focus(number);
    if (event.target.closest(".fold:not(:disabled)")) this.fold(number, !this.folded.has(number));
    else if (!String(getSelection())) this.toggleDetails(number);
  }

  /** The keys of a tree: arrows, Home, End, PageUp and PageDown, Enter or blank for details, e for the next error, / to search. */
  key(event) {
    const element = event.target.closest(".body > .row");
    if (!element || event.ctrlKey || event.altKey || event.metaKey) return;
    const number = Number(element.dataset.row);
    const shown = [...this.body.querySelectorAll(":scope > .row")].map((one) => Number(one.dataset.row));
    const at = shown.indexOf(number);
    const folds = this.end[number] > number + 1;
    const isFolded = this.folded.has(number);
    const go = (to) => this.focus(shown[Math.max(0, Math.min(shown.length - 1, to))]);
    const keys = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + 20),
      PageUp: () => go(at - 20),
      Home: () => go(0),
      End: () => go(shown.length - 1),
      ArrowRight: () => (folds && isFolded ? this.fold(number, false) : folds && go(at + 1)),
      ArrowLeft: () => (folds && !isFolded ? this.fold(number, true) : this.parents[number] >= 0 && this.focus(this.parents[number])),
      Enter: () => this.toggleDetails(number),
      " ": () => this.toggleDetails(number),
      Escape: () => this.opened.has(number) && this.toggleDetails(number),
      e: () => this.nextError(),
      "/": () => this.search.focus(),
    };
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  }
}

function dot(service) {
  const made = el("span", { class: "dot" });
  made.style.setProperty("--hue", hue(service));
  return made;
}

/** For each row the number of its parent (-1 at the top), and the number of the first row after it that is not below it. */
function places(rows) {
  const parents = new Array(rows.length).fill(-1);
  const ends = new Array(rows.length).fill(rows.length);
  const open = [];
  rows.forEach((row, number) => {
    while (open.length && rows[open.at(-1)].depth >= row.depth) ends[open.pop()] = number;
    if (open.length) parents[number] = open.at(-1);
    open.push(number);
  });
  return [parents, ends];
}

/** The title and the facts of a trace, above its waterfall. */
function traceHead(picture, ...more) {
  const started = new Date(picture.start_ms);
  const facts = [
    el("span", {}, duration(picture.duration)),
    el("span", {}, count(picture.spans, "span")),
    picture.errors > 0 && el("span", { class: "bad" }, count(picture.errors, "error")),
    picture.service && el("span", {}, el("bdi", {}, picture.service)),
    el("span", {}, Number.isNaN(started.getTime()) ? "" : started.toISOString().replace("T", " ").replace(/\..*/, " UTC")),
    picture.id !== picture.wire_id && el("span", {}, el("code", {}, picture.wire_id)),
    ...more,
  ];
  const made = el("header", {}, el("h1", {}, picture.id), el("p", { class: "facts" }, ...facts));
  const notes = [];
  if (picture.left_out) notes.push(`${count(picture.left_out, "span")} of ${picture.spans.toLocaleString("en")} are not drawn: the deepest, and those that start last`);
  if (picture.shortened) notes.push(`${count(picture.shortened, "long value")} ${picture.shortened === 1 ? "is" : "are"} cut`);
  if (notes.length) made.append(el("p", { class: "note" }, `${notes.join("; ")}. tracebridge show --json has everything.`));
  return made;
}
