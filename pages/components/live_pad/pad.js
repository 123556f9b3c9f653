// The pad and its answer. Streamlit calls the default export each time Python has something new to show.
//
// While the pen moves, the pad sends the whole drawing, one message at a time: the next one leaves when the answer to
// the last one is here. So there is no queue of old drawings, and the answer that stays is that of the newest one.

const SIDE = 280;      // the paper's width and height in the units of all coordinates, as in convnet_core/data/pen.py
const STEP = 2;        // shortest distance between two points
const GAP = 50;        // shortest time between two messages, ms
const PATIENCE = 2000; // time after which a message without an answer is sent again, ms
const STORE = "convnet.drawing"; // in the tab's session storage: survives a reload and a visit to another page

const pads = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let pad = pads.get(parentElement);
  if (!pad) pads.set(parentElement, (pad = new Pad(parentElement, data.layout === "answer" ? {} : stored())));
  pad.update(data, (drawing) => setStateValue("drawing", drawing));
  return () => clearTimeout(pad.timer);
}

class Pad {
  constructor(root, kept) { // an answer without a pad keeps no drawing, and so has nothing to send
    this.find = (css) => root.querySelector(css);
    this.canvas = this.find("canvas");
    this.ink = this.canvas.getContext("2d");
    this.board = this.find(".board");
    this.stroke = null;
    this.sent = this.answered = 0;
    this.sentAt = 0;
    this.spot = [SIDE / 2, SIDE / 2]; // the pen of the keyboard
    Object.assign(this, { number: 0, pen: 18, strokes: [] }, kept);
    this.draw();
    this.offerExamples();
    this.listen();
  }

  offerExamples() { // digits for those who cannot draw
    this.find(".examples").replaceChildren(make("span", ""), ...Array.from({ length: 10 }, (_, digit) => {
      const button = make("button", "", digit);
      button.type = "button";
      button.onclick = () => this.take(digit);
      return button;
    }));
  }

  // -- between the browser and Python ----------------------------------------------------------------

  update(data, set) {
    this.set = set;
    this.data = data;
    this.answered = data.number;
    this.paint();
    this.send();
  }

  change(strokes) {
    this.strokes = strokes;
    this.number = Math.max(Date.now(), this.number + 1); // grows even from one page to the next
    if (!this.stroke) this.store();
    this.draw();
    this.send();
  }

  take(digit) { // draws a digit
    this.erase(JSON.parse(this.find(".examples").dataset.strokes)[digit]);
  }

  erase(strokes) { // ends the stroke that is being drawn, too
    this.stroke = null;
    this.change(strokes);
  }

  send() {
    clearTimeout(this.timer);
    if (this.number === this.answered) return;
    const now = performance.now();
    const due = this.sentAt + (this.sent > this.answered ? PATIENCE : GAP);
    if (now < due) {
      this.timer = setTimeout(() => this.send(), due - now);
      return;
    }
    this.sent = this.number;
    this.sentAt = now;
    this.set({ number: this.number, down: this.stroke !== null, strokes: this.strokes });
    this.timer = setTimeout(() => this.send(), PATIENCE);
  }

  // -- the pen ---------------------------------------------------------------------------------------

  listen() {
    const { canvas } = this;
    canvas.onpointerdown = (event) => {
      if (event.button !== 0 || !event.isPrimary || this.stroke) return;
      canvas.setPointerCapture(event.pointerId);
      this.lower(this.place(event));
    };
    canvas.onpointermove = (event) => {
      if (!this.stroke || !event.isPrimary) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.move(this.place(each));
    };
    canvas.onpointerup = canvas.onpointercancel = () => this.lift();
    canvas.onkeydown = (event) => this.press(event);
    canvas.onfocus = canvas.onblur = () => this.showCursor();
    this.find(".undo").onclick = () => this.erase(this.strokes.slice(0, -1));
    this.find(".clear").onclick = () => this.erase([]);
    this.find("input").oninput = (event) => {
      this.pen = Number(event.target.value);
      this.store();
    };
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map(units);
  }

  lower(point) {
    this.stroke = { width: this.pen, points: [...point] };
    this.change([...this.strokes, this.stroke]);
  }

  move([x, y]) {
    const { points } = this.stroke;
    if (Math.hypot(x - points.at(-2), y - points.at(-1)) < STEP) return;
    points.push(x, y);
    this.change(this.strokes);
  }

  lift() {
    if (!this.stroke) return;
    this.stroke = null;
    this.change(this.strokes);
  }

  press(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      this.spot = this.spot.map((place, axis) => Math.min(Math.max(place + 7 * way[axis], 0), SIDE));
      if (this.stroke) this.move(this.spot);
    } else if (event.key === " ") {
      if (this.stroke) this.lift();
      else this.lower(this.spot);
    } else if (/^\d$/.test(event.key)) {
      this.take(Number(event.key));
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      this.erase(this.strokes.slice(0, -1));
    } else if (event.key === "Delete") {
      this.erase([]);
    } else return;
    event.preventDefault();
    this.showCursor();
  }

  store() {
    const { number, pen, strokes } = this;
    try {
      sessionStorage.setItem(STORE, JSON.stringify({ number, pen, strokes }));
    } catch { // storage is off or full: the drawing lives until the page is closed
    }
  }

  // -- what is seen ----------------------------------------------------------------------------------

  draw() {
    const { ink, canvas } = this;
    ink.setTransform(canvas.width / SIDE, 0, 0, canvas.height / SIDE, 0, 0);
    ink.fillStyle = "#fff"; // paper is white in every theme
    ink.fillRect(0, 0, SIDE, SIDE);
    ink.strokeStyle = "#000";
    ink.lineCap = ink.lineJoin = "round";
    for (const { width, points } of this.strokes) {
      ink.lineWidth = width;
      ink.beginPath();
      ink.moveTo(points[0], points[1]);
      for (let at = 0; at < points.length; at += 2) ink.lineTo(points[at], points[at + 1]);
      ink.stroke();
    }
  }

  showCursor() {
    const cursor = this.find(".cursor");
    cursor.hidden = !this.canvas.matches(":focus-visible");
    cursor.style.left = `${(100 * this.spot[0]) / SIDE}%`;
    cursor.style.top = `${(this.spot[1] / SIDE) * this.canvas.clientHeight}px`;
    cursor.classList.toggle("down", this.stroke !== null);
  }

  paint() {
    const { data, board } = this;
    const words = data.words;
    board.dataset.tone = data.tone;
    board.dataset.layout = data.layout;
    board.dataset.number = data.number;
    this.canvas.setAttribute("aria-label", words.pad);
    this.find(".undo").textContent = words.undo;
    this.find(".clear").textContent = words.clear;
    for (const css of [".undo", ".clear"]) this.find(css).disabled = !this.strokes.length;
    this.find(".pen span").textContent = words.pen;
    this.find("input").value = this.pen;
    this.find(".examples span").textContent = words.examples;
    this.find(".examples").setAttribute("aria-label", words.examples);
    this.find(".said").setAttribute("aria-busy", String(this.stroke !== null));
    for (const part of ["digit", "title", "detail", "note"]) this.find(`.${part}`).textContent = data[part];
    this.paintBars(data.bars, words);
    this.find(".runtimes").replaceChildren(...data.runtimes.map((text) => make("li", "", text)));
  }

  paintBars(bars, words) {
    const box = this.find(".bars");
    box.setAttribute("aria-label", words.bars.join("; "));
    if (box.childElementCount !== bars.length) {
      box.replaceChildren(...bars.map((_, digit) => {
        const bar = make("div", "bar");
        bar.append(make("span", "track"), make("span", "name", digit));
        bar.firstChild.append(make("span", "fill"), make("span", "spread"));
        return bar;
      }));
    }
    bars.forEach(({ mean, low, high, best }, digit) => {
      const bar = box.children[digit];
      bar.classList.toggle("best", best);
      bar.title = words.bars[digit];
      bar.querySelector(".fill").style.height = `${100 * mean}%`;
      bar.querySelector(".spread").style.bottom = `${100 * low}%`;
      bar.querySelector(".spread").style.height = `${100 * (high - low)}%`;
    });
  }
}

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function units(share) {
  return Math.round(Math.min(Math.max(share, 0), 1) * SIDE * 10) / 10;
}

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE)) ?? {};
  } catch { // storage is off, or holds something else
    return {};
  }
}
