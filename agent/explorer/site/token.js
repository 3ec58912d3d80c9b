// The token of this page, and asking with it.
//
// It is kept for the tab alone, and never in the address: that would go into the history. A new tab
// of the same page asks those that are open. It opens nothing once this explorer has ended.

const NAME = "feedsway-token";
const WAIT_MS = 300;
const tabs = new BroadcastChannel(NAME);
let token = sessionStorage.getItem(NAME);

tabs.addEventListener("message", ({ data }) => {
  if (data === "ask" && token) tabs.postMessage({ token });
});

// Takes the token out of the address; says whether one was there.
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  keep(given);
  history.replaceState(null, "", "/#/");
  return true;
}

function keep(given) {
  token = given;
  sessionStorage.setItem(NAME, given);
}

export async function hasToken() {
  if (token) return true;
  const told = new Promise((resolve) => {
    const hear = ({ data }) => { if (data?.token) resolve(data.token); };
    tabs.addEventListener("message", hear);
    setTimeout(() => { tabs.removeEventListener("message", hear); resolve(null); }, WAIT_MS);
  });
  tabs.postMessage("ask");
  const given = await told;
  if (given) keep(given);
  return given !== null;
}

const NOBODY = { ok: false, status: 0, json: async () => ({}), text: async () => "" };

export const call = (path, options = {}) =>
  fetch(path, { ...options, headers: { Authorization: `Bearer ${token}` } }).catch(() => NOBODY);

export const get = (path, signal = null) => call(path, { signal });
