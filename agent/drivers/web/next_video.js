// One turn of the feed, from one video to the next. The page owns it: there is one at a time, it
// goes on whoever waits for it, and what it has found stays found until it is collected. So no video
// arrives unseen while another way to move is tried. Knows no site.
(() => {
  const WALLS_MS = 300;     // how often a wall is looked for
  const AUTOPLAY_MS = 1000; // how long a page may take to start its video by itself
  const SETTLE_MS = 2000;   // how long the address and the video may disagree before the id is missing
  const ID_WAIT_MS = 500;   // how long an item may take to get the attribute that names its video
  const QUIET_MS = 8000;    // an address that is silent for so long owes nothing any more
  const STALL_MS = 200;     // a frame that took longer counts as so long: a busy machine is waited for
  const NAMELESS = { id: null, source: null, hook: "none" };
  const { same, marked, eachFrame } = globalThis.__feedswayBasics;
  const { meter } = globalThis.__feedswayMeter;
  const rules = globalThis.__feedsway;
  const { VISIBLE, state, hooks, find, identity, readAddress, indexOf, sameMedia, samePlace, adopt,
    playedOf, isHeld, wasHeld, hold, release, leave, play, report, wallSeen, pictures,
    loadsPictures, isElsewhere } = globalThis.__feedswayPage;
  let turn = null, turns = 0;

  // Judges, frame by frame, whether another video than `left` is active, and what it is called. An
  // id in an attribute of the item is believed at once. The address may run before or behind the
  // video: its id is believed once both have changed, and is missing where they never agree.
  const judging = (left) => {
    const given = hooks();
    if (performance.now() - state.changedAt > QUIET_MS) state.owed = 0;
    // a feed that has moved by itself may have changed its address already
    const moved = !!left && isElsewhere(left);
    const before = moved ? left.changes : state.changes, debts = moved ? left.owed : state.owed;
    let since = null;
    const settle = (active, ident) => {
      const changes = state.changes - before;
      const named = ident.id !== null && ident.source === "url";
      const root = active.item || active.el;
      const outside = marked(root, given.ad) || marked(root, given.live);
      if (given.url_id && ident.source !== "page")
        state.owed = named ? 0 : Math.max(0, debts + (outside ? 0 : 1) - changes);
      return { state: "new", ident, media: true };
    };
    return (active, clock) => {
      const ident = identity(active);
      const reused = !!left && !!active.video && sameMedia(left, active);
      const media = !left || !sameMedia(left, active) && !samePlace(left, active) ||
        !!left.item && !!active.item && left.item !== active.item;
      const mayWait = (patience) => {
        if (since === null) since = clock;
        return clock - since < patience;
      };
      const stays = () => { since = null; return { state: "same", ident, media }; };
      const pending = { state: "pending", ident: NAMELESS, media };
      if (ident.source === "page") {
        const index = indexOf(active);
        const elsewhere = !!left && index !== null && left.index !== null && index !== left.index;
        if (left && ident.id === left.ident.id && !elsewhere) return stays();
        return reused && mayWait(SETTLE_MS) ? pending : settle(active, ident);
      }
      const fresh = !!ident.id && (!left || state.changes - before > debts);
      const mayName = !!given.url_id || given.id_attributes.length > 0;
      if (!media && !fresh) return stays();
      if (media && (fresh || !mayName))  // one player for all: its next source is on its way
        return reused && mayWait(SETTLE_MS) ? pending : settle(active, fresh ? ident : NAMELESS);
      if (mayWait(given.url_id ? SETTLE_MS : ID_WAIT_MS)) return pending;
      const remade = !fresh && left && left.item && left.item === active.item;
      return remade ? { state: "same", ident, media } : settle(active, NAMELESS);
    };
  };

  // Look once: leaves in `mine.result` the video that has come to rest and is shown.
  const look = (mine, elapsed) => {
    const { left } = mine;
    mine.clock += Math.min(elapsed - mine.elapsed, STALL_MS);
    readAddress();
    if (elapsed - mine.wallsAt > WALLS_MS) {
      mine.wallsAt = elapsed;
      mine.wall = wallSeen();
    }
    const active = find();
    const now = active ? mine.judge(active, mine.clock) : { state: "same" };
    mine.state = now.state;
    mine.empty = !active;
    const isNew = now.state === "new";
    const stays = now.state === "same" || now.state === "pending" && !now.media;
    if (stays && left && active && active.video && !sameMedia(left, active)) {
      const again = wasHeld(left.video);
      adopt(left, active);
      if (again) { hold(active.video); leave(); }
    }
    const shares = !!(active && active.video && left && meter(active.video) === left.meter);
    if (isNew && mine.changedAt === null) mine.changedAt = mine.clock;
    if (isNew && shares && mine.base === null) {
      mine.base = left.meter.played;
      if (isHeld(active.video)) release(active.video);  // one player and source for all its videos
    }
    const { last } = mine;
    const still = active && last && same(active.box, last.box) &&
      active.el === last.el && now.ident.id === last.id;
    if (last && active && !same(active.box, last.box)) mine.moving += elapsed - mine.elapsed;
    mine.last = active && { box: active.box, el: active.el, id: now.ident.id };
    mine.elapsed = elapsed;
    // Held as soon as it plays, also while the feed still moves: what is looked at and thought about
    // is not watched.
    const another = isNew || now.state === "pending" && now.media && !shares;
    const video = another ? active.video : null;
    const shown = !!video && video.readyState >= 3 && video.videoWidth > 0 && !video.error &&
      meter(video).played > (shares ? mine.base : 0);
    if (shown && !isHeld(video)) hold(video);
    const waited = mine.changedAt === null ? 0 : mine.clock - mine.changedAt;
    if (mine.wall) return;
    if (!isNew || !still || active.share < VISIBLE) {
      if (waited > mine.showLimit) mine.result = { stuck: true };
      return;
    }
    // An item that is still empty gets its player; a card that says what it is needs none.
    const post = !video && pictures(active.el).length > 0;
    const card = post || !video && (marked(active.el, hooks().live) || marked(active.el, hooks().ad));
    const patience = !card ? mine.showLimit : post && !loadsPictures(active.el) ? 0 : ID_WAIT_MS;
    if (!video && waited < patience) return;
    if (video && !shown && waited < mine.showLimit) {
      if (video.paused && !mine.urged && waited > AUTOPLAY_MS) {
        mine.urged = true;
        play(video);
      }
      return;
    }
    if (video) hold(video);
    const left_dwell_s = !left ? 0 : shares ? left.carried + mine.base - left.base : playedOf(left);
    mine.result = { left_dwell_s, shown: report(active, now.ident, shares ? mine.base : 0, shown, mine.moving, waited) };
  };

  Object.assign(rules, {
    // Begin a turn, in the place of any other that has found nothing yet. Tells whether the feed
    // stays as it is so far: a page may have moved on by itself, and then nothing must be pressed.
    begin({ showLimit }) {
      if (turn && turn.result && turn.result.shown) return { number: turn.number, stays: false };
      leave();
      state.arriving = true;
      const mine = turn = {
        number: ++turns, left: state.current, judge: judging(state.current), showLimit, result: null,
        wall: null, wallsAt: -Infinity, state: "same", empty: false, clock: 0, elapsed: 0, moving: 0,
        last: null, changedAt: null, urged: false, base: null,
      };
      eachFrame(Infinity, (elapsed) => {
        if (turn !== mine) return true;
        look(mine, elapsed);
        if (mine.result === null) return undefined;
        state.arriving = false;
        return true;
      });
      return { number: mine.number, stays: mine.state === "same" && mine.result === null };
    },

    // What the turn has found: the video; a wall; {stuck}; or {unchanged} after `changeLimit`, and
    // then the turn goes on. A document that has no such turn begins one.
    outcome({ number, changeLimit, showLimit }) {
      if (!turn || turn.number !== number) rules.begin({ showLimit });
      const mine = turn, asked = mine.clock;
      return eachFrame(Infinity, () => {
        if (turn !== mine) return { unchanged: true };
        if (mine.result !== null) { turn = null; return mine.result; }
        if (mine.wall) return { wall: mine.wall };
        if (mine.state === "same" && mine.clock - asked > changeLimit)
          return { unchanged: true, empty: mine.empty };
        return undefined;
      });
    },

    // Give the turn up: the video that was left is the current one again.
    giveUp() {
      turn = null;
      state.arriving = false;
    },
  });
})();
