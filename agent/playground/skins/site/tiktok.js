// TikTok's documented hooks, of October 2026 (layout=b: of 2025): bare address, player wrappers and
// menus that name their video, live cards without an id, photo posts without a video, a shadow root
// around the consent banner.

import { ask, begin, call, escaped, inline, other, viewed } from "./skin.js";

const items = (list) => list.map((told) => ({
  id: told.id, place: told._place, clip: told._clip, seconds: told._s,
  author: told.author?.uniqueId ?? told.author?.handle ?? told.liveRoomInfo.ownerInfo.nickname,
  caption: told.desc ?? told.description ?? told.liveRoomInfo?.title, live: !told.id, ad: told.isAd,
  photos: told.imagePost?.images.map(({ imageURL }) => imageURL.urlList[0]),
}));

// What differs between the two layouts.
const arrows = other ?
  `<div class="arrows css-1o2f-DivFeedNavigationContainer">
    <div><button data-by="-1" aria-label="Go to previous video">up</button></div>
    <div><button data-by="1" aria-label="Go to next video">down</button></div></div>` :
  `<div class="arrows css-1o2f-DivSide">
    <div><button data-by="-1" data-e2e="feed-navigation-prev" aria-label="Previous video">up</button></div>
    <div><button data-by="1" data-e2e="feed-navigation-next" aria-label="Next video">down</button></div></div>`;
const author = (name) => (other ?
  `<a href="/@${name}" data-e2e="video-author-avatar"></a><h3 data-e2e="video-author-uniqueid">${name}</h3>` :
  `<a href="/@${name}?lang=en" data-e2e="video-author-avatar"></a>`);
const like = other ?
  `<button class="like" aria-label="Like video 1.2K likes" aria-pressed="false"><span data-e2e="like-icon"></span></button>` :
  `<div class="like" role="button" tabindex="0" data-e2e="like-icon" aria-label="Like video 1.2K likes" aria-pressed="false"></div>`;
const menu = ({ id }) => (other || !id ? "" :
  `<button data-e2e="more-menu-icon" data-more-menu-item-id="${id}"></button>`);
const player = (item, n) => (item.photos ?
  `<div class="css-3-DivPhotoPlayerContainer"><div class="screen slides">${item.photos.map((url) =>
    `<img class="css-9-ImgPhotoSlide" src="${escaped(url)}">`).join("")}</div></div>` :
  `<div class="xgplayer-container" ${item.live ? "" : `id="xgwrapper-${n}-${item.id}"`}><div class="screen"></div></div>`);

begin({
  shell: `<main><div id="column-list-container" class="feed"></div>
    ${arrows}<a href="/login">Log in</a></main>`,
  card: (item, n) => `<article data-e2e="recommend-list-item-container" data-scroll-index="${n}" id="one-column-item-${n}">
    <section id="media-card-${n}" data-e2e="feed-video">
      ${item.live ? '<div class="css-7-SpanLiveBadge badge">LIVE</div>' : ""}
      ${item.ad ? '<div class="badge">Sponsored</div>' : ""}
      ${player(item, n)}
      <div class="words">${author(escaped(item.author))}
        <h1 data-e2e="video-desc">${escaped(item.caption)}</h1></div>
      <div class="side">${like}${menu(item)}</div>
    </section></article>`,
  hooks: {
    item: [['data-e2e="recommend-list-item-container"', ""]],
    index: [["data-scroll-index", "data-n"], ['data-e2e="recommend-list-item-container"', ""]],
    wrapper: [["xgwrapper-", "wrapper-"]],
    id: [["xgwrapper-", "wrapper-"], ["data-more-menu-item-id", "data-item"]],
    next: [["DivFeedNavigationContainer", "Side"], ['data-e2e="feed-navigation-next"', ""]],
    author: [['data-e2e="video-author-avatar"', ""], ['data-e2e="video-author-uniqueid"', ""]],
    caption: [['data-e2e="video-desc"', ""]],
    like: [["Like video 1.2K likes", ""]],
    likes: [["Like video 1.2K likes", ""], ['data-e2e="like-icon"', ""]],
  },
  german: [["Like video", "Video mit Gefällt mir markieren"], ["Go to next video", "Weiter"],
    ["Next video", "Weiter"]],
  first: () => items(inline("__UNIVERSAL_DATA_FOR_REHYDRATION__").__DEFAULT_SCOPE__["webapp.updated-items"]),
  request: (place) => ({ url: `/api/recommend/item_list/?cursor=${place}&vv_count_fyp=${viewed.length}` +
    "&isNonPersonalized=false&user_is_login=false&region=DE" }),
  unpack: (body) => items(body.itemList ?? body.list),
  aside: () => call("/api/preload/item_list/"),
  address: () => null,
  walls: {
    consent: {
      html: "<tiktok-cookie-banner></tiktok-cookie-banner>",
      shadow: `<p>Cookies</p><button data-is="accepted">Allow all</button>
        <button data-is="declined">Decline optional cookies</button>`,
    },
    notice: { html: '<div><p>News</p><button class="TUXButton--primary">Got it</button></div>' },
    login: { to: "/login" },
    modal: { html: '<div data-e2e="login-modal"><h2>Log in to TikTok</h2><p>Continue as guest</p></div>' },
    captcha: {
      html: `<div class="TUXModal-overlay"><div class="captcha-verify-container">
        <p>Drag the slider to fit the puzzle</p></div></div>`,
    },
    frame: { html: '<div><iframe src="/captcha/get" width="300" height="200"></iframe></div>' },
    error: {
      html: "<div><h2>Something went wrong</h2><p>Sorry about that! Please try again later.</p><button>Refresh</button></div>",
    },
  },
});
