/* What is wrong with the page as it is laid out now, as sentences. Run in the browser: see support/browser.py. */
function pageFaults(target) {
  const faults = [];
  const say = (element, what) => faults.push(`${named(element)}: ${what}`);
  const named = (element) => {
    const own = element.getAttribute("aria-label") || element.textContent.trim().slice(0, 24);
    return `${element.tagName.toLowerCase()}.${[...element.classList].join(".")} "${own}"`;
  };
  const shown = (element) => element.checkVisibility() && !element.closest(".sprite, .skip, svg, [inert]");
  const clipped = (element) => {
    for (let above = element.parentElement; above; above = above.parentElement) {
      if (above !== document.body && getComputedStyle(above).overflow !== "visible") return true;
    }
    return false;
  };
  const parsed = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => {
    const mix = (one, other) => one * top.a + other * (1 - top.a);
    return { r: mix(top.r, below.r), g: mix(top.g, below.g), b: mix(top.b, below.b), a: 1 };
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((one) => (one / 255 <= 0.03928 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    const layers = [];
    for (let above = element; above; above = above.parentElement) {
      if (above.tagName === "SDV2-PICTURE") break; // upon a picture, which may be white
      const layer = parsed(getComputedStyle(above).backgroundColor);
      if (layer.a > 0) layers.push(layer);
      if (layer.a === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const all = [...document.body.querySelectorAll("*")].filter(shown);
  for (const element of all) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (box.width && !clipped(element) && (box.right > innerWidth + 1 || box.left < -1)) say(element, "beyond the side");
    if (!document.documentElement.matches(".dock") && box.height && !clipped(element) && box.bottom > innerHeight + 1) say(element, "beyond the foot");
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!written && !element.matches("input, textarea, select")) continue;
    if (parseFloat(style.fontSize) < 12) say(element, `text of ${style.fontSize}`);
    const back = ground(element);
    const [one, other] = [light(over(parsed(style.color), back)), light(back)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5 && !element.closest(":disabled")) say(element, `contrast ${contrast.toFixed(1)}`);
    const cut = element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && style.overflow === "visible" && style.display !== "inline";
    if (cut) say(element, "text that does not fit");
  }
  for (const element of all.filter((one) => one.matches("button, input, textarea, select, a, [role=slider]"))) {
    const box = element.getBoundingClientRect();
    if (Math.min(box.width, box.height) < target - 0.5) say(element, `a target of ${box.width.toFixed(0)} by ${box.height.toFixed(0)}`);
    if (element.tagName === "BUTTON" && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflow === "visible") say(element, "what does not fit");
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push("the page scrolls sideways");
  if (!document.documentElement.matches(".dock") && document.documentElement.scrollHeight > innerHeight) faults.push("the page scrolls");
  return faults;
}
