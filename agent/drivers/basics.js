// What the rules stand on: where elements lie, what a player has played, and waiting by animation
// frames. Knows no feed and no hooks. Installed once per document.
(() => {
  if (window.__feedswayBasics) return;

  const MAX_GAP_S = 4;      // a larger jump of a player's clock is a seek, not playing
  const meters = new WeakMap();
  const loads = new WeakMap();
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
    for (let above = el; above && above !== document.documentElement; above = above.parentElement) {
      const overflow = getComputedStyle(above).overflowY;
      if (/auto|scroll/.test(overflow) && above.scrollHeight > above.clientHeight + 1) return above;
    }
    return document.scrollingElement;
  };

  const texts = (root, fields, attributes) => {
    const found = {};
    for (const [name, [selector, attribute, pattern]] of Object.entries(attributes)) {
      const el = root.querySelector(selector);
      const match = el && new RegExp(pattern).exec(el.getAttribute(attribute) || "");
      if (match) found[name] = match[1];
    }
    for (const [name, selector] of Object.entries(fields)) {
      const el = root.querySelector(selector);
      if (el && el.textContent.trim()) found[name] = el.textContent.trim();
    }
    return found;
  };
  const marked = (root, selectors) => selectors.some(
    (selector) => [...root.querySelectorAll(selector)].some(visible));

  // What a player has played: the sum of its clock's advances, loops included. A new source, or the
  // same one loaded anew, has a meter of its own.
  document.addEventListener("emptied", (event) => {
    loads.set(event.target, (loads.get(event.target) || 0) + 1);
  }, true);
  const meter = (video) => {
    const load = loads.get(video) || 0;
    let m = meters.get(video);
    if (!m || m.src !== video.currentSrc || m.load !== load) {
      m = { src: video.currentSrc, load, last: 0, played: 0 };
      meters.set(video, m);
    }
    const now = video.currentTime;
    if (now >= m.last) {
      if (now - m.last < MAX_GAP_S) m.played += now - m.last;
    } else if (video.loop && m.last - now > video.duration / 2) {
      m.played += Math.max(0, video.duration - m.last) + now;
    }
    m.last = now;
    return m;
  };

  let lastFrame = performance.now();
  const tick = () => {
    lastFrame = performance.now();
    for (const video of document.querySelectorAll("video"))
      if (!video.paused || meters.has(video)) meter(video);
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

  window.__feedswayBasics = {
    rect, visible, visibleArea, inView, offCentre, centre, numberOf, meter, scrollerOf, same,
    texts, marked, eachFrame,
  };
})();
