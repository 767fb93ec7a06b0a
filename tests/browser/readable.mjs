// Lists the readability problems of a page as sentences, without repetitions: text with a contrast below 4.5 to 1 (WCAG),
// text that is cut off, and elements that are wider than the window.

export const unreadable = (page) => page.evaluate(look);

function look() {
  const colour = (text) => {
    const [red, green, blue, alpha = 1] = (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return text.startsWith('color(srgb') ? [red * 255, green * 255, blue * 255, alpha] : [red, green, blue, alpha];
  };
  const over = ([r, g, b, alpha], [r2, g2, b2, alpha2]) => {
    const all = alpha + alpha2 * (1 - alpha);
    const mix = (front, back) => (all ? (front * alpha + back * alpha2 * (1 - alpha)) / all : 0);
    return [mix(r, r2), mix(g, g2), mix(b, b2), all];
  };
  const light = (channels) => {
    const [r, g, b] = channels.slice(0, 3).map((of) => (of / 255 <= 0.03928 ? of / 255 / 12.92 : ((of / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element) => {
    let [behind, opacity] = [[0, 0, 0, 0], 1];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      opacity *= Number(style.opacity);
      if (behind[3] < 1) behind = over(behind, colour(style.backgroundColor));
    }
    behind = over(behind, [255, 255, 255, 1]);
    const [r, g, b, alpha] = colour(getComputedStyle(element).color);
    const [darker, lighter] = [light(over([r, g, b, alpha * opacity], behind)), light(behind)].sort((one, other) => one - other);
    return (lighter + 0.05) / (darker + 0.05);
  };
  const cutOff = (element) => {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      const { overflowX } = getComputedStyle(at);
      if (['auto', 'scroll'].includes(overflowX)) return false;
      if (['hidden', 'clip'].includes(overflowX) && at.clientWidth && at.scrollWidth > at.clientWidth + 1) return true;
    }
    return element.getBoundingClientRect().right > innerWidth + 1;
  };

  const faults = new Set();
  const name = (element) => `${element.tagName.toLowerCase()}.${[...element.classList].join('.')}`;
  const told = (element, text) => `"${text.trim().slice(0, 40)}" in ${name(element)}`;
  const check = (element, text) => {
    if (!text.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
    const { width, height } = element.getBoundingClientRect();
    if (width < 2 || height < 2) return;
    const ratio = contrast(element);
    if (ratio < 4.5) faults.add(`${told(element, text)} stands out by ${ratio.toFixed(2)} only`);
    if (cutOff(element)) faults.add(`${told(element, text)} is cut off`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!['SCRIPT', 'STYLE', 'OPTION'].includes(element.tagName)) check(element, texts.currentNode.data);
  }
  for (const field of document.querySelectorAll('input, textarea, select')) check(field, field.value);
  const wider = document.documentElement.scrollWidth - innerWidth;
  if (wider > 0) faults.add(`the page is ${wider} pixels wider than the window`);
  return [...faults];
}
