// The generic rules, evaluated in the page over animation frames: which video is active, whether it
// is shown, what its player has played, and when the feed has moved. Knows no site: a platform's
// hooks arrive as data. Installed once per document.
(() => {
  if (window.__feedsway) return;

  const VISIBLE = 0.6;      // share of an item that must lie in the viewport
  const WALLS_MS = 300;     // how often a wall is looked for while a video is waited for
  const AUTOPLAY_MS = 1000; // how long a page may take to start its video by itself
  const SETTLE_MS = 2000;   // how long the address and the video may disagree before the id is missing
  const PAINT_MS = 100;     // from a decoded picture to one on the screen
  const ID_WAIT_MS = 500;   // how long an item may take to get the attribute that names its video
  const QUIET_MS = 8000;    // an address that is silent for so long owes nothing any more
  const { rect, visible, visibleArea, inView, offCentre, centre, numberOf, meter, scrollerOf, same,
    texts, marked, eachFrame } = window.__feedswayBasics;
  let hooks = null;
  let heldVideo = null;
  let current = null;       // the video that was last reported
  let arriving = false;
  let interrupted = null;   // where a wait began that a wall broke off
  let turn = 0;             // counts the waits for an arrival: only the latest one goes on
  const used = {};          // hook -> the selector that answered, for reports on the layout

  const playedOf = (view) => view.meter ? view.carried + view.meter.played - view.base : 0;

  // The address: how often its id changed, and how many changes it still owes to former videos.
  let addressId = null, addressChanges = 0, addressChangedAt = 0, owed = 0;
  const idInAddress = () => {
    const match = hooks.url_id && new RegExp(hooks.url_id).exec(location.href);
    return match ? match[1] : null;
  };
  const readAddress = () => {
    const id = hooks && idInAddress();
    if (!id || id === addressId) return;
    addressId = id;
    addressChanges += 1;
    addressChangedAt = performance.now();
    if (!arriving && owed > 0) owed -= 1;
  };

  const tick = () => {
    if (hooks) {
      readAddress();
      follow();
      if (current) notePainted(current);
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
      const found = [...document.querySelectorAll(selector)];
      const inner = found.filter((el) => !found.some((other) => other !== el && el.contains(other)));
      if (inner.length) return inner;
    }
    return [];
  };
  const players = () => {
    for (const selector of hooks.active) {
      const found = [...document.querySelectorAll(selector)].filter(inView);
      if (found.length) {
        used.active = selector;
        return found;
      }
    }
    if (hooks.active.length) used.active = "geometry";
    return [...document.querySelectorAll("video")].filter(inView);
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
    for (const video of players()) consider(video, video);
    if (best && best.share >= VISIBLE) return best;
    for (const item of items()) if (!item.querySelector("video") && visible(item)) consider(item, null);
    return best;
  };

  const identity = (active) => {
    const root = active.item || active.el;
    for (const [selector, attribute, pattern] of hooks.id_attributes) {
      const el = selector ? root.querySelector(selector) : root;
      const match = el && new RegExp(pattern).exec(el.getAttribute(attribute) || "");
      if (match) return { id: match[1], source: "page", hook: `${selector}@${attribute}` };
    }
    const id = idInAddress();
    return id ? { id, source: "url", hook: "url" } : { id: null, source: null, hook: "none" };
  };
  const NAMELESS = { id: null, source: null, hook: "none" };
  const keyOf = (active, ident) => {
    if (ident.id) return ident.id;
    // One element may show many videos from one source; the load and the item tell them apart.
    if (active.video && active.video.currentSrc) {
      const again = current && current.key.startsWith(active.video.currentSrc);
      return active.video.currentSrc + (again ? `#${numberOf(active.item || active.el)}.${addressChanges}` : "");
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

  const hold = (video) => {
    heldVideo = video;
    video.pause();
  };
  const play = (video) => {
    const refused = video.play();
    if (refused) refused.catch(() => {});    // a page may pause it at once; the meter tells
  };
  // A player that a page starts again by itself, or makes anew, is held again.
  document.addEventListener("play", (event) => {
    if (heldVideo && event.target !== heldVideo) follow();
    if (heldVideo && event.target === heldVideo) heldVideo.pause();
  }, true);

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
    const ident = identity(active);
    if (ident.source === "page" || current.ident.source === "page") return ident.id === current.ident.id;
    if (current.ident.id && ident.id !== current.ident.id) return false;
    const gone = current.item && !current.item.isConnected;
    return sameMedia(current, active) && sameItem(current, active) ||
      (gone ? !!current.ident.id : samePlace(current, active));
  };
  // A page may make the player anew under a video: the view goes on with the new one.
  const adopt = (view, active) => {
    view.carried = playedOf(view);
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
    if (arriving || !current || !current.video) return;
    if (current.video.isConnected && meter(current.video) === current.meter) return;
    const active = find();
    if (!active || !active.video || !isCurrent(active)) return;
    const held = heldVideo === current.video;
    adopt(current, active);
    if (held) hold(active.video);
    else play(active.video);
  }

  // Whether a mark is there; null where no hook could show it.
  const shows = (root, selectors) => selectors.length ? marked(root, selectors) : null;
  const report = (active, ident, base, shown, moving) => {
    const root = active.item || active.el;
    const video = active.video;
    const moved = stepsBetween(current, active);
    const key = keyOf(active, ident);
    current = {
      key, ident, item: active.item, index: indexOf(active), video,
      meter: video && meter(video), base, carried: 0, shown, top: topOf(active), paintedAt: 0,
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
      exposure_s: playedOf(current),
      shown, has_video: !!video,
      ad: shows(root, hooks.ad), live: shows(root, hooks.live),
      fields: texts(root, hooks.fields, hooks.field_attributes), moved, animation_ms: moving, hooks_used: { ...used },
    };
  };

  const wallSeen = () => window.__feedswayWalls.seen(window.__feedsway.walls);
  // Judges, frame by frame, whether another video than `left` is active, and what it is called. An
  // id in an attribute of the item is believed at once. The address may run before or behind the
  // video: its id is believed once both have changed, and is missing where they never agree.
  const arrival = (left, changeLimit) => {
    if (performance.now() - addressChangedAt > QUIET_MS) owed = 0;
    // A wait that a wall broke off goes on from where it began.
    const { before, debts } = interrupted ?? { before: addressChanges, debts: owed };
    interrupted = null;
    let since = null;
    const settle = (active, given) => {
      const changes = addressChanges - before;
      const named = given.id !== null && given.source === "url";
      const root = active.item || active.el;
      const outside = marked(root, hooks.ad) || marked(root, hooks.live);
      if (hooks.url_id && given.source !== "page")
        owed = named ? 0 : Math.max(0, debts + (outside ? 0 : 1) - changes);
      return { state: "new", ident: given, media: true };
    };
    const judge = (active, elapsed) => {
      const ident = identity(active);
      const reused = !!left && !!active.video && sameMedia(left, active);
      const media = !left || !sameMedia(left, active) && !samePlace(left, active) ||
        !!left.item && !!active.item && left.item !== active.item;
      const mayWait = (patience) => {
        if (since === null) since = elapsed;
        return elapsed - since < patience && elapsed < changeLimit + patience;
      };
      const stays = () => { since = null; return { state: "same", ident, media }; };
      const pending = { state: "pending", ident: NAMELESS, media };
      if (ident.source === "page") {
        const index = indexOf(active);
        const elsewhere = !!left && index !== null && left.index !== null && index !== left.index;
        if (left && ident.id === left.ident.id && !elsewhere) return stays();
        return reused && mayWait(SETTLE_MS) ? pending : settle(active, ident);
      }
      const fresh = !!ident.id && (!left || addressChanges - before > debts);
      const mayName = !!hooks.url_id || hooks.id_attributes.length > 0;
      if (!media && !fresh) return stays();
      if (media && (fresh || !mayName))  // one player for all: its next source is on its way
        return reused && mayWait(SETTLE_MS) ? pending : settle(active, fresh ? ident : NAMELESS);
      if (mayWait(hooks.url_id ? SETTLE_MS : ID_WAIT_MS)) return pending;
      const remade = !fresh && left && left.item && left.item === active.item;
      return remade ? { state: "same", ident, media } : settle(active, NAMELESS);
    };
    judge.began = { before, debts };
    return judge;
  };

  window.__feedsway = {
    walls: [],
    configure(given) { hooks = given; this.walls = given.walls || []; },
    hooks: () => hooks,
    view: () => current,
    used,

    // What the document itself holds: the texts of scripts and variables of the page.
    inline() {
      const found = [];
      for (const name of hooks.inline) {
        if (name.startsWith("window.")) {
          const value = window[name.slice(7)];
          if (value) found.push([name, typeof value === "string" ? value : JSON.stringify(value)]);
        } else {
          for (const el of document.querySelectorAll(name)) found.push([name, el.textContent]);
        }
      }
      return found;
    },

    // Resolves with the active video once it is another than the last one, still over two polls and
    // shown; with {unchanged} after `changeLimit`; with shown=false after `showLimit`.
    arrive({ changeLimit, showLimit }) {
      const left = current;
      heldVideo = null;    // a page may show the next video in the same element
      arriving = true;
      const mine = ++turn;
      const judge = arrival(left, changeLimit);
      let last = null, moving = 0, lastAt = 0, changedAt = null, urged = false, base = null;
      let wallsAt = -Infinity;
      const end = (result) => { arriving = false; return result; };
      return eachFrame(Infinity, (elapsed) => {
        if (turn !== mine) return { unchanged: true };
        readAddress();
        if (elapsed - wallsAt > WALLS_MS) {
          wallsAt = elapsed;
          const wall = wallSeen();
          if (wall) {
            interrupted = judge.began;
            return end({ wall });
          }
        }
        const active = find();
        const now = active ? judge(active, elapsed) : { state: "same" };
        const isNew = now.state === "new";
        const stays = now.state === "same" || now.state === "pending" && !now.media;
        if (stays && left && active && active.video && !sameMedia(left, active)) adopt(left, active);
        if (now.state === "same" && elapsed > changeLimit)
          return end({ unchanged: true, empty: !active });
        const shares = !!(active && active.video && left && meter(active.video) === left.meter);
        if (isNew && changedAt === null) changedAt = elapsed;
        if (isNew && shares && base === null) base = left.meter.played;
        const still = active && last && same(active.box, last.box) &&
          active.el === last.el && now.ident.id === last.id;
        if (last && active && !same(active.box, last.box)) moving += elapsed - lastAt;
        last = active && { box: active.box, el: active.el, id: now.ident.id };
        lastAt = elapsed;
        // Held as soon as it plays, also while the feed still moves: what is looked at and
        // thought about is not watched.
        const another = isNew || now.state === "pending" && now.media && !shares;
        const video = another ? active.video : null;
        const shown = !!video && video.readyState >= 3 && video.videoWidth > 0 && !video.error &&
          meter(video).played > (shares ? base : 0);
        if (shown && heldVideo !== video) hold(video);
        const waited = changedAt === null ? 0 : elapsed - changedAt;
        if (!isNew || !still || active.share < VISIBLE)
          return waited > showLimit ? end({ stuck: true }) : undefined;
        // An item that is still empty gets its player; a card that says what it is needs none.
        const card = !video && (marked(active.el, hooks.live) || marked(active.el, hooks.ad));
        if (!video && waited < (card ? ID_WAIT_MS : showLimit)) return undefined;
        if (video && !shown && waited < showLimit) {
          if (video.paused && !urged && waited > AUTOPLAY_MS) {
            urged = true;
            play(video);
          }
          return undefined;
        }
        if (video) hold(video);
        const left_dwell_s = !left ? 0 : shares ? left.carried + base - left.base : playedOf(left);
        const told = report(active, now.ident, shares ? base : 0, shown, moving);
        return end({ left_dwell_s, shown: told });
      });
    },

    // Whether the page still shows this very video in this very place. A player that was made anew
    // meanwhile is waited for: its first picture is blank.
    check({ key, box, limit, taken }) {
      let waited = false;
      return eachFrame(limit, (elapsed, over) => {
        const wall = wallSeen();
        if (wall) return { stays: false, wall };
        const active = find();
        if (!current || !active && over) return null;
        if (current) notePainted(current);
        const ready = !!active && current.key === key && isCurrent(active) &&
          (!current.shown || !active.video || active.video.readyState >= 2 && current.paintedAt < Date.now());
        if (ready && current.paintedAt > taken) waited = true;
        if (!ready && !over) { waited = true; return undefined; }
        const there = { left: box.x, top: box.y, width: box.width, height: box.height };
        const stays = ready && !waited && same(active.box, there);
        return { stays, time_s: active.video ? active.video.currentTime : 0 };
      });
    },

    // Release the player until it has played `seconds` since it became active; `then` hold it again.
    watch({ seconds, limit, then }) {
      const view = current;
      if (!view || !view.video) return 0;
      if (playedOf(view) >= seconds) return playedOf(view);
      heldVideo = null;
      play(view.video);
      return eachFrame(limit, (elapsed, over) => {
        follow();
        if (view.video) meter(view.video);
        if (playedOf(view) < seconds && !over) return undefined;
        if (then && view.video) hold(view.video);
        return playedOf(view);
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
  };
  requestAnimationFrame(tick);
})();
