// Talks to the site. Reports are cumulative, so that sending one twice does no harm.

const pending = new Set();

function post(path, body) {
  const sent = fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive: true, // survives the page being closed
  });
  pending.add(sent);
  sent.catch(() => {}).finally(() => pending.delete(sent));
  return sent;
}

/** Resolves once every report sent so far was taken, or has failed. */
function acknowledged() {
  return Promise.allSettled([...pending]);
}

export function sendWatch(report) {
  return post("/api/watch", report).then((answer) => answer.ok, () => false);
}

export async function sendLike(id, liked) {
  const answer = await post("/api/like", { id, liked });
  if (!answer.ok) throw new Error(`like: ${answer.status}`);
}

/** The next items, chosen with knowledge of all reports sent before this call. */
export async function fetchFeed(after) {
  await acknowledged();
  const answer = await fetch(after === null ? "/api/feed" : `/api/feed?after=${after}`);
  const told = await answer.json();
  if (!answer.ok) throw new Refused(told.error);
  return told;
}

export class Refused extends Error {}
