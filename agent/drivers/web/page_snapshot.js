// What a page shows at one moment, for a recording: its elements with their places, as plain data.
// Nothing is cleaned here: what may be written is decided by whoever asked.
(() => {
  const MOST_NODES = 20000;
  const LEFT_OUT = new Set(["script", "style", "link", "noscript", "template", "head", "base", "object", "embed"]);
  const { rect } = globalThis.__feedswayBasics;
  const rules = globalThis.__feedsway;
  const { isHeld, state } = globalThis.__feedswayPage;
  const numbers = new WeakMap();
  let count = 0;

  const numberOf = (node) => {
    if (!numbers.has(node)) numbers.set(node, count++);
    return numbers.get(node);
  };
  const rounded = (value) => Math.round(value * 100) / 100;
  const hiddenBy = (style) => style.display === "none" ? "display" :
    style.visibility !== "visible" ? "visibility" : Number(style.opacity) === 0 ? "opacity" : null;

  // A player that has nothing to show yet has no source: it must not show anything in playback. One
  // that was seen to play may be seeking just now.
  const wasShown = (video) => !!state.current && state.current.video === video && state.current.shown;
  const player = (video) => ({
    source: video.readyState >= 3 && video.videoWidth > 0 || wasShown(video) ? video.currentSrc : null,
    duration_s: isFinite(video.duration) && video.duration > 0 ? video.duration : null,
    playing: !video.paused || isHeld(video),
  });

  const element = (el, parent, shadow, next) => {
    const b = rect(el);
    return {
      n: numberOf(el), p: parent, shadow, tag: el.localName,
      attributes: Object.fromEntries([...el.attributes].map(({ name, value }) => [name, value])),
      box: [b.left, b.top, b.width, b.height].map(rounded),
      unseen: hiddenBy(getComputedStyle(el)),
      video: el instanceof HTMLVideoElement ? player(el) : null,
      picture: el instanceof HTMLImageElement && el.complete && el.naturalWidth > 0,
      next_button: el === next,
    };
  };
  const childrenOf = (el) => {
    if (el instanceof SVGElement) return [];
    const own = [...el.childNodes].map((node) => ({ node, parent: numberOf(el), shadow: false }));
    const shadow = el.shadowRoot ? [...el.shadowRoot.childNodes] : [];
    return [...shadow.map((node) => ({ node, parent: numberOf(el), shadow: true })), ...own];
  };
  const nextButton = () => {
    const place = rules.nextButton();
    return place && document.elementFromPoint(place.x, place.y);
  };

  // A wall that has come since is told instead, unless it is what is to be shown.
  rules.snapshot = ({ wall }) => {
    const seen = wall ? null : globalThis.__feedswayWalls.seen(rules.walls);
    if (seen) return { wall: seen };
    const next = nextButton();
    const nodes = [];
    const waiting = [{ node: document.body, parent: null, shadow: false }];
    while (waiting.length && nodes.length < MOST_NODES) {
      const { node, parent, shadow } = waiting.pop();
      if (node instanceof Text) {
        if (node.data.trim()) nodes.push({ n: numberOf(node), p: parent, shadow, text: node.data });
      } else if (node instanceof Element && !LEFT_OUT.has(node.localName)) {
        nodes.push(element(node, parent, shadow, next));
        waiting.push(...childrenOf(node).reverse());
      }
    }
    return { address: location.href, document: String(performance.timeOrigin), nodes, cut: waiting.length > 0 };
  };

  // The script elements in which the document itself holds feed items.
  rules.inlineScripts = (selectors) => selectors.flatMap((selector) =>
    [...document.querySelectorAll(selector)].map((el) => ({
      name: selector, text: el.textContent,
      attributes: Object.fromEntries([...el.attributes].map(({ name, value }) => [name, value])),
    })));
})();
