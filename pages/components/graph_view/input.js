// What mouse, fingers and keys do to a view.

View.prototype.listen = function () {
  const { canvas } = this;
  canvas.onpointerdown = (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.moved = this.pointers.size > 1 ? Infinity : 0;
  };
  canvas.onpointermove = (event) => this.drag(event);
  canvas.onpointerup = (event) => {
    if (this.pointers.delete(event.pointerId) && this.moved < FAR) this.act(this.at(event));
    canvas.classList.remove("moved");
  };
  canvas.onpointercancel = (event) => this.pointers.delete(event.pointerId);
  canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  canvas.onkeydown = (event) => this.press(event);
  canvas.onfocus = () => { this.isFree = false; };
  canvas.onblur = () => this.walk(null);
  this.find(".panel").onkeydown = (event) => {
    if (event.key === "Escape") this.leavePanel();
  };
  this.find(".in").onclick = () => this.zoom(ZOOM);
  this.find(".out").onclick = () => this.zoom(1 / ZOOM);
  this.find(".fit").onclick = () => this.fit();
  this.find(".all").onclick = () => this.send({ kind: "all" });
};

View.prototype.place = function (event) { // on the canvas, in pixels
  const box = this.canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

View.prototype.at = function (event) { // the shape under the pointer; an open fold is its title
  const [width, height] = this.size, [left, top] = this.place(event), { camera } = this;
  const x = (left - width / 2) / camera.scale + camera.x, y = (top - height / 2) / camera.scale + camera.y;
  return this.scene.shapes.findLast((shape) => {
    const tall = shape.open ? FRAME : shape.height;
    return x >= shape.x && x <= shape.x + shape.width && y >= shape.y && y <= shape.y + tall;
  });
};

View.prototype.drag = function (event) {
  const before = this.pointers.get(event.pointerId);
  if (!before) {
    this.canvas.classList.toggle("at", Boolean(this.scene && this.at(event)));
    return;
  }
  const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  const now = [event.clientX, event.clientY];
  this.pointers.set(event.pointerId, now);
  this.moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
  if (this.moved < FAR) return;
  this.canvas.classList.add("moved");
  const share = 1 / this.pointers.size;
  this.move((before[0] - now[0]) * share, (before[1] - now[1]) * share);
  if (!others.length) return;
  const [x, y] = others[0], box = this.canvas.getBoundingClientRect();
  const far = (place) => Math.hypot(place[0] - x, place[1] - y);
  this.zoom(far(now) / Math.max(far(before), 1), (now[0] + x) / 2 - box.left, (now[1] + y) / 2 - box.top);
};

View.prototype.wheel = function (event) { // at the end of the graph the page scrolls on
  const unit = event.deltaMode === 1 ? 16 : 1;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * unit * 0.005), ...this.place(event));
  } else if (this.hasMore(event.deltaX, event.deltaY)) {
    event.preventDefault();
    this.move(event.deltaX * unit, event.deltaY * unit);
  }
};

View.prototype.hasMore = function (x, y) { // whether the scene goes on beyond the view in this direction
  const [width, height] = this.size, { camera, scene } = this;
  const goes = (by, at, half, size) => (by > 0 ? at + half < size : by < 0 && at - half > 0);
  return goes(x, camera.x, width / 2 / camera.scale, scene.width) || goes(y, camera.y, height / 2 / camera.scale, scene.height);
};

View.prototype.press = function (event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (way) this.move(STEP * way[0], STEP * way[1]);
  else if (event.key === "+" || event.key === "=") this.zoom(ZOOM);
  else if (event.key === "-") this.zoom(1 / ZOOM);
  else if (event.key === "0") this.fit();
  else if (event.key === "Enter" || event.key === " ") this.act(this.scene.byId.get(this.state.at));
  else if (event.key === "Escape") this.leave();
  else if (event.key !== "Tab" || this.isFree || !this.tab(event.shiftKey ? -1 : 1)) return;
  event.preventDefault();
};

View.prototype.leave = function () { // the next Tab leaves the view
  this.isFree = true;
  this.walk(null);
  if (!this.find(".panel").hidden) this.choose("");
};

View.prototype.leavePanel = function () {
  this.choose("");
  this.canvas.focus();
};

View.prototype.tab = function (by) { // to the next shape; false at the end
  const { shapes } = this.scene;
  const now = shapes.findIndex((shape) => shape.id === this.state.at);
  const first = now < 0 ? Math.max(0, shapes.findIndex((shape) => this.isSeen(shape))) : now + by;
  if (!shapes[first] || (now < 0 && by < 0)) return false;
  this.walk(shapes[first], first);
  return true;
};

View.prototype.walk = function (shape, number) {
  this.state.at = shape?.id ?? null;
  this.redraw();
  if (!shape) return;
  const { words } = this.data;
  const kind = shape.fold ? words[shape.open ? "opened" : "closed"] : "";
  const place = `${number + 1} / ${this.scene.shapes.length}`;
  this.find(".said").textContent = [shape.title, shape.name, shape.about, kind, place].filter(Boolean).join(", ");
  if (!this.isSeen(shape)) this.show(shape.id);
};
