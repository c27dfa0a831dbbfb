// Small things that every page needs: elements, texts, numbers as people say them. Texts enter the page as text only.
"use strict";

/** Make an element: `el("a", {href: "#", class: "x"}, "text", child, …)`. What is a string becomes text, never markup. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Nanoseconds as people say them, to three digits, as the terminal does (`tracebridge.records.durations`): 1.23 ms, 1m30s. */
function duration(ns) {
  const seconds = Math.floor(ns / 1e9);
  if (seconds >= 60) {
    for (const [size, unit, smaller, rest] of [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)}${unit}${String(Math.floor((seconds % size) / smaller)).padStart(2, "0")}${rest}`;
    }
  }
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    const value = ns / size;
    if (ns >= size) return `${value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

/** A point of a time axis: short, without zeros that say nothing. */
function tick(ns) {
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (ns >= size) return `${Number((ns / size).toPrecision(6))} ${unit}`;
  }
  return ns === 0 ? "0" : `${ns} ns`;
}

function count(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : what.endsWith("ch") ? "es" : "s"}`;
}

/** A colour for a name, the same on every page: one of twelve hues of oklch, red left to errors. */
function hue(name) {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  return [255, 160, 60, 295, 200, 85, 330, 125, 230, 145, 310, 180][hash % 12];
}

/** A text that is JSON, with its lines broken; any other as it is. */
function laidOut(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    // what was escaped in the text stays so: it could steer
    return JSON.stringify(JSON.parse(text), null, 2).replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
  } catch {
    return text;
  }
}

function escaped(char) {
  return [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");
}
