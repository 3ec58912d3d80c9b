// What the rules stand on: finding elements, where they lie, and waiting by animation frames.
// Knows no feed and no hooks. Runs first, in a world of its own: the page can neither see nor
// replace what is here. A page can still name an image `querySelectorAll`, which would stand in
// the document's own place: so methods are taken from prototypes, which are this world's.
(() => {
  const PROTOTYPES = { 1: Element, 9: Document, 11: DocumentFragment };
  const nodeType = Object.getOwnPropertyDescriptor(Node.prototype, "nodeType").get;
  const queryAll = (root, selector) =>
    [...PROTOTYPES[nodeType.call(root)].prototype.querySelectorAll.call(root, selector)];
  const query = (root, selector) => queryAll(root, selector)[0] || null;
  const ofDocument = (name) =>
    Object.getOwnPropertyDescriptor(Document.prototype, name).get.bind(document);
  const documentElement = ofDocument("documentElement");
  const scrollingElement = ofDocument("scrollingElement");

  const numbers = new WeakMap();
  const rect = (el) => el.getBoundingClientRect();
  const visible = (el) => {
    const b = rect(el);
    return b.width > 1 && b.height > 1 && getComputedStyle(el).visibility !== "hidden";
  };
  const visibleArea = (b) =>
    Math.max(0, Math.min(b.right, innerWidth) - Math.max(b.left, 0)) *
    Math.max(0, Math.min(b.bottom, innerHeight) - Math.max(b.top, 0));
  const inView = (el) => visible(el) && visibleArea(rect(el)) >= 1;
  const offCentre = (b) =>
    Math.hypot(b.left + b.width / 2 - innerWidth / 2, b.top + b.height / 2 - innerHeight / 2);
  const centre = (el) => {
    const b = rect(el);
    return { x: b.left + b.width / 2, y: b.top + b.height / 2 };
  };
  const numberOf = (el) => {
    if (!numbers.has(el)) numbers.set(el, numberOf.next = (numberOf.next || 0) + 1);
    return numbers.get(el);
  };

  const same = (a, b) =>
    Math.abs(a.left - b.left) < 0.5 && Math.abs(a.top - b.top) < 0.5 &&
    Math.abs(a.width - b.width) < 0.5 && Math.abs(a.height - b.height) < 0.5;

  const scrollerOf = (el) => {
    for (let above = el; above && above !== documentElement(); above = above.parentElement) {
      const overflow = getComputedStyle(above).overflowY;
      if (/auto|scroll/.test(overflow) && above.scrollHeight > above.clientHeight + 1) return above;
    }
    return scrollingElement();
  };

  const texts = (root, fields, attributes) => {
    const found = {};
    for (const [name, [selector, attribute, pattern]] of Object.entries(attributes)) {
      const el = query(root, selector);
      const match = el && new RegExp(pattern).exec(el.getAttribute(attribute) || "");
      if (match) found[name] = match[1];
    }
    for (const [name, selector] of Object.entries(fields)) {
      const el = query(root, selector);
      if (el && el.textContent.trim()) found[name] = el.textContent.trim();
    }
    return found;
  };
  const marked = (root, selectors) =>
    selectors.some((selector) => queryAll(root, selector).some(visible));

  // What a page does by itself: an event that a script of the page forged is none.
  const onTrusted = (names, act) => {
    for (const name of names)
      document.addEventListener(name, (event) => { if (event.isTrusted) act(event.target, event); }, true);
  };

  let lastFrame = performance.now();
  const tick = () => {
    lastFrame = performance.now();
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);

  // Ask again each animation frame, and, where a page gets none (a hidden tab), by a slow poll.
  const eachFrame = (limit, step) => new Promise((resolve, reject) => {
    const started = performance.now();
    let done = false;
    const finish = (end, value) => { done = true; clearInterval(poll); end(value); };
    const once = () => {
      if (done) return;
      const elapsed = performance.now() - started;
      try {
        const value = step(elapsed, elapsed >= limit);
        if (value !== undefined) finish(resolve, value);
      } catch (error) {
        finish(reject, error);
      }
    };
    const frame = () => { once(); if (!done) requestAnimationFrame(frame); };
    const poll = setInterval(() => { if (performance.now() - lastFrame > 400) once(); }, 150);
    frame();
  });

  globalThis.__feedswayBasics = {
    query, queryAll, rect, visible, visibleArea, inView, offCentre, centre, numberOf, scrollerOf,
    same, texts, marked, onTrusted, eachFrame,
  };
})();
