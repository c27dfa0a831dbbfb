// Two charts of what is listed: how long traces take, and which service calls which.
"use strict";

const MOST_SERVICES = 40; // of a map; with more it is a table
const COLUMN = 168; // pixels from one column of the map to the next
const LINE = 52; // and from one line to the next
const BOX = [124, 36];

/** Make an element of SVG, as `el` does of HTML. */
function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A histogram of durations on a logarithmic axis. `link(min, max)`: the address of the list of traces between two times, in milliseconds. */
function latencyChart(traces, link) {
  const sorted = traces.map((trace) => trace.duration).sort((one, other) => one - other);
  const at = (share) => duration(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  const edges = edgesAround(sorted[0], sorted.at(-1));
  const columns = edges.slice(0, -1).map((from, index) => {
    const inside = traces.filter((trace) => trace.duration >= from && trace.duration < edges[index + 1]);
    return { from, to: edges[index + 1], all: inside.length, failed: inside.filter((trace) => trace.status === "ERROR").length };
  });
  const most = Math.max(...columns.map((column) => column.all));
  const [width, height, foot] = [Math.max(260, Math.min(560, document.getElementById("main").clientWidth - 28)), 170, 22];
  const step = width / columns.length;
  const drawn = columns.map((column, index) => {
    const top = (share) => (height - foot - 16) * share;
    const words = `${count(column.all, "trace")} of ${tick(column.from)} to ${tick(column.to)}${column.failed ? `, ${count(column.failed, "error")}` : ""}`;
    const bar = (class_, number, below) => number > 0 && svg("rect", { class: class_, x: index * step + 2, width: Math.max(1, step - 4), rx: 2, y: height - foot - top((number + below) / most), height: top(number / most) });
    const parts = [
      svg("title", {}, words),
      svg("rect", { class: "ground", x: index * step, y: 0, width: step, height: height - foot }),
      bar(null, column.all - column.failed, column.failed), bar("failed", column.failed, 0),
      column.all > 0 && svg("text", { x: (index + 0.5) * step, y: height - foot - top(column.all / most) - 4, "text-anchor": "middle" }, String(column.all)),
    ];
    const leads = column.all > 0 && column.to > 1e6; // the filter counts whole milliseconds
    const min = Math.floor(column.from / 1e6);
    return leads ? svg("a", { class: "column", href: link(min ? String(min) : "", String(Math.ceil(column.to / 1e6) - 1)), "aria-label": words, "data-key": `column ${column.from}` }, ...parts)
      : svg("g", { class: "column" }, ...parts);
  });
  const every = Math.ceil((edges.length * 62) / width);
  const labels = edges.map((edge, index) => index % every === 0 && index < edges.length - 1
    && svg("text", { x: index * step + (index ? 0 : 1), y: height - 6, "text-anchor": index ? "middle" : "start" }, tick(edge)));
  return el("section", { class: "card", "aria-label": "Durations" },
    el("h2", {}, `Durations: half within ${at(0.5)}, 95 % within ${at(0.95)}, the longest ${duration(sorted.at(-1))}`),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "histogram of durations" },
      svg("line", { class: "axis", x1: 0, x2: width, y1: height - foot, y2: height - foot }), ...drawn, ...labels));
}

/** 1, 2 and 5 times powers of ten around a range. */
function edgesAround(shortest, longest) {
  const steps = [];
  for (let power = 1; power <= 1e18; power *= 10) steps.push(power, 2 * power, 5 * power);
  const first = Math.max(0, steps.findLastIndex((step) => step <= Math.max(1, shortest)));
  const last = steps.findIndex((step) => step > longest);
  return (first > 0 || shortest > 0 ? [] : [0]).concat(steps.slice(first, Math.max(last, first + 1) + 1));
}

/** Services as boxes, from those that call to those that are called. `entries`: where traces begin;
 *  `link(name)`: the address of a service's traces. */
function serviceMap({ services, calls }, entries, link) {
  const card = el("section", { class: "card", "aria-label": "Service map" },
    el("h2", {}, `${count(services.length, "service")}, ${count(calls.length, "connection")}`));
  const table = el("details", { open: services.length > MOST_SERVICES }, el("summary", {}, "as a table"),
    el("table", { class: "list" },
      el("thead", {}, el("tr", {}, ...["from", "to", "calls"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...calls.map((call) => el("tr", {}, el("td", {}, el("bdi", {}, call.from)), el("td", {}, el("bdi", {}, call.to)), el("td", { class: "number" }, call.count.toLocaleString("en")))))));
  if (services.length <= MOST_SERVICES) card.append(el("div", { class: "chart-scroll" }, mapOf(services, calls, entries, link)));
  if (calls.length) card.append(table);
  return card;
}

function mapOf(services, calls, entries, link) {
  const columns = ranked(services.map((service) => service.name), calls, entries);
  const places = new Map();
  columns.forEach((names, column) => names.forEach((name, line) => places.set(name, [column * COLUMN + 4, line * LINE + 8])));
  const width = columns.length * COLUMN - (COLUMN - BOX[0]) + 8;
  const skips = Math.max(0, ...calls.map(({ from, to }) => columnOf(columns, to) - columnOf(columns, from) - 1));
  const height = Math.max(...columns.map((names) => names.length)) * LINE + 4 + 14 * skips;
  const lines = calls.map((call) => {
    const [[x1, y1], [x2, y2]] = [places.get(call.from), places.get(call.to)];
    const [from, to, middle] = [x1 + BOX[0], x2, BOX[1] / 2];
    const bend = to > from ? (to - from) / 2 : 60;
    const dip = 22 * Math.max(0, columnOf(columns, call.to) - columnOf(columns, call.from) - 1); // below the boxes between them
    return svg("path", { class: "call", "marker-end": "url(#arrow)", "stroke-width": Math.min(5, 1 + Math.log10(call.count)),
      d: `M${from},${y1 + middle} C${from + bend},${y1 + middle + dip} ${to - bend},${y2 + middle + dip} ${to - 5},${y2 + middle}` },
    svg("title", {}, `${call.from} → ${call.to}: ${count(call.count, "call")}`));
  });
  const boxes = services.map((service) => {
    const [x, y] = places.get(service.name);
    const words = service.spans ? count(service.spans, "span") + (service.errors ? `, ${count(service.errors, "error")}` : "") : "only called";
    const box = svg("a", { class: "node", href: service.spans ? link(service.name) : null, "aria-label": `${service.name}: ${words}`, "data-key": `service ${service.name}` },
      svg("title", {}, `${service.name}: ${words}`),
      svg("rect", { x, y, width: BOX[0], height: BOX[1], rx: 6 }),
      svg("text", { x: x + 8, y: y + 15 }, short(service.name)), svg("text", { class: `small${service.errors ? " failed" : ""}`, x: x + 8, y: y + 29 }, words));
    box.style.setProperty("--hue", hue(service.name));
    return box;
  });
  const made = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "service map" },
    svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { class: "arrow", d: "M0,0 L8,4 L0,8 z" }))),
    ...lines, ...boxes);
  made.style.maxWidth = `${width}px`;
  made.style.minWidth = `${width * 0.85}px`;
  return made;
}

function columnOf(columns, name) {
  return columns.findIndex((names) => names.includes(name));
}

function short(name) {
  return name.length > 17 ? `${name.slice(0, 16)}…` : name;
}

/** Names in columns, each right of all that call it; a call that closes a circle, seen from where traces begin, does not count. */
function ranked(names, calls, entries) {
  const called = new Map(names.map((name) => [name, calls.filter((call) => call.from === name).map((call) => call.to)]));
  const rank = new Map(names.map((name) => [name, 0]));
  const known = new Map(); // "open" while what it calls is looked at
  const forward = new Map(names.map((name) => [name, []]));
  const order = [];
  const visit = (name) => {
    known.set(name, "open");
    for (const next of called.get(name)) {
      if (known.get(next) === "open") continue;
      forward.get(name).push(next);
      if (!known.has(next)) visit(next);
    }
    known.set(name, "done");
    order.unshift(name);
  };
  for (const name of [...entries, ...names]) if (rank.has(name) && !known.has(name)) visit(name);
  for (const name of order) for (const next of forward.get(name)) rank.set(next, Math.max(rank.get(next), rank.get(name) + 1));
  const columns = [...new Set(rank.values())].sort((one, other) => one - other);
  return columns.map((column) => names.filter((name) => rank.get(name) === column));
}
