// YouTube's documented hooks: the address names the short, one player moves from reel to reel, the
// sequence names ids and a response for each brings the rest.

import { begin, call, escaped, inline, other } from "./skin.js";

const post = (body) => ({ method: "POST", body: JSON.stringify(body) });
const sequence = (body) => (body.entries ?? body.list).map(({ command: { reelWatchEndpoint: told } }) => ({
  id: told.videoId, place: told._place, ad: told.adClientParams?.isAd,
}));
const reel = other ? "reel-video-in-sequence" : "reel-video-in-sequence-new";

async function detail(item) {
  const told = await call("/youtubei/v1/reel/reel_item_watch", post({ videoId: item.id }));
  tell(item, told.playerResponse ?? told._player);
}

function tell(item, { videoDetails, streamingData }) {
  item.clip = streamingData._clip;
  item.caption = videoDetails?.title;
  item.author = videoDetails?.channelId.slice(2);
  item.live = videoDetails?.isLive;
  item.seconds = Number(videoDetails?.lengthSeconds);
}

// Assigned as text first, as an object once the page has started.
window.ytInitialData = inline("ytInitialData");
window.ytInitialPlayerResponse = inline("ytInitialPlayerResponse");
window.ytInitialReelWatchSequenceResponse = document.getElementById("ytInitialReelWatchSequenceResponse").textContent;
setTimeout(() => { window.ytInitialReelWatchSequenceResponse = inline("ytInitialReelWatchSequenceResponse"); }, 500);

begin({
  shared: true,
  player: '<div id="shorts-player" class="html5-video-player"></div>',
  shell: `<ytd-shorts><div id="shorts-inner-container" class="feed"></div>
    <div class="arrows"><div id="navigation-button-up"><button data-by="-1" aria-label="Previous video">up</button></div>
    <div id="navigation-button-down"><button data-by="1" aria-label="Next video">down</button></div></div></ytd-shorts>`,
  card: (item, n) => `<div class="${reel}" id="${n}"><ytd-reel-video-renderer>
      ${item.ad ? '<ad-badge-view-model class="badge">Sponsored</ad-badge-view-model>' : ""}
      ${item.live ? '<meta itemprop="isLiveBroadcast" content="True">' : ""}
      <div ${other ? 'id="shorts-player"' : ""}><div class="screen"></div></div>
      <yt-reel-player-overlay-view-model class="words">
        <h2 class="ytShortsVideoTitleViewModelShortsVideoTitle">${escaped(item.caption)}</h2>
        <span class="ytReelChannelBarViewModelChannelName"><a href="/@${escaped(item.author)}">@${escaped(item.author)}</a></span>
      </yt-reel-player-overlay-view-model>
      <reel-action-bar-view-model class="side"><like-button-view-model>
        <button class="like" aria-pressed="false" aria-label="like this video"></button>
      </like-button-view-model></reel-action-bar-view-model>
    </ytd-reel-video-renderer></div>`,
  hooks: {
    item: [[`class="${reel}"`, 'class="another-name"']],
    active: [['id="shorts-player"', ""]],
    next: [["navigation-button-down", "another-name"]],
    likes: [["like-button-view-model", "another-name"]],
    caption: [["ytShortsVideoTitleViewModelShortsVideoTitle", "another-name"]],
  },
  german: [["Next video", "Nächstes Video"], ["like this video", "Mag ich"]],
  first: () => {
    const found = sequence(inline("ytInitialReelWatchSequenceResponse"));
    tell(found[0], window.ytInitialPlayerResponse);
    return found;
  },
  request: (place) => ({ url: "/youtubei/v1/reel/reel_watch_sequence", ...post({ sequenceParams: String(place) }) }),
  unpack: sequence,
  detail,
  address: (item) => `/shorts/${item.id}`,
  walls: {
    consent: { to: "/consent.youtube.com/m" },
    lightbox: {
      html: `<ytd-consent-bump-v2-lightbox><h2>Before you continue to YouTube</h2>
        <button aria-label="Accept all" data-is="accepted">Accept all</button>
        <button aria-label="Reject all" data-is="declined">Reject all</button></ytd-consent-bump-v2-lightbox>`,
    },
    login: { to: "/accounts.google.com/signin" },
    captcha: { to: "/google.com/sorry/index" },
    bot: { html: '<div role="dialog">Sign in to confirm you’re not a bot</div>' },
    age: { html: '<div role="dialog">Sign in to confirm your age</div>' },
    inactivity: { html: '<yt-confirm-dialog-renderer><p>Video paused. Continue watching?</p><button>Yes</button></yt-confirm-dialog-renderer>' },
    error: { html: '<yt-player-error-message-renderer>Something went wrong</yt-player-error-message-renderer>' },
  },
});
