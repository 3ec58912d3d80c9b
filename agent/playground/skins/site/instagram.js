// Instagram's documented hooks: an address that follows the reel, nameless elements, localised
// labels, a pool of ads that the page puts between the reels (ads=N: after place N).

import { ask, begin, call, escaped, inline, other, viewed } from "./skin.js";

const query = (name, variables) => ({
  method: "POST",
  body: new URLSearchParams({ fb_api_req_friendly_name: name, variables: JSON.stringify(variables) }),
});
const items = (body) => Object.values(body.data)[0].edges.map(({ node: { media } }) => ({
  id: media.code ?? media.shortcode, place: media._place, clip: media._clip, seconds: media.video_duration,
  author: (media.user ?? media.owner).username, caption: media.caption?.text, ad: media.is_ad,
}));
const next = other ?
  '<button data-by="1" aria-label="Navigate to next reel">down</button>' :
  '<div role="button" data-by="1" aria-label="Navigate to next Reel">down</div>';

begin({
  shell: `<main><div class="feed x1"></div>
    <div role="toolbar" aria-label="Reels navigation controls" class="arrows">
      <div><div role="button" data-by="-1" aria-label="Navigate to previous Reel">up</div></div>
      <div>${next}</div></div></main>`,
  card: (item, n) => `<div class="x${n % 7}k9"><div class="xq${n % 5}"><div class="screen"></div></div>
      <div class="words"><a href="/${escaped(item.author)}/">${escaped(item.author)}</a>
        <span>${escaped(item.caption)}</span>${item.ad ? "<span>Sponsored</span>" : ""}</div>
      <div class="side"><div role="button" class="like" tabindex="0">
        <svg role="img" aria-label="Like" width="24" height="24"></svg></div></div></div>`,
  hooks: {
    item: [['aria-label="Like"', ""]],
    geometry: [['role="img"', ""]],
    next: [["Navigate to next", "Another"]],
  },
  german: [["Navigate to next Reel", "Zum nächsten Reel"], ["Navigate to next reel", "Zum nächsten Reel"],
    ["Reels navigation controls", "Navigation"], ['aria-label="Like"', 'aria-label="Gefällt mir"']],
  first: () => items(inline("server-js").require[0][3][0].__bbox.result),
  request: (place) => ({ url: "/graphql/query", ...query("PolarisClipsTabDesktopPaginationQuery", {
    after: place, data: { seen_reels: JSON.stringify(viewed.map((id) => ({ id }))) } }) }),
  unpack: items,
  aside: () => call("/graphql/query", query("PolarisClipsAdsPoolQuery", {})),
  inserted: async (body) => (ask.has("ads") ? { after: Number(ask.get("ads")), items: items(await body) } : null),
  address: (item) => `/reels/${item.id}/`,
  walls: {
    consent: {
      html: `<div role="dialog"><h2>Allow the use of cookies?</h2>
        <button data-is="accepted">Allow all cookies</button><button data-is="declined">Decline optional cookies</button></div>`,
    },
    login: { to: "/accounts/login/" },
    home: { to: "/" },
    form: { html: '<form><input name="username"><input name="password" type="password"></form>' },
    challenge: { to: "/challenge/" },
    scraping: { to: "/accounts/scraping_warning/" },
    suspended: { to: "/accounts/suspended/" },
    age: { html: '<div role="dialog"><h2>Restricted Video</h2></div>' },
    later: { html: '<div role="dialog"><h3>Try again later</h3><p>We restrict certain activity.</p></div>' },
    error: { html: "<div><h2>Sorry, something went wrong</h2></div>" },
  },
});
