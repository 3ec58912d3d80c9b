// The page of a playback: shows the recorded scenes one after the other, as the visitor moves, and
// asks for the recorded responses when the site's own page did. It runs no script of the site.
// `playback` is what it is told: the scene to start with, and the responses that came before it.
(async () => {
  const { start, opening, first } = playback;
  const SVG = "http://www.w3.org/2000/svg";
  const GONE_MS = 1200;     // how long a wall stands that went by itself
  const QUIET_MS = 250;     // turns of a wheel that are closer together are one
  const PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=";
  const FORBIDDEN = new Set(["style", "src", "srcset", "srcdoc", "action", "formaction", "http-equiv"]);
  const nodes = new Map();  // number -> the node of this document
  let scene = null, place = start, moving = false, lastWheel = -Infinity;
  const pending = [];       // responses that are under way: {due, done}

  // What came before the document itself was read must be there before it is.
  const askAtOnce = ({ number, url, request }) => {
    const asking = new XMLHttpRequest();
    asking.open(request === null ? "GET" : "POST", url, false);
    asking.setRequestHeader("x-playback-answer", String(number));
    try {
      asking.send(request);
    } catch {
      return;               // the browser is closing
    }
  };
  const ask = (answers) => {
    for (const { number, url, request, due, early } of answers) {
      if (early) { askAtOnce({ number, url, request }); continue; }
      const options = { headers: { "x-playback-answer": String(number) } };
      if (request !== null) Object.assign(options, { method: "POST", body: request });
      const done = fetch(url, options).then((answer) => answer.text()).catch(() => null);
      pending.push({ due, done });
    }
  };
  const arrived = (number) =>
    Promise.all(pending.filter(({ due }) => due <= number).map(({ done }) => done));

  const make = (node) => {
    if (!node.tag) return document.createTextNode("");
    if (node.tag === "body") return document.body;
    return node.tag === "svg" ? document.createElementNS(SVG, "svg") : document.createElement(node.tag);
  };
  const shadowOf = (el) => el.shadowRoot ?? el.attachShadow({ mode: "open" });

  const styled = ({ box, unseen, tag }) => {
    const [left, top, width, height] = box ?? [0, 0, 0, 0];
    const hide = { display: "display:none", visibility: "visibility:hidden", opacity: "opacity:0" }[unseen] ?? "";
    const where = tag === "body" ? "" :
      `position:fixed;left:${left}px;top:${top}px;width:${width}px;height:${height}px;`;
    return `all:initial;display:block;box-sizing:border-box;overflow:hidden;object-fit:fill;font:9px sans-serif;` +
      `${where}margin:0;padding:0;border:0;${hide}`;
  };
  const dress = (el, node) => {
    const given = Object.entries(node.attributes ?? {}).filter(([name]) =>
      !FORBIDDEN.has(name) && !name.startsWith("on") && !(name === "href" && node.tag === "base"));
    const kept = new Set([...given.map(([name]) => name), "style", "src"]);
    for (const { name } of [...el.attributes]) if (!kept.has(name)) el.removeAttribute(name);
    for (const [name, value] of given) if (el.getAttribute(name) !== value) el.setAttribute(name, value);
    el.style.cssText = styled(node);
    if (node.picture && el instanceof HTMLImageElement && !el.src) el.src = PICTURE;
    const src = node.attributes?.src ?? "";
    if (el instanceof HTMLIFrameElement && src.startsWith("https://") && el.getAttribute("src") !== src) el.src = src;
  };
  const load = (video, { source }) => {
    video.muted = video.loop = true;
    const wanted = source == null ? null : `/.playback/clip/${source}.webm`;
    if (video.getAttribute("src") === wanted) return;
    if (wanted) video.src = wanted;
    else { video.removeAttribute("src"); video.load(); }
  };

  // Give a parent these children, and touch none that is in its place already: a player that is
  // taken out of the page for a moment stops.
  const arrange = (parent, children) => {
    const wanted = new Set(children);
    for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
    let here = parent.firstChild;
    for (const child of children) {
      if (child === here) here = here.nextSibling;
      else parent.insertBefore(child, here);
    }
  };
  const draw = () => {
    const families = new Map();
    const players = [];
    for (const node of scene.nodes) {
      const el = nodes.get(node.n) ?? make(node);
      nodes.set(node.n, el);
      if (!node.tag) el.data = node.text;
      else {
        dress(el, node);
        if (!families.has(el)) families.set(el, []);
        if (node.video) { load(el, node.video); players.push([el, node.video.playing]); }
      }
      if (node.p === undefined) continue;
      const above = nodes.get(node.p), parent = node.shadow ? shadowOf(above) : above;
      if (!families.has(parent)) families.set(parent, []);
      families.get(parent).push(el);
    }
    for (const [parent, children] of families) arrange(parent, children);
    for (const [video, playing] of players) {
      if (playing) video.play().catch(() => null);
      else video.pause();
    }
    const shown = new Set(scene.nodes.map(({ n }) => n));
    for (const number of [...nodes.keys()]) if (!shown.has(number)) nodes.delete(number);
  };

  const show = async (number) => {
    const answer = await fetch(`/.playback/scene/${number}`);
    await arrived(number);
    if (answer.status !== 200) return;
    take(await answer.json(), number);
  };
  const take = (next, number) => {
    const address = new URL(next.address);
    if (address.origin !== location.origin || scene && next.document !== scene.document) {
      location.replace(next.address);
      return;
    }
    [scene, place] = [next, number];
    history.replaceState(null, "", address.pathname + address.search);
    draw();
    ask(scene.asked_shown);
    if (scene.wall && scene.ending === "gone") setTimeout(() => move(), GONE_MS);
  };
  const move = async () => {
    if (moving || !scene) return;
    moving = true;
    ask(scene.asked_leaving);
    await show(place + 1);
    moving = false;
  };

  const within = ({ box: [left, top, width, height] }, { clientX, clientY }) =>
    clientX >= left && clientX <= left + width && clientY >= top && clientY <= top + height;
  const act = (event, moves) => {
    if (event.isTrusted && scene && !scene.wall && moves()) move();
  };
  addEventListener("keydown", (event) =>
    act(event, () => !event.repeat && ["ArrowDown", "PageDown"].includes(event.key)));
  addEventListener("wheel", (event) => {
    const first = event.timeStamp - lastWheel > QUIET_MS;
    lastWheel = event.timeStamp;
    act(event, () => first && event.deltaY > 0);
  });
  addEventListener("click", (event) => {
    event.preventDefault();
    if (event.isTrusted && scene?.wall && scene.ending === "declined") move();
    act(event, () => scene.nodes.some((node) => node.next_button && node.box && within(node, event)));
  }, true);

  // Drawn at once where nothing is waited for: a page that led here is looked at as soon as it loads.
  ask(opening);
  if (opening.length) await arrived(start);
  take(first, start);
})();
