// What the page shows, evaluated over animation frames: which video is active, what it is called,
// and whether it is still there. Knows no site: a platform's hooks arrive as data. How one video
// follows another is in next_video.js, what the hands need in buttons.js.
(() => {
  const VISIBLE = 0.6;      // share of an item that must lie in the viewport
  const CLEAR_MS = 1000;    // how long no wall must be seen for the page to be clear
  const PAINT_MS = 100;     // from a decoded picture to one on the screen
  const GONE_MS = 300;      // how long another video must be there for the feed to have moved by itself
  const { query, queryAll, rect, visible, visibleArea, inView, offCentre, numberOf, scrollerOf, same,
    texts, marked, onTrusted, eachFrame } = globalThis.__feedswayBasics;
  const { meter } = globalThis.__feedswayMeter;
  let hooks = null;
  const used = {};          // hook -> the selector that answered, for reports on the layout
  const state = {
    current: null,          // the video that was last reported
    arriving: false,        // whether a turn looks for another video
    // The address: how often its id changed, when, and how many changes it still owes to former videos.
    changes: 0, changedAt: 0, owed: 0,
  };
  let held = null;          // the player that is held, what it plays, and whether it is being left

  // Wall time for which the page was hidden, up to now.
  let hiddenMs = 0, hiddenSince = document.hidden ? performance.now() : null;
  document.addEventListener("visibilitychange", () => {
    if (hiddenSince !== null) hiddenMs += performance.now() - hiddenSince;
    hiddenSince = document.hidden ? performance.now() : null;
  });
  const hiddenSoFar = () => hiddenMs + (hiddenSince === null ? 0 : performance.now() - hiddenSince);
  // What a post without a player gets is the time for which it is seen, at the page's own speed.
  const stayedOf = (view) => {
    const until = view.until ?? performance.now() - hiddenSoFar();
    return ((until - (view.since - view.hidden)) / 1000) * hooks.speed;
  };
  const playedOf = (view) =>
    view.meter ? view.carried + view.meter.played - view.base : stayedOf(view);

  let addressId = null;
  const idInAddress = () => {
    const match = hooks.url_id && new RegExp(hooks.url_id).exec(location.href);
    return match ? match[1] : null;
  };
  const readAddress = () => {
    const id = hooks && idInAddress();
    if (!id || id === addressId) return;
    addressId = id;
    state.changes += 1;
    state.changedAt = performance.now();
    if (!state.arriving && state.owed > 0) state.owed -= 1;
  };

  const tick = () => {
    if (hooks) {
      readAddress();
      follow();
      if (state.current) notePainted(state.current);
      if (state.current && !state.current.video && !state.arriving) noteLeft(state.current);
    }
    requestAnimationFrame(tick);
  };

  const itemOf = (el) => {
    for (const selector of hooks.item) {
      const item = el.closest(selector);
      if (item) return item;
    }
    return null;
  };
  const items = () => {
    for (const selector of hooks.item) {
      const found = queryAll(document, selector);
      const inner = found.filter((el) => !found.some((other) => other !== el && el.contains(other)));
      if (inner.length) return inner;
    }
    return [];
  };
  const players = () => {
    for (const selector of hooks.active) {
      const found = queryAll(document, selector).filter(inView);
      if (found.length) {
        used.active = selector;
        return found;
      }
    }
    if (hooks.active.length) used.active = "geometry";
    return queryAll(document, "video").filter(inView);
  };

  // What is held is this player with what it plays now: another source in it is free.
  const isHeld = (video) => !!held && held.video === video && held.meter === meter(video);
  const wasHeld = (video) => !!held && held.video === video;
  const hold = (video) => {
    held = { video, meter: meter(video), left: false };
    video.pause();
  };
  const play = (video) => {
    const refused = video.play();
    if (refused) refused.catch(() => {});    // a page may pause it at once; the meter tells
  };
  const release = (video) => {
    held = null;
    if (video) play(video);
  };
  // A video that is being left stays held, but no longer counts as the one that plays.
  const leave = () => { if (held) held.left = true; };
  // A player that a page starts again by itself, or makes anew, is held again.
  onTrusted(["play"], (el) => {
    if (held && el !== held.video) follow();
    if (isHeld(el)) el.pause();
  });

  // Largest visible area, times four where it plays, less the distance from the centre.
  const find = () => {
    let best = null;
    const consider = (el, video) => {
      const b = rect(el);
      const area = visibleArea(b);
      if (area < 1) return;
      const playing = video && (isHeld(video) && !held.left || !video.paused && !video.ended);
      const score = area * (playing ? 4 : 1) - offCentre(b);
      const share = area / (b.width * b.height);
      if (!best || score > best.score) best = { el, video, item: itemOf(el), box: b, score, share };
    };
    for (const video of players()) consider(video, video);
    if (best && best.share >= VISIBLE) return best;
    for (const item of items()) if (!query(item, "video") && visible(item)) consider(item, null);
    return best;
  };

  const identity = (active) => {
    const root = active.item || active.el;
    for (const [selector, attribute, pattern] of hooks.id_attributes) {
      const el = selector ? query(root, selector) : root;
      const match = el && new RegExp(pattern).exec(el.getAttribute(attribute) || "");
      if (match) return { id: match[1], source: "page", hook: `${selector}@${attribute}` };
    }
    const id = idInAddress();
    return id ? { id, source: "url", hook: "url" } : { id: null, source: null, hook: "none" };
  };
  const keyOf = (active, ident) => {
    if (ident.id) return ident.id;
    // One element may show many videos from one source; the load and the item tell them apart.
    if (active.video && active.video.currentSrc) {
      const again = state.current && state.current.key.startsWith(active.video.currentSrc);
      return active.video.currentSrc + (again ? `#${numberOf(active.item || active.el)}.${state.changes}` : "");
    }
    return `item:${indexOf(active) ?? numberOf(active.item || active.el)}`;
  };

  const indexOf = (active) => {
    const text = hooks.index_attribute && active.item && active.item.getAttribute(hooks.index_attribute);
    return text && /^\d+$/.test(text) ? Number(text) : null;
  };
  const stepsBetween = (before, active) => {
    if (!before) return null;
    const now = indexOf(active);
    if (now !== null && before.index !== null) return now - before.index;
    const all = items();
    const from = all.indexOf(before.item), to = all.indexOf(active.item);
    return from >= 0 && to >= 0 ? to - from : null;
  };

  const topOf = (active) => active.box.top + scrollerOf(active.el).scrollTop;
  // Whether the feed has not moved: in a list of items, another player in the same place was made
  // anew for the same video. A page that shows every video in one place tells nothing by it.
  const samePlace = (view, active) => {
    const scroller = scrollerOf(active.el);
    const list = scroller.scrollHeight > 1.5 * scroller.clientHeight;
    if (view.item && active.item)
      return view.item === active.item && (list || items().length > 1);
    const gone = !!view.video && !view.video.isConnected;
    return list && gone && Math.abs(topOf(active) - view.top) < active.box.height / 2;
  };

  // Whether what is active now is the video that was last reported.
  const sameMedia = (view, active) =>
    active.video === view.video && (!active.video || meter(active.video) === view.meter);
  const sameItem = (view, active) => view.item ? active.item === view.item : !active.item;
  const isCurrent = (active) => {
    const current = state.current, ident = identity(active);
    if (ident.source === "page" || current.ident.source === "page") return ident.id === current.ident.id;
    if (current.ident.id && ident.id !== current.ident.id) return false;
    const gone = current.item && !current.item.isConnected;
    return sameMedia(current, active) && sameItem(current, active) ||
      (gone ? !!current.ident.id : samePlace(current, active));
  };
  // Whether another video than the reported one is shown: a feed may move by itself.
  const isElsewhere = (view) => {
    const active = find();
    return !!active && active.share >= VISIBLE && !isCurrent(active) &&
      !(active.video && sameMedia(view, active));
  };
  // A post without a player is seen until another video is.
  const noteLeft = (view) => {
    if (!isElsewhere(view)) view.until = null;
    else view.until ??= performance.now() - hiddenSoFar();
  };
  // A page may make the player anew under a video: the view goes on with the new one.
  const adopt = (view, active) => {
    view.carried = view.meter ? playedOf(view) : 0;
    Object.assign(view, {
      video: active.video, item: active.item, meter: meter(active.video), base: 0, paintedAt: Infinity,
    });
  };
  // When the clock says that a player that was made anew has painted: pictures before show nothing.
  const notePainted = (view) => {
    if (view.paintedAt === Infinity && view.video && view.video.readyState >= 2)
      view.paintedAt = Date.now() + PAINT_MS;
  };
  function follow() {
    const current = state.current;
    if (state.arriving || !current || !current.video) return;
    if (current.video.isConnected && meter(current.video) === current.meter) return;
    const active = find();
    if (!active || !active.video || !isCurrent(active)) return;
    const again = wasHeld(current.video);
    adopt(current, active);
    if (again) hold(active.video);
    else play(active.video);
  }

  // The pictures of a post, each once; those that the page has not loaded yet are left out.
  const isLoaded = (el) => !(el instanceof HTMLImageElement) || el.complete && el.naturalWidth > 0;
  const pictures = (root) => {
    const found = hooks.photos.flatMap((selector) => queryAll(root, selector));
    if (!found.some((el) => visible(el) && isLoaded(el))) return [];
    const sources = new Map(found.filter(isLoaded).map((el) => [el.currentSrc || numberOf(el), el]));
    return [...sources.values()];
  };
  const loadsPictures = (root) =>
    hooks.photos.some((selector) => queryAll(root, selector).some((el) => !isLoaded(el)));

  // Whether a mark is there; null where no hook could show it.
  const shows = (root, selectors) => selectors.length ? marked(root, selectors) : null;
  // Make the active video the current one, and describe it.
  const report = (active, ident, base, shown, moving, waited) => {
    const root = active.item || active.el;
    const video = active.video;
    const moved = stepsBetween(state.current, active);
    const key = keyOf(active, ident);
    state.current = {
      key, ident, item: active.item, index: indexOf(active), video,
      meter: video && meter(video), base, carried: 0, shown, top: topOf(active), paintedAt: 0,
      since: performance.now() - waited, hidden: hiddenSoFar(), until: null,
      changes: state.changes, owed: state.owed,
    };
    used.item = active.item ? hooks.item.find((selector) => active.item.matches(selector)) : "geometry";
    used.id = ident.hook;
    if (!video) delete used.active;
    const b = active.box;
    return {
      key, id: ident.id, id_source: ident.source, url: location.href,
      box: { x: b.left, y: b.top, width: b.width, height: b.height },
      time_s: video ? video.currentTime : 0,
      duration_s: video && isFinite(video.duration) ? video.duration : null,
      exposure_s: playedOf(state.current),
      shown, has_video: !!video, held: !!video, pictures: video ? 0 : pictures(root).length,
      ad: shows(root, hooks.ad), live: shows(root, hooks.live),
      fields: texts(root, hooks.fields, hooks.field_attributes), moved, animation_ms: moving, hooks_used: { ...used },
    };
  };

  const rules = {
    walls: [],
    configure(given) { hooks = given; rules.walls = given.walls || []; },

    // The texts of the scripts in which the document itself holds feed items.
    inline() {
      const scripts = hooks.inline.filter((name) => !name.startsWith("window."));
      return scripts.flatMap((name) => queryAll(document, name).map((el) => [name, el.textContent]));
    },
    count: (selectors) => selectors.map((selector) => queryAll(document, selector).length),

    declining: (number) => globalThis.__feedswayWalls.declining(rules.walls[number]),

    // Whether the page still shows this very video in this very place. A player that was made anew
    // meanwhile is waited for: its first picture is blank.
    check({ key, box, limit, taken }) {
      let waited = false;
      return eachFrame(limit, (elapsed, over) => {
        const wall = wallSeen();
        if (wall) return { stays: false, wall };
        const active = find(), current = state.current;
        if (!current || !active && over) return null;
        notePainted(current);
        const ready = !!active && current.key === key && isCurrent(active) &&
          (!current.shown || !active.video || active.video.readyState >= 2 && current.paintedAt < Date.now());
        if (ready && current.paintedAt > taken) waited = true;
        if (!ready && !over) { waited = true; return undefined; }
        const there = { left: box.x, top: box.y, width: box.width, height: box.height };
        const stays = ready && !waited && same(active.box, there);
        return { stays, time_s: active && active.video ? active.video.currentTime : 0 };
      });
    },

    // Where one picture of the post lies that is shown; null where it is not there, or has no place.
    pictureUrl({ key, number }) {
      const wall = wallSeen();
      if (wall) return { url: null, wall };
      const active = find(), current = state.current;
      if (!active || !current || current.key !== key || !isCurrent(active)) return { url: null };
      const picture = pictures(active.item || active.el)[number];
      return { url: (picture && picture.currentSrc) || null };
    },

    // Release the player until it has played `seconds` since it became active, or until the feed has
    // moved by itself; `then` hold it again.
    watch({ seconds, limit, then }) {
      const view = state.current;
      if (!view) return 0;
      if (playedOf(view) >= seconds) return playedOf(view);
      let released = false, gone = null;
      return eachFrame(limit, (elapsed, over) => {
        follow();
        gone = isElsewhere(view) ? gone ?? elapsed : null;
        if (view.video && gone === null && !released) {
          released = true;
          release(view.video);
        }
        if (view.video) meter(view.video);
        const left = gone !== null && elapsed - gone >= GONE_MS;
        if (playedOf(view) < seconds && !over && !left) return undefined;
        if (then && view.video && !left) hold(view.video);
        return playedOf(view);
      });
    },

    // What the site shows instead of its feed, if anything: resolves with null once no wall has
    // been seen for a second, with the wall that stands after `limit`.
    standing({ limit }) {
      let since = null;
      return eachFrame(limit, (elapsed, over) => {
        const seen = wallSeen();
        if (seen) since = null;
        else since = since ?? elapsed;
        if (since !== null && elapsed - since >= CLEAR_MS) return { standing: null };
        return over ? { standing: seen } : undefined;
      });
    },
  };
  const wallSeen = () => globalThis.__feedswayWalls.seen(rules.walls);
  requestAnimationFrame(tick);

  globalThis.__feedsway = rules;
  globalThis.__feedswayPage = {
    VISIBLE, state, used, hooks: () => hooks, find, itemOf, identity, idInAddress, readAddress, indexOf,
    sameMedia, samePlace, adopt, playedOf, isHeld, wasHeld, hold, release, leave, play, report, wallSeen, pictures, loadsPictures,
    isElsewhere,
  };
})();
