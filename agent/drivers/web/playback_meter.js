// What a player has played: the sum of its clock's advances, loops included. Knows no feed. A new
// source, or the same one loaded anew, has a meter of its own.
(() => {
  const { queryAll, onTrusted } = globalThis.__feedswayBasics;
  const JITTER_S = 0.15;    // wall time by which a player's clock may run ahead of ours, where it was sought
  const meters = new WeakMap();
  const loads = new WeakMap();

  const ranges = (played) => {
    let sum = 0;
    for (let i = 0; i < played.length; i++) sum += played.end(i) - played.start(i);
    return sum;
  };

  // A clock that goes forward and was not sought has played, however far: on a busy machine it
  // stands for a while and leaps, also once its player is paused. Where it was sought, or began
  // again, it has played what it had the time for, in wall time at its own rate: a page that stalls
  // for a second at 16x has played 16 s.
  const advance = (video, m, at, sought) => {
    const ahead = video.currentTime - m.last;
    if (ahead >= 0 && !sought && !video.seeking) return ahead;
    if (!m.running && video.paused) return 0;
    const rate = Math.max(m.rate, video.playbackRate);
    const reach = ((at - m.at) / 1000 + JITTER_S) * rate;
    const played = ahead < 0 && video.loop ? Math.max(0, video.duration - m.last) + video.currentTime : ahead;
    return played >= 0 && played <= reach ? played : 0;
  };
  const meter = (video, sought = false) => {
    const load = loads.get(video) || 0;
    const at = performance.now();
    let m = meters.get(video);
    if (!m || m.src !== video.currentSrc || m.load !== load) {
      m = { src: video.currentSrc, load, played: ranges(video.played) };
      meters.set(video, m);
    } else {
      m.played += advance(video, m, at, sought);
    }
    Object.assign(m, { last: video.currentTime, at, rate: video.playbackRate, running: !video.paused });
    return m;
  };

  onTrusted(["emptied"], (video) => loads.set(video, (loads.get(video) || 0) + 1));
  onTrusted(["play", "pause", "seeking", "ended", "timeupdate", "ratechange"], (el, { type }) => {
    if (el instanceof HTMLVideoElement) meter(el, type === "seeking");
  });
  const tick = () => {
    for (const video of queryAll(document, "video"))
      if (!video.paused || meters.has(video)) meter(video);
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);

  globalThis.__feedswayMeter = { meter };
})();
