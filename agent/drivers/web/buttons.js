// What the hands need to know of the page: where the buttons are, whether a like is there already, and
// how to scroll. Knows no site and presses nothing itself.
(() => {
  const { query, queryAll, inView, centre, scrollerOf, marked, eachFrame } = globalThis.__feedswayBasics;
  const rules = globalThis.__feedsway;
  const { state, used, hooks, itemOf, isElsewhere } = globalThis.__feedswayPage;

  const LIKED_WORDS = /\b(un-?like|liked|remove (your )?like|undo (your )?like|you like this)\b/i;
  const LIKED_NAME = /(^|[-_])(is-?|has-?)?(un-?like|liked)($|[-_])/i;
  const PERHAPS = /(^|[-_])(is-?)?(active|selected|pressed|checked|filled)($|[-_])/i;
  const STATES = ["aria-pressed", "aria-checked", "aria-selected", "data-liked", "data-state", "data-e2e", "data-testid"];
  const COLOURED = 80;      // difference of the strongest and weakest channel that makes a colour

  const channels = (colour) => (/^rgba?\(([^)]*)\)/.exec(colour) || ["", ""])[1].split(/[ ,/]+/).map(Number);
  const coloured = (colour) => {
    const [red, green, blue, alpha = 1] = channels(colour);
    return alpha > 0.1 && Math.max(red, green, blue) - Math.min(red, green, blue) >= COLOURED;
  };
  // Icons: a shape that is filled or drawn in a colour, or the other icon of two.
  const look = (el) => {
    if (!(el instanceof SVGElement)) return "";
    const style = getComputedStyle(el);
    return `${style.fill} ${style.stroke} ${style.color} ${el.getAttribute("d") || ""}`;
  };
  const inColour = (el) => {
    if (!(el instanceof SVGGeometryElement || el instanceof SVGUseElement)) return false;
    const style = getComputedStyle(el);
    return coloured(style.fill) || coloured(style.stroke);
  };

  // What a button says of itself: "yes" where it is liked, "perhaps" where it looks so, else "no".
  const saysLiked = (button) => {
    const parts = [button, ...queryAll(button, "*")];
    const labels = parts.flatMap((el) => [el.getAttribute("aria-label"), el.getAttribute("title")]);
    labels.push(button.textContent);
    if (labels.some((label) => label && LIKED_WORDS.test(label))) return "yes";
    const values = parts.flatMap((el) => STATES.map((name) => [name, el.getAttribute(name)]));
    for (const [name, value] of values) {
      if (value === "true" || value !== null && LIKED_NAME.test(value)) return "yes";
    }
    const classes = parts.flatMap((el) => [...el.classList]);
    if (classes.some((name) => LIKED_NAME.test(name))) return "yes";
    if (values.some(([name, value]) => name === "aria-pressed" && value === "false")) return "no";
    if (values.some(([name, value]) => name === "data-state" && /^(on|active|checked)$/.test(value)))
      return "perhaps";
    return classes.some((name) => PERHAPS.test(name)) || parts.some(inColour) ? "perhaps" : "no";
  };
  const looks = (button) => JSON.stringify([button, ...queryAll(button, "*")].map((el) => [
    el.localName, el.getAttribute("class"), look(el), ...STATES.map((name) => el.getAttribute(name)),
    el.getAttribute("aria-label")]));

  // The like button of the active item; one outside of any item only where it is alone in view.
  const likeButton = (root) => {
    for (const selector of hooks().like_buttons) {
      const outside = queryAll(document, selector).filter((el) => inView(el) && !itemOf(el));
      const el = query(root, selector) || (outside.length === 1 ? outside[0] : null);
      if (el) return el.closest("button, [role=button]") || el;
    }
    return null;
  };
  let pressed = null;       // the button that is about to be pressed, and how it looked before

  Object.assign(rules, {
    // Where the like button is, and whether the active video is liked: "yes", "perhaps" or "no".
    like() {
      // what the feed has moved away from by itself is not there to be liked
      if (state.current && isElsewhere(state.current)) return { found: false, liked: "no" };
      const root = (state.current && state.current.item) || document;
      if (marked(root, hooks().liked)) return { found: true, liked: "yes" };
      const button = likeButton(root);
      if (!button) return { found: false, liked: "no" };
      const liked = saysLiked(button);
      pressed = { button, liked, looks: looks(button) };
      return { found: true, liked, ...centre(button) };
    },
    // Whether the press was taken: the page says "liked" now, or the button itself looks otherwise
    // than before, in a way in which liked ones do.
    confirmed({ limit }) {
      return eachFrame(limit, (elapsed, over) => {
        const root = (state.current && state.current.item) || document;
        const button = pressed.button.isConnected ? pressed.button : likeButton(root);
        const says = marked(root, hooks().liked) ? "yes" : button ? saysLiked(button) : "no";
        const changed = !!button && looks(button) !== pressed.looks;
        return says === "yes" || says === "perhaps" && changed || (over ? false : undefined);
      });
    },

    nextButton() {
      for (const selector of hooks().next_buttons) {
        const button = queryAll(document, selector).find((el) => inView(el) && !el.disabled);
        if (!button) continue;
        used.next = selector;
        return centre(button);
      }
      return null;
    },

    // The last resort: scroll the nearest scrollable ancestor by one height of the viewport.
    scrollOne() {
      const view = state.current;
      const scroller = scrollerOf(view && (view.item || view.video));
      scroller.scrollBy(0, scroller.clientHeight);
    },
  });
})();
