// The generic rules, evaluated in the page over animation frames: which video is active, whether it
// is shown, what its player has played, and when the feed has moved. Knows no site: a platform's
// hooks arrive as data. Installed once per document.
(() => {
  if (window.__feedsway) return;

  const VISIBLE = 0.6;      // share of an item that must lie in the viewport
  const WALLS_MS = 300;     // how often a wall is looked for while a video is waited for
  const AUTOPLAY_MS = 1000; // how long a page may take to start its video by itself
  const MAX_GAP_S = 4;      // a larger jump of a player's clock is a seek, not playing
  let hooks = null;
  let heldVideo = null;
  const meters = new WeakMap();

  const rect = (el) => el.getBoundingClientRect();
  const visible = (el) => {
    const b = rect(el);
    return b.width > 1 && b.height > 1 && getComputedStyle(el).visibility !== "hidden";
  };
  const visibleArea = (b) =>
    Math.max(0, Math.min(b.right, innerWidth) - Math.max(b.left, 0)) *
    Math.max(0, Math.min(b.bottom, innerHeight) - Math.max(b.top, 0));
  const offCentre = (b) =>
    Math.hypot(b.left + b.width / 2 - innerWidth / 2, b.top + b.height / 2 - innerHeight / 2);
  const query = (root, selectors) => {
    for (const selector of selectors) {
      const found = root.querySelector(selector);
      if (found) return found;
    }
    return null;
  };

  // What a player has played: the sum of its clock's advances, loops included.
  const meter = (video) => {
    let m = meters.get(video);
    if (!m || m.src !== video.currentSrc) {
      m = { src: video.currentSrc, last: 0, played: 0 };
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

  const itemOf = (el) => {
    for (const selector of hooks.item) {
      const item = el.closest(selector);
      if (item) return item;
    }
    return null;
  };
  const items = () => {
    for (const selector of hooks.item) {
      const found = document.querySelectorAll(selector);
      if (found.length) return [...found];
    }
    return [];
  };

  // Largest visible area, times four where it plays, less the distance from the centre.
  const find = () => {
    let best = null;
    const consider = (el, video) => {
      const b = rect(el);
      const area = visibleArea(b);
      if (area < 1) return;
      const playing = video && (video === heldVideo || !video.paused && !video.ended);
      const score = area * (playing ? 4 : 1) - offCentre(b);
      const share = area / (b.width * b.height);
      if (!best || score > best.score) best = { el, video, item: itemOf(el), box: b, score, share };
    };
    for (const video of document.querySelectorAll("video")) if (visible(video)) consider(video, video);
    for (const item of items()) if (!item.querySelector("video") && visible(item)) consider(item, null);
    return best;
  };

  const identity = (active) => {
    const root = active.item || active.el;
    for (const [selector, attribute, pattern] of hooks.id_attributes) {
      const el = selector ? root.querySelector(selector) : root;
      const match = el && new RegExp(pattern).exec(el.getAttribute(attribute) || "");
      if (match) return { id: match[1], source: "page" };
    }
    const match = hooks.url_id && new RegExp(hooks.url_id).exec(location.href);
    if (match) return { id: match[1], source: "url" };
    return { id: null, source: null };
  };
  const keyOf = (active, ident) =>
    ident.id || (active.video && active.video.currentSrc) || `item:${indexOf(active) ?? "?"}`;

  const indexOf = (active) => {
    const text = hooks.index_attribute && active.item && active.item.getAttribute(hooks.index_attribute);
    if (text) return Number(text);
    return null;
  };
  const stepsBetween = (before, active) => {
    if (!before) return null;
    const now = indexOf(active);
    if (now !== null && before.index !== null) return now - before.index;
    const all = items();
    const from = all.indexOf(before.item), to = all.indexOf(active.item);
    return from >= 0 && to >= 0 ? to - from : null;
  };

  const isShown = (video) =>
    video.readyState >= 3 && video.videoWidth > 0 && !video.error && meter(video).played > 0;

  const hold = (video) => {
    heldVideo = video;
    video.pause();
  };
  const play = (video) => {
    const refused = video.play();
    if (refused) refused.catch(() => {});    // a page may pause it at once; the meter tells
  };
  // A player that a page starts again by itself is held again.
  document.addEventListener("play", (event) => {
    if (heldVideo && event.target === heldVideo) heldVideo.pause();
  }, true);

  const texts = (root) => {
    const found = {};
    for (const [name, selector] of Object.entries(hooks.fields)) {
      const el = root.querySelector(selector);
      if (el && el.textContent.trim()) found[name] = el.textContent.trim();
    }
    return found;
  };
  const marked = (root, selectors) => {
    for (const selector of selectors) {
      for (const el of root.querySelectorAll(selector)) if (visible(el)) return true;
    }
    return false;
  };

  let current = null;    // the video that was last reported
  const report = (active, ident, shown, moving) => {
    const root = active.item || active.el;
    const video = active.video;
    const moved = stepsBetween(current, active);
    current = {
      key: keyOf(active, ident), item: active.item, index: indexOf(active), video,
      meter: video && meter(video),
    };
    const b = active.box;
    return {
      key: current.key, id: ident.id, id_source: ident.source, url: location.href,
      box: { x: b.left, y: b.top, width: b.width, height: b.height },
      time_s: video ? video.currentTime : 0,
      duration_s: video && isFinite(video.duration) ? video.duration : null,
      exposure_s: video ? meter(video).played : 0,
      shown, has_video: !!video,
      ad: marked(root, hooks.ad), live: marked(root, hooks.live),
      fields: texts(root), moved, animation_ms: moving,
    };
  };

  // Ask again each animation frame, and, where a page gets none (a hidden tab), by a slow poll.
  const eachFrame = (limit, step) => new Promise((resolve) => {
    const started = performance.now();
    let done = false;
    const finish = (value) => { done = true; clearInterval(poll); resolve(value); };
    const once = () => {
      if (done) return;
      const elapsed = performance.now() - started;
      const value = step(elapsed, elapsed >= limit);
      if (value !== undefined) finish(value);
    };
    const frame = () => { once(); if (!done) requestAnimationFrame(frame); };
    const poll = setInterval(() => { if (performance.now() - lastFrame > 400) once(); }, 150);
    frame();
  });
  const wallSeen = () => window.__feedswayWalls.seen(window.__feedsway.walls);
  const same = (a, b) =>
    Math.abs(a.left - b.left) < 0.5 && Math.abs(a.top - b.top) < 0.5 &&
    Math.abs(a.width - b.width) < 0.5 && Math.abs(a.height - b.height) < 0.5;

  window.__feedsway = {
    walls: [],
    configure(given) { hooks = given; this.walls = given.walls || []; },

    // Resolves with the active video once it is another than `previous`, still over two polls and
    // shown; with {unchanged} after `changeLimit`; with shown=false after `showLimit`.
    arrive({ previous, changeLimit, showLimit }) {
      const left = current;
      heldVideo = null;    // a page may show the next video in the same element
      let box = null, key = null, moving = 0, lastAt = 0, changedAt = null, urged = false;
      let wallsAt = -Infinity;
      return eachFrame(Infinity, (elapsed) => {
        if (elapsed - wallsAt > WALLS_MS) {
          wallsAt = elapsed;
          const wall = wallSeen();
          if (wall) return { wall };
        }
        const active = find();
        const ident = active ? identity(active) : null;
        const isNew = active && keyOf(active, ident) !== previous;
        if (isNew && changedAt === null) changedAt = elapsed;
        if (!isNew && elapsed > changeLimit) return { unchanged: true, empty: !active };
        const still = active && box && same(active.box, box) && keyOf(active, ident) === key;
        if (box && active && !same(active.box, box)) moving += elapsed - lastAt;
        box = active && active.box; key = active && keyOf(active, ident); lastAt = elapsed;
        // Held as soon as it plays, also while the feed still moves: what is looked at and
        // thought about is not watched.
        const shown = isNew && !!active.video && isShown(active.video);
        if (shown && heldVideo !== active.video) hold(active.video);
        const waited = changedAt === null ? 0 : elapsed - changedAt;
        if (!isNew || !still || active.share < VISIBLE)
          return waited > showLimit ? { stuck: true } : undefined;
        if (active.video && !shown && waited < showLimit) {
          if (active.video.paused && !urged && waited > AUTOPLAY_MS) {
            urged = true;
            play(active.video);
          }
          return undefined;
        }
        if (active.video) hold(active.video);
        return { left_dwell_s: left && left.meter ? left.meter.played : 0, shown: report(active, ident, shown, moving) };
      });
    },

    // Whether the page still shows this very video in this very place.
    check({ key, box }) {
      const wall = wallSeen();
      if (wall) return { stays: false, wall };
      const active = find();
      if (!active) return null;
      const b = active.box;
      const stays = keyOf(active, identity(active)) === key && same(b, {
        left: box.x, top: box.y, width: box.width, height: box.height,
      });
      return { stays, time_s: active.video ? active.video.currentTime : 0 };
    },

    // Release the player until it has played `seconds` since it became active; `then` hold it again.
    watch({ seconds, limit, then }) {
      const video = current && current.video;
      if (!video) return 0;
      if (meter(video).played >= seconds) return meter(video).played;
      heldVideo = null;
      play(video);
      return eachFrame(limit, (elapsed, over) => {
        const played = meter(video).played;
        if (played < seconds && !over) return undefined;
        if (then) hold(video);
        return played;
      });
    },

    // Resolves with true once no wall has been seen for a second, with false after `limit`.
    clear({ limit }) {
      let since = null;
      return eachFrame(limit, (elapsed, over) => {
        if (wallSeen()) since = null;
        else since = since ?? elapsed;
        if (since !== null && elapsed - since >= 1000) return true;
        return over ? false : undefined;
      });
    },

    like() {
      const root = (current && (current.item || document)) || document;
      const button = query(root, hooks.like_buttons) || query(document, hooks.like_buttons);
      if (!button) return { found: false };
      const b = rect(button);
      return {
        found: true, pressed: button.getAttribute("aria-pressed") === "true",
        x: b.left + b.width / 2, y: b.top + b.height / 2,
      };
    },

    nextButton() {
      const button = query(document, hooks.next_buttons);
      if (!button || !visible(button) || button.disabled) return null;
      const b = rect(button);
      return { x: b.left + b.width / 2, y: b.top + b.height / 2 };
    },

    // The last resort: scroll the nearest scrollable ancestor by one height of the viewport.
    scrollOne() {
      let el = current && (current.item || current.video);
      while (el && el !== document.documentElement) {
        const overflow = getComputedStyle(el).overflowY;
        if (/auto|scroll/.test(overflow) && el.scrollHeight > el.clientHeight + 1) break;
        el = el.parentElement;
      }
      const scroller = el || document.scrollingElement;
      scroller.scrollBy(0, scroller.clientHeight);
    },
  };
})();
