// A picture with marks on it: arrows, pins and paint, by mouse, touch and keyboard.
//
// Places are pixels of the picture, counted from the centre of the first. Each change
// makes a new list of marks, so that undo is the list before.

const NEAR = 12; // pixels of the screen: closer marks are the same, shorter arrows none
const STEPS = 40; // of the keyboard's cursor along the longer side
const VEIL = 0.6; // how dark it is where nothing may move
const HOLD = 0.04; // of the longer side: what an arrow begins at may move

export class Editor {
  // `changed` is called after each change of the marks, `say` with words for people.
  constructor(canvas, { changed, say }) {
    Object.assign(this, { canvas, changed, say });
    this.tool = "arrow";
    this.radius = 8; // of the brush, per cent of the longer side
    this.veil = document.createElement("canvas"); // black where nothing may move
    this.empty();
    const on = (name, act) => canvas.addEventListener(name, act.bind(this));
    on("pointerdown", this.pressed);
    on("pointermove", this.dragged);
    on("pointerup", this.released);
    on("pointercancel", this.cancel);
    on("keydown", this.keyed);
    on("blur", this.cancel);
    on("contextmenu", (event) => event.preventDefault());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  empty() {
    this.image = this.draft = this.pointer = this.cursor = null;
    this.marks = [];
    this.past = [];
  }

  open(image) {
    this.empty();
    this.image = image;
    this.veil.width = image.width;
    this.veil.height = image.height;
    this.draw();
  }

  get long() { return Math.max(this.image.width, this.image.height); }
  get scale() { return this.canvas.clientWidth / this.image.width; }
  get arrows() { return this.marks.filter((m) => m.kind === "arrow"); }
  get pins() { return this.marks.filter((m) => m.kind === "pin"); }
  get paint() { return this.marks.filter((m) => m.kind === "stroke"); }

  set(marks) {
    this.past.push(this.marks);
    this.marks = marks;
    this.draw();
    this.changed();
  }

  undo() {
    this.draft = null;
    this.marks = this.past.pop() ?? [];
    this.draw();
    this.changed();
  }

  // White where things may move, as a PNG; null where nothing was painted.
  async mask() {
    if (!this.paint.length) return null;
    const mask = document.createElement("canvas");
    mask.width = this.veil.width;
    mask.height = this.veil.height;
    const context = mask.getContext("2d");
    this.lowerVeil(this.paint);
    context.fillStyle = "white";
    context.fillRect(0, 0, mask.width, mask.height);
    context.drawImage(this.veil, 0, 0);
    return new Promise((resolve) => mask.toBlob(resolve, "image/png"));
  }

  // One mark from its begin to its end, whoever draws it.

  begin(place) {
    const kinds = { arrow: "arrow", pin: "pin", paint: "stroke", wipe: "stroke" };
    this.draft = {
      kind: kinds[this.tool], from: place, to: place, points: [place],
      radius: this.radius * this.long / 100, wipes: this.tool === "wipe",
    };
    this.draw();
  }

  move(place) {
    if (!this.draft) return;
    this.draft.to = place;
    this.draft.points.push(place);
    this.draw();
  }

  end() {
    const { draft, marks } = this;
    this.draft = null;
    if (!draft) return;
    const near = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) * this.scale < NEAR;
    if (draft.wipes && !this.paint.length) {
      this.draw();
      this.say("There is no paint to wipe.");
    } else if (draft.kind === "stroke") {
      this.set([...marks, draft]);
      this.say(draft.wipes ? "Wiped." : "Painted: only what is bright may move.");
    } else if (draft.kind === "arrow" && near(draft.from, draft.to)) {
      this.draw();
      this.say("Too short for an arrow: drag from what moves to where it goes.");
    } else {
      const place = draft.kind === "pin" ? "to" : "from";
      const others = marks.filter((m) => m.kind === "stroke" || !near(m.from, draft[place]));
      const gone = marks.length > others.length && draft.kind === "pin";
      draft.from = draft[place];
      this.set(gone ? others : [...others, draft]);
      const word = draft.kind === "pin" ? "Pin" : "Arrow";
      this.say(gone ? "Removed." : `${word} ${this[`${draft.kind}s`].length} is set.`);
    }
  }

  cancel() {
    this.pointer = this.draft = null;
    this.draw();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (now, start, side, pixels) =>
      Math.min(Math.max((now - start) / side, 0), 1) * pixels - 0.5;
    return this.inside([
      at(event.clientX, box.left, box.width, this.image.width),
      at(event.clientY, box.top, box.height, this.image.height),
    ]);
  }

  inside([x, y]) {
    const { width, height } = this.image;
    const bound = (value, side) => Math.min(Math.max(value, 0), side - 1);
    return [bound(x, width), bound(y, height)];
  }

  pressed(event) {
    if (this.pointer !== null || event.button) return;
    this.cancel();
    this.cursor = null;
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(this.pointer);
    this.begin(this.place(event));
  }

  dragged(event) {
    if (event.pointerId === this.pointer) this.move(this.place(event));
  }

  released(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.end();
  }

  keyed(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    const { width, height } = this.image;
    this.cursor ??= [(width - 1) / 2, (height - 1) / 2];
    if (way) {
      const step = this.long / STEPS / (event.shiftKey ? 8 : 1);
      this.cursor = this.inside(this.cursor.map((value, i) => value + step * way[i]));
      this.move(this.cursor);
      const [x, y] = this.cursor;
      const percent = (value, side) => Math.round(100 * (value + 0.5) / side);
      this.say(`Cursor: ${percent(x, width)} % across, ${percent(y, height)} % down.`);
    } else if (event.key === "Enter" || event.key === " ") {
      if (event.repeat) return event.preventDefault();
      const begins = !this.draft;
      if (begins) this.begin(this.cursor);
      if (begins && this.tool !== "pin") {
        this.say("Begun here. The arrow keys draw, Enter ends it, Escape drops it.");
      } else {
        this.end();
      }
    } else if (event.key === "Escape" && this.draft) {
      this.cancel();
      this.say("Dropped.");
    } else {
      return;
    }
    event.preventDefault();
    this.draw();
  }

  draw() {
    const { canvas, image, draft } = this;
    if (!image || !canvas.clientWidth) return;
    const dots = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * dots);
    canvas.height = Math.round(canvas.clientHeight * dots);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const strokes = [...this.paint, ...(draft?.kind === "stroke" ? [draft] : [])];
    if (strokes.some((stroke) => !stroke.wipes)) {
      this.lowerVeil(strokes);
      context.globalAlpha = VEIL;
      context.drawImage(this.veil, 0, 0, canvas.width, canvas.height);
      context.globalAlpha = 1;
    }
    context.scale(dots, dots);
    const screen = ([x, y]) => [(x + 0.5) * this.scale, (y + 0.5) * this.scale];
    const drawn = [...this.marks, ...(draft ? [draft] : [])];
    for (const { kind, from, to } of drawn) {
      if (kind === "arrow") drawArrow(context, screen(from), screen(to));
      if (kind === "pin") drawPin(context, screen(to));
    }
    if (this.cursor && draft?.kind !== "arrow") drawCursor(context, screen(this.cursor));
  }

  lowerVeil(strokes) {
    const context = this.veil.getContext("2d");
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, this.veil.width, this.veil.height);
    context.fillRect(0, 0, this.veil.width, this.veil.height);
    context.lineCap = context.lineJoin = "round";
    const held = this.arrows.map(({ from }) => ({ points: [from], radius: HOLD * this.long }));
    for (const { points, radius, wipes } of [...strokes, ...held]) {
      context.globalCompositeOperation = wipes ? "source-over" : "destination-out";
      context.lineWidth = 2 * radius;
      context.beginPath();
      context.moveTo(points[0][0] + 0.49, points[0][1] + 0.5); // a dot has a length too
      for (const [x, y] of points) context.lineTo(x + 0.5, y + 0.5);
      context.stroke();
    }
  }
}

// Bright with a dark rim: seen on any ground.
function outline(context, path) {
  for (const [color, width] of [["rgb(0 0 0 / .75)", 7], ["#ffd21f", 3]]) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    path();
    context.stroke();
  }
}

function drawArrow(context, [x, y], [x2, y2]) {
  const angle = Math.atan2(y2 - y, x2 - x);
  const head = Math.min(14, Math.hypot(x2 - x, y2 - y));
  const wing = (turn) => [x2 - head * Math.cos(angle + turn), y2 - head * Math.sin(angle + turn)];
  context.lineCap = context.lineJoin = "round";
  outline(context, () => {
    context.moveTo(x, y);
    context.lineTo(x2, y2);
    context.moveTo(...wing(0.5));
    context.lineTo(x2, y2);
    context.lineTo(...wing(-0.5));
  });
  dot(context, [x, y], 4);
}

function drawPin(context, [x, y]) {
  outline(context, () => context.arc(x, y, 9, 0, 7));
  dot(context, [x, y], 3);
}

function drawCursor(context, [x, y]) {
  outline(context, () => {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
  });
}

function dot(context, [x, y], radius) {
  context.fillStyle = "#ffd21f";
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
}
