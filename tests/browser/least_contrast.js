// The smallest contrast between a text in an element and what is behind it, and where: by the formula of the Web
// Content Accessibility Guidelines.
async widget => {
  const parse = text => (text.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = rgb => {
    const [r, g, b] = rgb.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // The color of the picture under the middle of a text: cells of a heat map are pixels of an image.
  const pictured = async element => {
    const box = element.getBoundingClientRect(), x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    for (const image of element.ownerSVGElement?.querySelectorAll("image") ?? []) {
      const frame = image.getBoundingClientRect();
      if (x < frame.left || x >= frame.right || y < frame.top || y >= frame.bottom) continue;
      const source = new Image(), canvas = document.createElement("canvas");
      source.src = image.getAttribute("href") ?? image.getAttribute("xlink:href");
      await source.decode();
      [canvas.width, canvas.height] = [source.width, source.height];
      const pixels = canvas.getContext("2d");
      pixels.drawImage(source, 0, 0);
      const [across, down] = [(x - frame.left) / frame.width, (y - frame.top) / frame.height];
      const color = [...pixels.getImageData(across * source.width, down * source.height, 1, 1).data];
      // Where two halves of a cell meet, bqplot leaves a seam that can be looked through a little.
      if (color[3] > 200) return color.slice(0, 3);
    }
    return null;
  };
  const behind = async element => {
    const image = await pictured(element);
    if (image) return image;
    const box = element.getBoundingClientRect();
    const under = document.elementsFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    const seen = ({ fill, opacity }) => fill !== "none" && Number(opacity) > 0.3;
    const filled = under.find(each => each.classList.contains("dot") && seen(getComputedStyle(each)));
    if (filled && element instanceof SVGElement) return parse(getComputedStyle(filled).fill);
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let least = [Infinity, ""];
  for (const element of widget.querySelectorAll("*")) {
    const own = Array.from(element.childNodes).some(n => n.nodeType === 3 && n.textContent.trim());
    const style = getComputedStyle(element);
    if (!own || !element.getClientRects().length || style.visibility === "hidden" || element.closest("[disabled], [aria-hidden]")) continue;
    const color = parse(element instanceof SVGElement ? style.fill : style.color);
    const below = await behind(element);
    const [light, dark] = [luminance(color), luminance(below)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < least[0]) least = [ratio, `${element.tagName} "${element.textContent}": ${color} on ${below}`];
  }
  return least;
}
