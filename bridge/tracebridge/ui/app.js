// The page: what the address says is shown, and asked for again while it is live.
"use strict";

const LIVE_MS = 2000; // between two askings
const QUIET_MS = 15000; // after an answer that was an error

const app = {
  destinations: [],
  from: "",
  view: null,
  timer: 0,
  number: 0, // of the view: an answer that comes after one has gone on is not shown

  /** Ask the server. Returns the answer, or undefined when it is the one that `key` got before. Throws an Error with the server's own words. */
  async ask(name, parameters, tags, key) {
    const query = new URLSearchParams(Object.entries(parameters).flatMap(([one, value]) =>
      [value].flat().filter((each) => each !== "" && each !== undefined && each !== null).map((each) => [one, each])));
    let answer;
    try {
      answer = await fetch(`api/${name}?${query}`, { headers: tags?.[key] ? { "If-None-Match": tags[key] } : {}, cache: "no-store" });
    } catch {
      throw new Error("tracebridge ui does not answer: was it ended? Start it again, and open the address that it prints.");
    }
    if (answer.status === 304) return undefined;
    if (tags) tags[key] = answer.headers.get("ETag");
    const body = await answer.json().catch(() => ({ error: `the answer cannot be read (${answer.status})` }));
    if (!answer.ok) throw Object.assign(new Error(body.error), { status: answer.status });
    return body;
  },

  say(text) {
    document.getElementById("said").textContent = text;
  },

  /** Show what the address says. */
  async go() {
    clearTimeout(app.timer);
    app.number += 1;
    app.view?.leave?.();
    const [path, query = ""] = location.hash.slice(1).split("?");
    const [what, ...ids] = path.split("/").slice(1).map(decoded);
    const parameters = new URLSearchParams(query);
    app.from = parameters.get("from") || "";
    document.querySelector(".from select").value = app.from;
    const main = document.getElementById("main");
    main.replaceChildren();
    const views = { trace: TraceView, compare: CompareView };
    app.view = new (views[what] || ListView)(main, ids, parameters);
    await app.look(app.number);
    if (app.moved) main.focus({ preventScroll: true });
    app.moved = true;
  },

  /** Ask for what is shown, once and, while it is live, again and again. */
  async look(number) {
    clearTimeout(app.timer);
    let wait = LIVE_MS;
    try {
      await app.view.look();
      app.complain("");
    } catch (error) {
      if (number !== app.number) return;
      app.complain(error.message);
      wait = QUIET_MS;
    }
    if (number === app.number) app.timer = setTimeout(() => app.lookAgain(number), wait);
  },

  lookAgain(number) {
    const isLive = document.querySelector(".live").getAttribute("aria-pressed") === "true";
    if (isLive && !document.hidden && !app.view.still) app.look(number);
    else app.timer = setTimeout(() => app.lookAgain(number), LIVE_MS);
  },

  complain(text) {
    const main = document.getElementById("main");
    const shown = main.querySelector(":scope > .message");
    if (shown?.textContent === text) return;
    shown?.remove();
    if (text) main.append(el("p", { class: "message bad", role: "alert" }, text));
  },

  async start() {
    const select = document.querySelector(".from select");
    app.destinations = (await app.ask("destinations", {})).destinations;
    select.append(...app.destinations.map((name, at) => el("option", { value: at ? name : "" }, name)));
    select.addEventListener("change", () => { location.hash = address([], { ...filtersOf(), from: select.value }); });
    const live = document.querySelector(".live");
    live.addEventListener("click", () => live.setAttribute("aria-pressed", String(live.getAttribute("aria-pressed") !== "true")));
    document.querySelector(".go").addEventListener("submit", (event) => {
      event.preventDefault();
      app.find(event.target.elements.id.value.trim());
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, select, textarea, .tree")) {
        event.preventDefault();
        document.querySelector(".tools input, .go input").focus();
      }
    });
    addEventListener("hashchange", () => app.go());
    await app.go();
  },

  /** Go to the trace of an ID, or to the list of those whose IDs have it in them. */
  async find(text) {
    if (!text) return;
    const known = await app.ask("trace", { id: text, from: app.from }).then((answer) => Boolean(answer.rows), () => false);
    location.hash = known ? address(["trace", text], { from: app.from }) : address([], { id: text, from: app.from });
  },
};

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The part of an address after the #: `address(["trace", id], {from: "zipkin"})`. */
function address(parts, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value)).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** The filters that the address has, when it is that of a list. */
function filtersOf() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  return path.length > 1 ? {} : Object.fromEntries(new URLSearchParams(query));
}

app.start().catch((error) => app.complain(error.message));
