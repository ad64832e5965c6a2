// Controls above pictures. Some are here from the beginning, for the others Python is asked.

const REST = 250; // milliseconds in which nothing moves, before Python is asked

function render({ model, el }) {
  const row = element("div", { className: "explorer-pictures" });
  const said = element("div", { className: "explorer-said" });
  const panel = element("div", { className: "explorer-controls" });
  const controls = model.get("controls").map(control);
  let timer;

  said.setAttribute("role", "status");
  el.classList.add("explorer");
  panel.append(...controls.flatMap((one) => [one.label, one.input, one.value]));
  el.append(panel, row, said);

  function here() {
    return controls.map((one) => Number(one.input.value));
  }

  function found() {
    const key = here().join();
    const frame = model.get("frame");
    return model.get("frames")[key] ?? (frame.place.join() === key ? frame : null);
  }

  // While a control moves: its value, and the picture if it is here.
  function move() {
    controls.forEach((one) => one.tell());
    if (found()) show();
  }

  // When it is let go.
  function ask() {
    show();
    clearTimeout(timer);
    timer = setTimeout(() => {
      model.set("place", here());
      model.save_changes();
    }, REST);
  }

  function show() {
    const frame = found();
    row.classList.toggle("explorer-waits", !frame);
    said.textContent = frame ? frame.text : "drawing …";
    if (!frame) return;
    while (row.children.length > frame.pictures.length) row.lastChild.remove();
    while (row.children.length < frame.pictures.length) row.append(figure());
    frame.pictures.forEach((picture, i) => fill(row.children[i], picture, frame.text));
  }

  function place() {
    controls.forEach((one, i) => (one.input.value = model.get("place")[i]));
    controls.forEach((one) => one.tell());
    show();
  }

  function control({ name, slider, labels }) {
    const input = slider
      ? element("input", { type: "range", min: 0, max: labels.length - 1 })
      : element("select", {});
    if (!slider) input.append(...labels.map((text, value) => new Option(text, value)));
    input.id = `explorer-${Math.random().toString(36).slice(2)}`; // unlike any other's on the page
    const label = element("label", { htmlFor: input.id, textContent: name });
    const value = element("span", { className: "explorer-value" });
    value.ariaHidden = "true"; // a slider says it, too
    input.dataset.lmSuppressShortcuts = ""; // JupyterLab's arrow keys go from cell to cell
    input.addEventListener("input", move);
    input.addEventListener("change", ask);
    const tell = () => {
      if (!slider) return;
      value.textContent = labels[input.value];
      input.setAttribute("aria-valuetext", labels[input.value]);
    };
    return { label, input, value, tell };
  }

  place();
  model.on("change:place", place);
  model.on("change:frame", show);
  return () => {
    clearTimeout(timer);
    model.off("change:place", place);
    model.off("change:frame", show);
  };
}

function figure() {
  const made = element("figure", {});
  made.append(element("img", {}), element("figcaption", {}));
  return made;
}

function fill(made, { caption, png }, text) {
  const [picture, line] = made.children;
  picture.src = `data:image/png;base64,${png}`;
  picture.alt = `${caption}. ${text}`;
  line.textContent = caption;
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

export default { render };
