// A picture to paint a mask on. Python keeps the strokes and makes the mask; this collects them.

const STEP = 4; // pixels the cursor moves for an arrow key; with Shift one pixel

function render({ model, el }) {
  const [width, height] = model.get("size");
  const zoom = Math.max(1, Math.round(384 / width));
  const picture = new Image();
  const layer = canvas(width, height);
  const board = canvas(width, height);
  const said = element("div", { className: "mask-painter-said", role: "status" });
  let cursor = [width / 2, height / 2];
  let stroke = null; // [width of the brush, points], while the brush is down

  board.tabIndex = 0;
  board.style.width = `${zoom * width}px`;
  board.setAttribute("role", "application");
  board.setAttribute(
    "aria-label",
    "Picture. Paint over what shall be replaced. Arrow keys move the brush, space puts it down or " +
      "lifts it, backspace takes back the last stroke."
  );

  function draw() {
    const pen = layer.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const all = stroke ? [...model.get("strokes"), stroke] : model.get("strokes");
    all.forEach((one) => trace(pen, ...one));
    const view = board.getContext("2d");
    view.globalAlpha = 1;
    view.drawImage(picture, 0, 0, width, height);
    view.globalAlpha = 0.65;
    view.drawImage(layer, 0, 0);
    view.globalAlpha = 1;
    view.strokeStyle = stroke ? "#ffffff" : "#22304a";
    view.lineWidth = 1;
    view.beginPath();
    view.arc(...cursor, model.get("brush") / 2, 0, 2 * Math.PI);
    view.stroke();
    const number = model.get("strokes").length;
    tell(`${number} ${number === 1 ? "stroke" : "strokes"} · brush ${stroke ? "down" : "up"}`);
  }

  // Only what is new, so that a screen reader does not speak all the time.
  function tell(text) {
    if (said.textContent !== text) said.textContent = text;
  }

  function moveTo(x, y) {
    cursor = [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
    if (stroke) stroke[1].push(cursor);
    draw();
  }

  function down() {
    stroke = [model.get("brush"), [cursor]];
    draw();
  }

  function up() {
    if (!stroke) return;
    keep([...model.get("strokes"), stroke]);
    stroke = null;
    draw();
  }

  function keep(strokes) {
    model.set("strokes", strokes);
    model.save_changes();
  }

  function undo() {
    if (!stroke) return keep(model.get("strokes").slice(0, -1));
    stroke = null;
    draw();
  }

  function clear() {
    stroke = null;
    keep([]);
    draw();
  }

  function place(event) {
    const box = board.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * width) / box.width,
      ((event.clientY - box.top) * height) / box.height,
    ];
  }

  board.addEventListener("pointerdown", (event) => {
    if (event.button) return; // only the left button paints
    up(); // what the keyboard began
    board.setPointerCapture(event.pointerId);
    moveTo(...place(event));
    down();
  });
  board.addEventListener("pointermove", (event) => {
    if (!stroke || event.buttons) moveTo(...place(event));
  });
  board.addEventListener("blur", up);
  board.addEventListener("pointerup", up);
  board.addEventListener("pointercancel", up);
  board.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1 : STEP;
    const [x, y] = cursor;
    const act = {
      ArrowLeft: () => moveTo(x - step, y),
      ArrowRight: () => moveTo(x + step, y),
      ArrowUp: () => moveTo(x, y - step),
      ArrowDown: () => moveTo(x, y + step),
      " ": () => (stroke ? up() : down()),
      Backspace: undo,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const brush = element("input", { type: "range", min: 8, max: 48, value: model.get("brush") });
  brush.addEventListener("input", () => {
    model.set("brush", Number(brush.value));
    model.save_changes();
  });
  const label = element("label", { textContent: "Brush " });
  label.append(brush);
  const tools = element("div", { className: "mask-painter-tools" });
  tools.append(label, button("Undo", undo), button("Clear", clear));
  el.classList.add("mask-painter");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // keys are for the painter
  el.append(board, tools, said);

  const url = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
  picture.onload = () => {
    URL.revokeObjectURL(url);
    draw();
  };
  picture.src = url;
  model.on("change:strokes", draw);
  model.on("change:brush", draw);
  return () => {
    model.off("change:strokes", draw);
    model.off("change:brush", draw);
  };
}

function canvas(width, height) {
  return element("canvas", { width, height });
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function button(text, act) {
  const made = element("button", { type: "button", textContent: text });
  made.addEventListener("click", act);
  return made;
}

// As `inpaint.paint_mask` draws it: a round brush along the points.
function trace(pen, width, points) {
  pen.strokeStyle = "#e4572e";
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = width;
  pen.beginPath();
  points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  if (points.length === 1) pen.lineTo(...points[0]);
  pen.stroke();
}

export default { render };
