// What is shown of one span when it is asked for.
"use strict";

/** Return the element with a span's details. `picture` is its trace, `link` makes an element of a trace ID where pages can lead to it. */
function spanDetails(row, picture, selfTime, link) {
  const started = new Date(picture.start_ms + row.start / 1e6);
  const facts = [
    ["service", row.service],
    ["kind", (row.kind || "internal").toLowerCase()],
    ["type", row.type],
    ["status", row.status || "UNSET"],
    ["started", `+${duration(row.start)} (${Number.isNaN(started.getTime()) ? "unknown" : started.toISOString()})`],
    ["took", duration(row.duration)],
    ["of that, itself", selfTime === row.duration ? "" : duration(selfTime)],
    ["span ID", row.own_id ? `${row.own_id} (${row.id})` : row.id],
    ["parent", row.parent ? row.parent + placeWords(row) : ""],
    ["ended", row.end_cause ? `${row.end_cause}; opened at ${row.opened_at || "an unknown place"}` : ""],
  ];
  const made = el("div", { class: "details", role: "group", "aria-label": `details of ${row.name}` });
  if (row.message) made.append(el("p", { class: "message" }, row.message));
  made.append(pairs(facts.filter(([, value]) => value)));
  const payload = (title, text) => text !== undefined && made.append(el("h3", {}, title), el("pre", { tabindex: 0 }, laidOut(text)));
  payload("Inputs", row.inputs);
  payload("Outputs", row.outputs);
  if (row.attributes) made.append(el("h3", {}, "Attributes"), pairs(row.attributes));
  if (row.tags) made.append(el("h3", {}, "Tags of the trace"), pairs(row.tags));
  for (const [name, at, attributes] of row.events || []) {
    made.append(el("h3", {}, `Event ${name}, ${at < 0 ? "before the trace" : `+${duration(at)}`}`), pairs(attributes));
  }
  for (const [traceId, spanId, attributes] of row.links || []) {
    made.append(el("h3", {}, "Link"), pairs([["trace", link ? link(traceId) : traceId], ["span", spanId], ...attributes]));
  }
  return made;
}

function placeWords(row) {
  if (row.place === "orphan") return " (is elsewhere)";
  return row.place === "circle" ? " (is one of its own descendants)" : "";
}

function pairs(given) {
  const list = el("dl");
  for (const [key, value] of given) {
    list.append(el("dt", {}, key), el("dd", {}, typeof value === "string" ? laidOut(value) : value));
  }
  return list;
}
