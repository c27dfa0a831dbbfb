// One file: each trace of it is unpacked and drawn in the place of the table that is there without scripts.
"use strict";

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

async function drawTrace(place) {
  const packed = place.querySelector("script");
  if (!packed) return;
  const picture = await unpacked(packed.textContent);
  const heading = traceHead(picture);
  if (place.tagName === "DETAILS") place.replaceChildren(place.querySelector("summary"), heading);
  else place.replaceChildren(heading);
  new Waterfall(place, picture);
}

for (const place of document.querySelectorAll(".trace")) {
  if (place.tagName !== "DETAILS" || place.open) drawTrace(place);
  else place.addEventListener("toggle", () => drawTrace(place), { once: true });
}
