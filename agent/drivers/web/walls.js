// Which wall a page shows, if any. Judged by what is visible and by addresses only: pages hold the
// words of every wall at all times. Knows no site: walls arrive as data.
(() => {
  const { queryAll } = globalThis.__feedswayBasics;

  const visible = (el) => {
    const b = el.getBoundingClientRect();
    const inView = b.right > 0 && b.bottom > 0 && b.left < innerWidth && b.top < innerHeight;
    return b.width > 1 && b.height > 1 && inView && el.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  };
  // Elements that may hide a dialogue in an open shadow root have a dash in their name.
  const roots = () => {
    const found = [document];
    for (const root of found)
      for (const el of queryAll(root, "*"))
        if (el.shadowRoot && el.localName.includes("-")) found.push(el.shadowRoot);
    return found;
  };
  const shown = (root, selector) => queryAll(root, selector).filter(visible);
  const addresses = () =>
    [location.href, ...shown(document, "iframe[src]").map((frame) => frame.src)];
  // A leaf's text needs no layout; of anything else only what is seen counts.
  const text = (el) => (el.firstElementChild ? el.innerText : el.textContent) || "";
  const says = (el, said) =>
    said.test(text(el)) || said.test(el.getAttribute("aria-label") || "");

  const evidence = (wall, places, urls) => {
    for (const pattern of wall.urls) {
      const url = urls.find((address) => new RegExp(pattern).test(address));
      if (url) return url.split("?")[0];
    }
    for (const root of places) {
      for (const selector of wall.selectors) if (shown(root, selector).length) return selector;
      for (const [selector, pattern] of wall.texts) {
        const said = new RegExp(pattern, "i");
        const telling = queryAll(root, selector).some((el) => says(el, said) && visible(el));
        if (telling) return `${selector}: ${pattern}`;
      }
    }
    return null;
  };

  globalThis.__feedswayWalls = {
    // The first wall that is there, by its number, and what gave it away.
    seen(walls) {
      if (!walls.length || !document.body) return null;
      const places = roots(), urls = addresses();
      for (const [number, wall] of walls.entries()) {
        const seen = evidence(wall, places, urls);
        if (seen) return { number, seen };
      }
      return null;
    },

    // Where the button is that declines, in pixels of the viewport.
    declining(wall) {
      for (const root of roots())
        for (const [selector, pattern] of wall.decline) {
          const button = shown(root, selector).find((el) => says(el, new RegExp(pattern, "i")));
          if (button) {
            const b = button.getBoundingClientRect();
            return { x: b.left + b.width / 2, y: b.top + b.height / 2 };
          }
        }
      return null;
    },
  };
})();
