// What the hands need to know of the page: where the buttons are, and how to scroll. Knows no site and
// presses nothing itself. Installed once per document, after the rules that it adds to.
(() => {
  const rules = window.__feedsway;
  if (rules.like) return;
  const { inView, centre, scrollerOf, marked, eachFrame } = window.__feedswayBasics;
  const { hooks, view } = rules;

  Object.assign(rules, {
    // The like button of the active item; one outside it only where it is the only one in view.
    like() {
      const root = (view() && view().item) || document;
      if (marked(root, hooks().liked)) return { found: true, pressed: true, x: 0, y: 0 };
      for (const selector of hooks().like_buttons) {
        const outside = [...document.querySelectorAll(selector)].filter(inView);
        const el = root.querySelector(selector) || (outside.length === 1 ? outside[0] : null);
        if (!el) continue;
        const button = el.closest("button, [role=button]") || el;
        return { found: true, pressed: button.getAttribute("aria-pressed") === "true", ...centre(button) };
      }
      return { found: false };
    },
    liked({ limit }) {
      return eachFrame(limit, (elapsed, over) => {
        const pressed = !!rules.like().pressed;
        return pressed || over ? pressed : undefined;
      });
    },

    nextButton() {
      for (const selector of hooks().next_buttons) {
        const button = [...document.querySelectorAll(selector)].find((el) => inView(el) && !el.disabled);
        if (!button) continue;
        rules.used.next = selector;
        return centre(button);
      }
      return null;
    },

    // The last resort: scroll the nearest scrollable ancestor by one height of the viewport.
    scrollOne() {
      const scroller = scrollerOf(view() && (view().item || view().video));
      scroller.scrollBy(0, scroller.clientHeight);
    },
  });
})();
