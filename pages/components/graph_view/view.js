// A graph to read. Streamlit calls the default export each time Python has something new to show.
//
// Python lays out; the browser paints, pans, zooms and searches. A click is a message to Python: a node is chosen, or a
// fold is opened. When the answer comes, the fold stays where it was on the screen.

const STEP = 80, ZOOM = 1.25, FAR = 4, MARGIN = 24; // pixels of an arrow key, factor of a zoom, a click's, around the scene
const LEAST = 0.55, START = 0.8;                    // the scales below which a whole graph is too small, and then

const views = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let view = views.get(parentElement);
  if (!view) views.set(parentElement, (view = new View(parentElement)));
  view.update(data, (event) => setTriggerValue("event", event));
  return () => view.observer.disconnect();
}

class View {
  constructor(root) {
    this.find = (css) => root.querySelector(css);
    this.canvas = this.find("canvas.view");
    this.canvas.graph = this; // for tests and measurements
    this.painter = new Painter(this.canvas);
    this.map = new Minimap(this.find("canvas.map"), (x, y) => this.look({ ...this.camera, x, y }));
    this.search = new Search(this.find, (hit) => this.go(hit));
    this.state = { marked: new Set(), found: new Map(), tensors: new Set(), at: null };
    this.pointers = new Map();
    this.observer = new ResizeObserver(() => this.redraw());
    this.listen();
  }

  // -- what Python sends ------------------------------------------------------------------------------

  update(data, send) {
    Object.assign(this, { send, data });
    this.observer.observe(this.canvas);
    const before = this.scene;
    if (before?.id !== data.scene.id) this.scene = sceneOf(data.scene);
    for (const shape of this.scene.shapes) {
      shape.color = data.colors[shape.id] ?? FAMILIES[shape.family] ?? FAMILIES.other;
      shape.about = [shape.kind, data.words.counts[shape.count]].filter(Boolean).join(" · ");
    }
    this.search.index = data.index.map(([id, title, name, tensors]) => ({ id, title, name, tensors }));
    this.byId = new Map(this.search.index.map((node) => [node.id, node]));
    const marked = data.marked.join(" ");
    const isNew = marked !== this.markedBefore;
    this.markedBefore = marked;
    this.name(data.words);
    fillPanel(this.find(".panel"), data.panel, data.words, () => this.leavePanel());
    fillLegend(this.find(".legend"), data.legend);
    const isOther = before?.graph !== this.scene.graph;
    if (isOther) {
      this.begin();
      this.search.type();
    } else if (before !== this.scene) this.keepPlace(before);
    this.mark();
    this.map.draw(this.scene, colorsOf(this.canvas));
    const target = this.wanted ?? (isNew ? data.marked.find((id) => id !== this.clicked) : undefined);
    this.wanted = this.clicked = undefined;
    if (target !== undefined) this.show(target);
    else if (data.panel) this.uncover(this.shapeOf(data.marked[0]));
    this.redraw();
  }

  name(words) {
    this.search.nothing = words.nothing;
    const labels = { input: "search", ".previous": "previous", ".next": "next", ".out": "out", ".in": "in", ".fit": "fit" };
    for (const [css, word] of Object.entries(labels)) {
      this.find(css).setAttribute("aria-label", words[word]);
      this.find(css).title = words[word];
    }
    this.find("input").placeholder = words.search;
    this.find(".all").hidden = !words.all;
    this.find(".all").textContent = words.all;
    this.canvas.setAttribute("aria-label", words.view);
  }

  mark() {
    const { state, scene, data } = this;
    const shown = (id) => data.shown[id] ?? id;
    state.marked = new Set(data.marked.map(shown));
    state.tensors = new Set(data.marked.flatMap((id) => this.byId.get(id)?.tensors ?? []));
    state.found = new Map();
    for (const { id } of this.search.hits) state.found.set(shown(id), (state.found.get(shown(id)) ?? 0) + 1);
    if (!scene.byId.has(state.at)) state.at = null;
  }

  shapeOf(id) {
    return this.scene.byId.get(this.data.shown[id] ?? id);
  }

  // -- the camera -------------------------------------------------------------------------------------

  get size() {
    return [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1];
  }

  get tall() { // the height for the scene, in pixels
    return Math.min(Math.max(this.scene.height + 2 * MARGIN, 340), this.data.height * window.innerHeight);
  }

  begin() { // the whole graph, or its top at a scale that can be read
    this.canvas.parentElement.style.height = `${this.tall}px`;
    const [width, height] = this.size;
    const fit = Math.min(1, (width - 2 * MARGIN) / this.scene.width, (height - 2 * MARGIN) / this.scene.height);
    if (fit >= LEAST) return this.look({ x: this.scene.width / 2, y: this.scene.height / 2, scale: fit });
    const scale = Math.min(START, Math.max(LEAST, (width - 2 * MARGIN) / this.scene.width));
    const first = this.scene.shapes[0];
    const x = this.scene.width * scale <= width ? this.scene.width / 2 : first.x + first.width / 2;
    this.look({ x, y: height / 2 / scale - MARGIN / scale, scale });
  }

  fit() {
    const [width, height] = this.size;
    const scale = Math.min(1, (width - 2 * MARGIN) / this.scene.width, (height - 2 * MARGIN) / this.scene.height);
    this.glide({ x: this.scene.width / 2, y: this.scene.height / 2, scale });
  }

  keepPlace(before) { // what was clicked, or what is nearest to the middle, stays where it is on the screen
    const [, height] = this.size, { tall } = this;
    if (tall > height) {
      this.canvas.parentElement.style.height = `${tall}px`; // grows down only
      this.camera.y += (tall - height) / 2 / this.camera.scale;
    }
    const { x, y } = this.camera;
    const distance = (shape) => Math.hypot(shape.x + shape.width / 2 - x, shape.y - y);
    const both = before.shapes.filter((shape) => this.scene.byId.has(shape.id));
    const anchor = before.byId.get(this.toggled) ?? both.sort((one, two) => distance(one) - distance(two))[0];
    const now = anchor && this.scene.byId.get(anchor.id);
    this.toggled = undefined;
    if (!now) return this.begin();
    this.camera.x += now.x + now.width / 2 - anchor.x - anchor.width / 2;
    this.camera.y += now.y - anchor.y;
  }

  look(camera) {
    cancelAnimationFrame(this.gliding);
    this.camera = this.kept(camera);
    this.redraw();
  }

  kept({ x, y, scale }) { // some of the scene stays in the view
    const [width, height] = this.size;
    const within = (at, half, size) => Math.min(Math.max(at, Math.min(size / 2, half - MARGIN)), Math.max(size / 2, size - half + MARGIN));
    const [halfX, halfY] = [width / 2 / scale, height / 2 / scale];
    const room = (half, size) => (size > 2 * half ? half * 0.5 : half - size / 2 + size / 4);
    const [roomX, roomY] = [room(halfX, this.scene.width), room(halfY, this.scene.height)];
    return {
      x: Math.min(Math.max(x, within(0, halfX, this.scene.width) - roomX), within(Infinity, halfX, this.scene.width) + roomX),
      y: Math.min(Math.max(y, within(0, halfY, this.scene.height) - roomY), within(Infinity, halfY, this.scene.height) + roomY),
      scale,
    };
  }

  glide(to) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.look(to);
    cancelAnimationFrame(this.gliding);
    const from = { ...this.camera }, goal = this.kept(to), start = performance.now();
    const step = (now) => {
      const time = Math.min(1, (now - start) / 250), part = time * (2 - time);
      this.camera = Object.fromEntries(Object.keys(goal).map((key) => [key, from[key] + (goal[key] - from[key]) * part]));
      this.redraw();
      if (time < 1) this.gliding = requestAnimationFrame(step);
    };
    this.gliding = requestAnimationFrame(step);
  }

  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) { // around a point of the canvas
    const [width, height] = this.size;
    const scale = Math.min(3, Math.max(Math.min(0.1, (height - MARGIN) / this.scene.height), this.camera.scale * factor));
    const share = 1 / this.camera.scale - 1 / scale;
    this.look({ x: this.camera.x + (x - width / 2) * share, y: this.camera.y + (y - height / 2) * share, scale });
  }

  move(right, down) { // by pixels
    const { x, y, scale } = this.camera;
    this.look({ x: x + right / scale, y: y + down / scale, scale });
  }

  show(id) { // bring a node into the view; into its middle, if it is not in the view
    const shape = this.shapeOf(id);
    if (!shape) return;
    const scale = Math.max(this.camera.scale, 0.7);
    const x = shape.x + shape.width / 2, y = shape.y + Math.min(shape.height, 120) / 2;
    if (scale === this.camera.scale && this.isSeen(shape)) return this.uncover(shape);
    this.glide({ x: x + this.covered / 2 / scale, y, scale });
  }

  get covered() { // width of the view under the panel
    const panel = this.find(".panel");
    return panel.hidden || panel.clientWidth > 0.8 * this.size[0] ? 0 : panel.clientWidth;
  }

  isSeen({ x, y, width }) {
    const [wide, high] = this.size, { camera } = this;
    const left = (x - camera.x) * camera.scale + wide / 2, top = (y - camera.y) * camera.scale + high / 2;
    return left > 0 && left + width * camera.scale < wide && top > 0 && top + HEADER * camera.scale < high;
  }

  uncover(shape) { // move a node out from under the panel
    if (!shape) return;
    const right = (shape.x + shape.width - this.camera.x) * this.camera.scale + this.size[0] / 2;
    const over = right + MARGIN - (this.size[0] - this.covered);
    if (this.covered && over > 0) this.glide({ ...this.camera, x: this.camera.x + over / this.camera.scale });
  }

  redraw() {
    if (this.drawing || !this.scene) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.painter.paint(this.scene, this.camera, this.state);
      this.map.show(this.scene, this.camera, ...this.size, this.painter.colors);
      const isWhole = this.scene.height * this.camera.scale <= this.size[1];
      this.canvas.style.touchAction = isWhole ? "pan-y" : "none"; // a finger scrolls the page past a small graph
      this.canvas.dataset.drawn = this.scene.id;
    });
  }

  // -- what people do -----------------------------------------------------------------------------------

  choose(id) {
    this.clicked = id;
    this.send({ kind: "choose", id });
  }

  act(shape) {
    if (!shape) return;
    if (!shape.fold) return this.choose(shape.id);
    this.toggled = shape.id;
    this.send({ kind: "fold", id: shape.id });
  }

  go(hit) { // to a result of the search
    this.mark();
    this.redraw();
    if (!hit) return;
    if ((this.data.shown[hit.id] ?? hit.id) !== hit.id) this.wanted = hit.id; // in a closed fold
    else this.show(hit.id);
    this.clicked = hit.id;
    this.send({ kind: "choose", id: hit.id, reveal: true });
  }

  pointOf(title, at = 0) { // where a shape with this title, name or id is on the screen
    const shape = this.scene.shapes.filter((each) => [each.title, each.name, each.id].includes(title))[at];
    const box = this.canvas.getBoundingClientRect();
    const place = (value, middle, size) => (value - middle) * this.camera.scale + size / 2;
    const x = place(shape.x + shape.width / 2, this.camera.x, box.width);
    return [box.left + x, box.top + place(shape.y + HEADER / 2, this.camera.y, box.height)];
  }
}

function sceneOf(plain) { // the lists that Python sends, as objects
  const { id, graph, width, height } = plain;
  const shapes = plain.shapes.map(([id, x, y, width, height, open, depth, title, name, lines, family, count]) => {
    const fold = count > 0, [kind, ownName] = fold ? [name, ""] : ["", name];
    return { id, x, y, width, height, open, depth, title, kind, name: ownName, lines, family, fold, count };
  });
  const labels = plain.labels.map(([text, tensor, x, y, width, height]) => ({ text, tensor, x, y, width, height }));
  const wires = plain.wires.map(([tensor, arrow, ...points]) => {
    const xs = points.filter((_, at) => at % 2 === 0), ys = points.filter((_, at) => at % 2);
    const [x, y] = [Math.min(...xs) - 2, Math.min(...ys) - 2];
    return { tensor, arrow, points, x, y, width: Math.max(...xs) - x + 2, height: Math.max(...ys) - y + 2 };
  });
  return { id, graph, width, height, shapes, labels, wires, byId: new Map(shapes.map((shape) => [shape.id, shape])) };
}
