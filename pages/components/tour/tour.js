// The tour: a ring around a part of the page and a card beside it, which never covers it. Both are in the browser's top
// layer. It starts by itself on a visitor's first visit, and when Python asks for it.

const STORE = "convnet.tour"; // in the local storage: whether this browser has seen the tour
const GAP = 12;               // between the ring and the card, px
const EDGE = 8;               // between the card and the edge of the window, px
const PATIENCE = 3000;        // time after which what the page does not show is left out, ms
const READY = "[data-testid=stApp][data-test-script-state=notRunning]";

const tours = new WeakMap();
let asked = 0; // the last wish of Python that was met

export default function ({ data, parentElement }) {
  let tour = tours.get(parentElement);
  if (!tour) tours.set(parentElement, (tour = new Tour(parentElement)));
  tour.update(data);
  return () => clearTimeout(tour.timer);
}

class Tour {
  constructor(root) {
    this.find = (css) => root.querySelector(css);
    [this.ring, this.card] = [".ring", ".card"].map(this.find);
    this.find(".skip").onclick = () => this.end();
    this.find(".back").onclick = () => this.go(-1);
    this.find(".next").onclick = () => this.go(1);
    this.card.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) this.go(step);
    };
  }

  update(data) {
    this.data = data;
    if (this.steps) this.show();
    else this.wait();
  }

  wait() { // until the page is drawn, with all that the tour shows
    clearTimeout(this.timer);
    const wanted = this.data.asked > asked || (this.data.first && !seen());
    if (!wanted) return;
    this.since ??= performance.now();
    const drawn = document.querySelector(READY);
    const { steps } = this.data;
    const late = performance.now() > this.since + PATIENCE;
    if (drawn && (steps.every(target) || (late && steps.some(target)))) this.begin();
    else this.timer = setTimeout(() => this.wait(), 200);
  }

  begin() {
    asked = this.data.asked;
    this.since = null;
    remember();
    this.focused = document.activeElement;
    closeMenu();
    this.steps = this.data.steps.filter(target).map((step) => step.target);
    this.at = 0;
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    const escape = (event) => event.key === "Escape" && this.end();
    document.addEventListener("keydown", escape, { signal });
    for (const name of ["scroll", "resize"]) window.addEventListener(name, () => this.place(), { signal, capture: true });
    this.ring.showPopover();
    this.card.showPopover();
    this.show();
    this.find(".next").focus();
  }

  go(step) {
    this.at = Math.max(0, this.at + step);
    if (this.at === this.steps.length) this.end();
    else this.show();
  }

  end() {
    this.stopper.abort();
    this.ring.hidePopover();
    this.card.hidePopover();
    this.steps = null;
    this.focused?.focus?.();
  }

  show() {
    const { steps, skip, back, next, done } = this.data;
    const step = steps.find(({ target }) => target === this.steps[this.at]);
    const texts = { ".title": step.title, ".text": step.text, ".skip": skip, ".back": back };
    for (const [css, text] of Object.entries(texts)) this.find(css).textContent = text;
    const last = this.at === this.steps.length - 1;
    this.find(".next").textContent = last ? done : next;
    this.find(".skip").hidden = last;
    this.find(".back").hidden = !this.at;
    this.find(".place").textContent = `${this.at + 1} / ${this.steps.length}`;
    for (const block of ["nearest", "center", "start"]) {
      target(step).scrollIntoView({ block, inline: "nearest" });
      if (this.place()) break;
    }
  }

  place() { // returns whether the card has found a place beside the part of the page
    const part = target({ target: this.steps[this.at] });
    if (!part) return this.end();
    const box = part.getBoundingClientRect();
    const [width, height] = [this.card.offsetWidth, this.card.offsetHeight];
    const { innerWidth, innerHeight } = window;
    move(this.ring, box.left - 4, box.top - 4);
    Object.assign(this.ring.style, { width: `${box.width + 8}px`, height: `${box.height + 8}px` });
    const within = (value, size, end) => Math.max(EDGE, Math.min(value, end - size - EDGE));
    const [x, y] = [within(box.left, width, innerWidth), within(box.top, height, innerHeight)];
    const places = [
      [x, box.bottom + GAP],
      [x, box.top - GAP - height],
      [box.right + GAP, y],
      [box.left - GAP - width, y],
    ];
    const inside = ([left, top]) =>
      left >= EDGE && top >= EDGE && left + width <= innerWidth - EDGE && top + height <= innerHeight - EDGE;
    const free = places.find(inside);
    move(this.card, ...(free ?? [x, innerHeight - height - EDGE]));
    return Boolean(free) && box.top >= 0 && box.bottom <= innerHeight;
  }
}

// The part of the page that a step shows; nothing if it is hidden. On a phone, Streamlit 1.67 draws a link with a help
// text twice, and hides one.
function target(step) {
  return [...document.querySelectorAll(step.target)].find((part) => part.getClientRects().length);
}

function closeMenu() { // on a phone it lies over the page
  if (innerWidth < 768) document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
}

function move(part, left, top) {
  Object.assign(part.style, { left: `${left}px`, top: `${top}px` });
}

function seen() {
  try {
    return localStorage.getItem(STORE) !== null;
  } catch {
    return true; // without a memory it would come each time
  }
}

function remember() {
  try {
    localStorage.setItem(STORE, "seen");
  } catch { // storage is off or full
  }
}
