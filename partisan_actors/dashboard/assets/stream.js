// What the server tells without being asked, while the page is seen: a browser has few connections to one server, and
// what nobody sees need not be asked of the nodes.
export class Stream {
  // handlers: what to do with the data of each kind of word
  constructor(path, handlers) {
    this.path = path;
    this.handlers = handlers;
    this.failure = null;
    this.source = null;
    this.turn = () => (document.hidden ? this.end() : this.begin());
    document.addEventListener("visibilitychange", this.turn);
    this.turn();
  }

  get isOpen() {
    return this.source?.readyState === EventSource.OPEN;
  }

  begin() {
    if (this.source) return;
    const source = new EventSource(this.path);
    this.source = source;
    for (const [kind, handle] of Object.entries(this.handlers)) {
      source.addEventListener(kind, (event) => { this.failure = null; handle(JSON.parse(event.data)); });
    }
    source.addEventListener("problem", (event) => { this.failure = new Error(JSON.parse(event.data).detail); });
  }

  end() {
    this.source?.close();
    this.source = null;
  }

  close() {
    document.removeEventListener("visibilitychange", this.turn);
    this.end();
  }
}
