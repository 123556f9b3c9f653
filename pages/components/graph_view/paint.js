// Painting a scene on a canvas. Only what is in the view is painted, and no text that is too small to read.

const HEADER = 24, FRAME = 28, LINE = 16, NAME = 17;  // as in convnet_core/graphs/sizes.py
const READABLE = 0.45, VISIBLE = 0.22;                // the smallest scales at which lines and titles are painted
const MARK = "#D55E00", FOUND = "#E69F00";
const FAMILIES = {
  "layer": "#2F5597", "pool": "#2E6B34", "normalization": "#1F6B62", "activation": "#8C3028", "shape": "#6E5046",
  "data": "#7A5C14", "number format": "#6A3D8F", "control": "#8A2A66", "port": "#5C6670", "other": "#3D4654",
};

function colorsOf(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(`--st-${name}`).trim();
  return {
    text: of("text-color"), paper: of("background-color"), second: of("secondary-background-color"),
    border: of("border-color"), primary: of("primary-color"), font: of("font"),
  };
}

function mixed(ink, share) { // ink made lighter
  return `color-mix(in srgb, ${ink} ${share}%, transparent)`;
}

function inkOn(color) { // black or white, whichever reads better on a color like #1a2b3c
  const [r, g, b] = [1, 3, 5].map((at) => (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000000" : "#FFFFFF";
}

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.ink = canvas.getContext("2d");
    this.cut = new Map(); // texts that were shortened to a width
  }

  // `camera`: the scene's point in the middle, and the scale; `state`: what is marked, found, chosen, at the keyboard
  paint(scene, camera, state) {
    const { ink, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.colors = colorsOf(canvas);
    this.scale = camera.scale;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.fillStyle = this.colors.paper;
    ink.fillRect(0, 0, width, height);
    ink.translate(width / 2, height / 2);
    ink.scale(camera.scale, camera.scale);
    ink.translate(-camera.x, -camera.y);
    const [halfX, halfY] = [width / 2 / camera.scale, height / 2 / camera.scale];
    const [left, right, top, bottom] = [camera.x - halfX, camera.x + halfX, camera.y - halfY, camera.y + halfY];
    const isSeen = (item) => item.x < right && item.x + item.width > left && item.y < bottom && item.y + item.height > top;
    const shapes = scene.shapes.filter(isSeen);
    for (const shape of shapes) if (shape.open) this.frame(shape);
    this.wires(scene.wires.filter(isSeen), state.tensors);
    if (camera.scale >= READABLE) for (const label of scene.labels) if (isSeen(label)) this.label(label, state.tensors);
    for (const shape of shapes) if (!shape.open) this.box(shape);
    for (const shape of shapes) this.rings(shape, state);
  }

  text(words, x, y, width, font, color) {
    this.ink.font = `${font} ${this.colors.font}`;
    this.ink.fillStyle = color;
    const key = `${font} ${width} ${words}`;
    if (!this.cut.has(key)) this.cut.set(key, this.fitting(words, width));
    this.ink.fillText(this.cut.get(key), x, y);
  }

  fitting(words, width) { // as much of a text as fits
    let shown = words;
    for (let size = words.length; size > 1 && this.ink.measureText(shown).width > width; ) {
      size = Math.min(size - 1, Math.floor((size * width) / this.ink.measureText(shown).width));
      shown = `${words.slice(0, size)}…`;
    }
    return shown;
  }

  frame({ x, y, width, height, title, about, depth }) {
    const { ink, colors } = this;
    ink.beginPath();
    ink.roundRect(x, y, width, height, 8);
    ink.fillStyle = mixed(colors.text, 4 + 2 * (depth % 2));
    ink.fill();
    ink.strokeStyle = mixed(colors.text, 30);
    ink.lineWidth = 1;
    ink.stroke();
    ink.beginPath();
    ink.roundRect(x, y, width, FRAME, [8, 8, 0, 0]);
    ink.fillStyle = mixed(colors.text, 12);
    ink.fill();
    if (this.scale < VISIBLE) return;
    ink.textBaseline = "middle";
    ink.textAlign = "left";
    this.text(`▾ ${title}`, x + 10, y + FRAME / 2 + 1, width - 20, "600 13px", colors.text);
    const used = ink.measureText(`▾ ${title}`).width;
    this.text(about, x + 20 + used, y + FRAME / 2 + 1, width - used - 28, "12px", mixed(colors.text, 75));
  }

  wires(wires, tensors) {
    const { ink, colors } = this;
    for (const chosen of [false, true]) {
      ink.beginPath();
      for (const wire of wires) if (tensors.has(wire.tensor) === chosen) this.trace(wire.points);
      ink.strokeStyle = chosen ? MARK : mixed(colors.text, 55);
      ink.lineWidth = chosen ? 2.5 : Math.max(1.2, 0.5 / this.scale);
      ink.stroke();
      if (this.scale < VISIBLE) continue;
      ink.beginPath();
      for (const { tensor, arrow, points } of wires) if (arrow && tensors.has(tensor) === chosen) {
        const [x, y] = points.slice(-2);
        ink.moveTo(x, y);
        ink.lineTo(x - 3.5, y - 7);
        ink.lineTo(x + 3.5, y - 7);
      }
      ink.fillStyle = chosen ? MARK : colors.text;
      ink.fill();
    }
  }

  trace(points) {
    const { ink } = this;
    ink.moveTo(points[0], points[1]);
    for (let at = 2; at < points.length; at += 2) {
      const [x, y, toX, toY] = [points[at - 2], points[at - 1], points[at], points[at + 1]];
      if (x === toX) ink.lineTo(toX, toY);
      else ink.bezierCurveTo(x, (y + toY) / 2, toX, (y + toY) / 2, toX, toY);
    }
  }

  label({ x, y, width, height, text, tensor }, tensors) {
    this.ink.textAlign = "center";
    this.ink.textBaseline = "middle";
    const [font, share] = tensors.has(tensor) ? ["600 11px", 100] : ["11px", 75];
    this.text(text, x + width / 2, y + height / 2 + 1, width + 8, font, mixed(this.colors.text, share));
  }

  box({ x, y, width, height, fold, title, about, lines, color, name }) {
    const { ink, colors } = this;
    if (this.scale < VISIBLE) {
      ink.fillStyle = color;
      ink.fillRect(x, y, width, height);
      return;
    }
    if (fold) {
      for (const shift of [6, 3]) {
        ink.beginPath();
        ink.roundRect(x + shift, y + shift, width, height, 6);
        ink.fillStyle = colors.paper;
        ink.fill();
        ink.strokeStyle = mixed(colors.text, 35);
        ink.lineWidth = 1;
        ink.stroke();
      }
    }
    ink.beginPath();
    ink.roundRect(x, y, width, height, 6);
    ink.fillStyle = colors.paper;
    ink.fill();
    ink.fillStyle = mixed(colors.text, 3);
    ink.fill();
    ink.beginPath();
    ink.roundRect(x, y, width, Math.min(HEADER, height), height > HEADER ? [6, 6, 0, 0] : 6);
    ink.fillStyle = color;
    ink.fill();
    ink.beginPath();
    ink.roundRect(x, y, width, height, 6);
    ink.strokeStyle = mixed(colors.text, 40);
    ink.lineWidth = 1;
    ink.stroke();
    ink.textAlign = "left";
    ink.textBaseline = "middle";
    this.text(fold ? `▸ ${title}` : title, x + 9, y + HEADER / 2 + 1, width - 16, "600 13px", inkOn(color));
    if (this.scale < READABLE) return;
    let down = y + HEADER + 3;
    if (name) {
      this.text(name, x + 9, down + NAME / 2, width - 16, "11px", mixed(colors.text, 70));
      down += NAME;
    }
    for (const line of about ? [about, ...lines] : lines) {
      this.text(line, x + 9, down + LINE / 2, width - 16, "12px", colors.text);
      down += LINE;
    }
  }

  rings(shape, state) {
    const { ink } = this;
    const found = state.found.get(shape.id);
    const isMarked = state.marked.has(shape.id);
    const at = state.at === shape.id;
    const height = shape.open ? FRAME : shape.height;
    for (const [is, gap, color, width] of [[found, 3, FOUND, 4], [isMarked, 3, MARK, 3], [at, 7, this.colors.primary, 2]]) {
      if (!is) continue;
      ink.beginPath();
      ink.roundRect(shape.x - gap, shape.y - gap, shape.width + 2 * gap, height + 2 * gap, 8);
      ink.strokeStyle = color;
      ink.lineWidth = Math.max(width, 1.5 / this.scale);
      ink.stroke();
    }
    if (found && (shape.fold || found > 1)) {
      ink.beginPath();
      ink.roundRect(shape.x + shape.width - 12, shape.y - 10, 26, 20, 10);
      ink.fillStyle = FOUND;
      ink.fill();
      ink.textAlign = "center";
      ink.textBaseline = "middle";
      this.text(String(found), shape.x + shape.width + 1, shape.y + 1, 24, "600 12px", "#000000");
    }
  }
}

// The whole scene in a corner, with the part that is in the view; painted once per scene, for the part is a rectangle.
class Minimap {
  constructor(canvas, move) {
    this.canvas = canvas;
    this.ink = canvas.getContext("2d");
    canvas.onpointerdown = canvas.onpointermove = (event) => {
      if (!event.buttons) return;
      const box = canvas.getBoundingClientRect();
      move((event.clientX - box.left) / this.across, (event.clientY - box.top) / this.down);
    };
  }

  draw(scene, colors) {
    const tall = Math.min(180, this.canvas.parentElement.clientHeight - 40);
    this.down = Math.min(tall / scene.height, 0.25);
    this.across = Math.min(130 / scene.width, Math.max(this.down, 28 / scene.width)); // a chain is no hair
    const [width, height] = [scene.width * this.across, Math.max(16, scene.height * this.down)];
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.canvas.width = 2 * width;
    this.canvas.height = 2 * height;
    this.picture = document.createElement("canvas");
    this.picture.width = this.canvas.width;
    this.picture.height = this.canvas.height;
    const ink = this.picture.getContext("2d");
    for (const { x, y, width, height, open, color } of scene.shapes) {
      ink.fillStyle = open ? mixed(colors.text, 12) : color;
      ink.fillRect(2 * x * this.across, 2 * y * this.down, Math.max(2, 2 * width * this.across), Math.max(1, 2 * height * this.down));
    }
  }

  show(scene, camera, width, height, colors) {
    const [wide, high] = [width / camera.scale, height / camera.scale];
    this.canvas.hidden = wide >= scene.width && high >= scene.height;
    if (this.canvas.hidden) return;
    this.ink.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.ink.drawImage(this.picture, 0, 0);
    this.ink.strokeStyle = colors.primary;
    this.ink.lineWidth = 3;
    const [x, y] = [2 * (camera.x - wide / 2) * this.across, 2 * (camera.y - high / 2) * this.down];
    const [right, bottom] = [x + 2 * wide * this.across, y + 2 * high * this.down];
    const [left, top] = [Math.max(1.5, x), Math.max(1.5, y)];
    this.ink.strokeRect(left, top, Math.min(this.canvas.width - 1.5, right) - left, Math.max(6, Math.min(this.canvas.height - 1.5, bottom) - top));
  }
}
