// What nobody would show of a widget: texts that run into each other or into markers, or are cut off, and
// controls alone on a line.
widget => {
  const faults = new Set(), texts = [];
  const slanted = element => {
    const to = element.getScreenCTM?.();
    return to && Math.abs(to.a) > 0.01 && Math.abs(to.b) > 0.01;
  };
  const inside = (box, around) => [
    Math.min(box.right, around.right) - Math.max(box.left, around.left),
    Math.min(box.bottom, around.bottom) - Math.max(box.top, around.top),
  ];
  // A rectangle that cuts off is not drawn, and so has no box of its own.
  const holeOf = (rect, around) => {
    const to = around.getScreenCTM(), value = name => rect[name].baseVal.value;
    const [left, top] = [value("x") * to.a + to.e, value("y") * to.d + to.f];
    return { left, top, right: left + value("width") * to.a, bottom: top + value("height") * to.d };
  };
  // What cuts off whatever is not inside of it.
  const windowsOf = element => {
    const found = [];
    for (let around = element; around !== widget.parentElement; around = around.parentElement) {
      const { overflowX, overflowY, clipPath } = getComputedStyle(around);
      if ([overflowX, overflowY].some(each => each === "hidden" || each === "clip")) found.push(around.getBoundingClientRect());
      const hole = clipPath.match(/url\("#(.*)"\)/);
      if (hole) found.push(holeOf(document.getElementById(hole[1]).firstElementChild, around));
    }
    return found;
  };
  // Chromium has boxes for texts in a picture that are not displayed, too.
  const shown = element => {
    for (let around = element; around !== widget.parentElement; around = around.parentElement) {
      const { display, opacity, visibility } = getComputedStyle(around);
      if (display === "none" || opacity === "0" || visibility === "hidden") return false;
    }
    return true;
  };
  const walker = document.createTreeWalker(widget, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.textContent.trim() || element.closest("option, title, textarea, [hidden], .sr-only")) continue;
    if (!shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter(box => box.width > 0.5 && box.height > 0.5);
    const windows = windowsOf(element);
    // bqplot keeps the numbers of an axis that it does not show out of sight.
    if (boxes.every(box => windows.some(each => Math.min(...inside(box, each)) < 3))) continue;
    const name = `${element.closest(".npw-panel")?.querySelector("[role=heading]")?.textContent ?? "controls"}: "${node.textContent.trim()}"`;
    texts.push({ element, boxes, name });
    if (boxes.some(box => windows.some(each => box.width - inside(box, each)[0] > 2 || box.height - inside(box, each)[1] > 4)))
      faults.add(`${name} is cut off`);
  }
  // The boxes of letters are a little higher than the letters.
  const meet = (one, other) => inside(one, other)[0] > 1.5 && inside(one, other)[1] > 4;
  texts.forEach((one, index) => {
    for (const other of texts.slice(0, index)) {
      if (slanted(one.element) && slanted(other.element)) continue;
      if (one.boxes.some(box => other.boxes.some(each => meet(box, each)))) faults.add(`${one.name} over ${other.name}`);
    }
  });
  // A number in the middle of a marker, or a sign of a cell, is meant to be there.
  const middle = box => [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  for (const dot of widget.querySelectorAll("svg .dot")) {
    const box = dot.getBoundingClientRect();
    if (!shown(dot) || box.width < 1) continue;
    for (const { element, boxes, name } of texts) {
      if (element.ownerSVGElement !== dot.ownerSVGElement) continue;
      const off = boxes.map(each => Math.hypot(middle(each)[0] - middle(box)[0], middle(each)[1] - middle(box)[1]));
      if (boxes.some((each, index) => meet(each, box) && off[index] > 2)) faults.add(`${name} over a marker`);
    }
  }
  const controls = [...widget.querySelectorAll(".npw-row :is(button, select, input, summary, [role=slider])")]
    .filter(each => each.checkVisibility() && !each.closest(".npw-branches"));
  const middles = controls.map(each => {
    const box = each.getBoundingClientRect();
    return (box.top + box.bottom) / 2;
  });
  controls.forEach((control, index) => {
    if (middles.filter(other => Math.abs(other - middles[index]) < 10).length === 1)
      faults.add(`${control.textContent || control.closest(".jupyter-widgets").textContent} is alone on a line`);
  });
  return [...faults];
}
