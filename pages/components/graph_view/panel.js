// The search and the panel of a node: plain elements over the canvas.

const LISTED = 100; // the most results to list; all are marked

function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

// The nodes that a text means, in the order of the data flow: those whose operator is this text; if there are none,
// whose name is; if there are none, that touch a tensor of this name; then the same for what contains the text.
function search(index, text) {
  const query = text.trim().toLowerCase();
  if (!query) return [];
  const words = [(node) => [node.title], (node) => [node.id, node.name], (node) => node.tensors];
  const tests = [(word) => word === query, (word) => word.includes(query)];
  for (const is of tests) {
    for (const of of words) {
      const hits = index.filter((node) => of(node).some((word) => is(word.toLowerCase())));
      if (hits.length) return hits;
    }
  }
  return [];
}

class Search {
  constructor(find, go) {
    Object.assign(this, { field: find("input"), output: find("output"), list: find(".results"), go });
    this.buttons = [find(".previous"), find(".next")];
    this.hits = [];
    this.now = -1;
    this.nothing = ""; // what to say when nothing is found, in the reader's language
    this.field.oninput = () => this.type();
    this.field.onkeydown = (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape") this.set("");
      else if (event.key === "ArrowDown") this.list.querySelector("button")?.focus();
      else return;
      event.preventDefault();
    };
    this.list.onkeydown = (event) => {
      const item = event.target.parentElement;
      const next = { ArrowDown: item.nextElementSibling, ArrowUp: item.previousElementSibling }[event.key];
      if (next) next.firstChild.focus();
      else if (event.key === "Escape" || event.key === "ArrowUp") this.field.focus();
      else return;
      event.preventDefault();
    };
    this.buttons.forEach((button, at) => { button.onclick = () => this.step(2 * at - 1); });
  }

  set(text) {
    this.field.value = text;
    this.type();
  }

  type() {
    this.hits = search(this.index, this.field.value);
    this.now = -1;
    this.list.replaceChildren(...this.hits.slice(0, LISTED).map((hit, at) => this.item(hit, at)));
    this.show();
    this.go(null);
  }

  item(hit, at) {
    const item = make("li"), button = make("button", "", `${hit.title} ${hit.name}`);
    button.type = "button";
    button.tabIndex = -1; // by the arrow keys
    button.onclick = () => {
      this.now = at - 1;
      this.step(1);
    };
    item.append(button);
    return item;
  }

  step(by) {
    if (!this.hits.length) return;
    this.now = this.now < 0 && by < 0 ? this.hits.length - 1 : (this.now + by + this.hits.length) % this.hits.length;
    this.show();
    this.go(this.hits[this.now]);
  }

  show() {
    const asked = this.field.value.trim() !== "";
    const number = this.now < 0 ? `${this.hits.length}` : `${this.now + 1} / ${this.hits.length}`;
    this.output.textContent = !asked ? "" : this.hits.length ? number : this.nothing;
    for (const button of this.buttons) button.disabled = !this.hits.length;
    this.list.hidden = !this.hits.length;
    [...this.list.children].forEach((item, at) => item.classList.toggle("now", at === this.now));
    this.list.querySelector(".now")?.scrollIntoView({ block: "nearest" });
  }
}

function fillPanel(aside, panel, words, close) {
  aside.hidden = !panel;
  if (!panel) return;
  const button = make("button", "close", "✕");
  button.type = "button";
  button.onclick = close;
  button.setAttribute("aria-label", words.close);
  aside.setAttribute("aria-label", panel.title);
  aside.replaceChildren(button, make("h3", "", panel.title), make("p", "note", panel.name));
  for (const part of panel.parts) {
    if (part.title) aside.append(make("h4", "", part.title));
    if (part.note) aside.append(make("p", "note", part.note));
    if (part.rows.length) {
      const list = make("dl");
      for (const [name, text] of part.rows) list.append(make("dt", "", name), make("dd", "", text));
      aside.append(list);
    }
    if (part.bars.length) {
      const bars = make("div", "bars"), ends = make("div", "ends"), most = Math.max(...part.bars);
      bars.append(...part.bars.map((count) => {
        const bar = make("i");
        bar.style.height = `${(100 * count) / most}%`;
        return bar;
      }));
      bars.setAttribute("role", "img");
      bars.setAttribute("aria-label", part.title);
      ends.append(...part.ends.map((text) => make("span", "", text)));
      aside.append(bars, ends);
    }
  }
  aside.scrollTop = 0;
}

function fillLegend(box, legend) {
  box.hidden = !legend;
  if (!legend) return;
  box.querySelector(".about").textContent = legend.title;
  box.querySelector(".scale").style.background = `linear-gradient(to right, ${legend.colors.join(", ")})`;
  box.querySelector(".ticks").replaceChildren(...legend.ticks.map((text) => make("span", "", text)));
}
