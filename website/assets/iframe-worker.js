// Search runs in a worker, and browsers start none for pages that are files. There, and only there, the worker's script runs in a hidden frame.
if (location.protocol === "file:") {
  const message = (data) => new MessageEvent("message", { data: structuredClone(data) }); // a worker gets copies
  window.Worker = class extends EventTarget {
    constructor(script) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = `<script>
        postMessage = (data) => frameElement.dispatchEvent(new CustomEvent("posted", { detail: data }));
        importScripts = (...scripts) => scripts.reduce((before, src) => before.then(() => new Promise((loaded) => {
          document.head.append(Object.assign(document.createElement("script"), { src, onload: loaded }));
        })), Promise.resolve());
      </script><script src="${new URL(script, location)}"></script>`;
      frame.addEventListener("posted", (event) => this.dispatchEvent(message(event.detail)));
      this.loaded = new Promise((loaded) => frame.addEventListener("load", () => loaded(frame.contentWindow)));
      this.frame = frame;
      document.body.append(frame);
    }
    set onmessage(listener) { this.addEventListener("message", listener); }
    postMessage(data) { this.loaded.then((worker) => worker.dispatchEvent(message(data))); }
    terminate() { this.frame.remove(); }
  };
}
