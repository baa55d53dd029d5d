// Talking to the dashboard's own API: questions, actions, and what went wrong, in its words.

let session = null;

export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return answered(await fetch(`/api/v1/${path}${text ? `?${text}` : ""}`, { signal }));
}

export async function act(path, parameters = {}) {
  const { csrf } = await whoami();
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(`/api/v1/${path}${query ? `?${query}` : ""}`, { method: "POST", headers: { "X-Partisan-Csrf": csrf ?? "" } });
  if (response.status === 403 && (await get("session")).csrf !== csrf) throw new Refusal(403, "This page is of a dashboard that has ended since: load it again.");
  return answered(response);
}

export async function signOut() {
  const { csrf } = await whoami();
  await answered(await fetch("/logout", { method: "POST", headers: { "X-Partisan-Csrf": csrf ?? "" } })); // refused is not signed out
  location.assign("/");
}

export async function whoami() {
  session ??= await get("session");
  return session;
}

async function answered(response) {
  if (response.status === 401) {
    location.assign("/");
    throw new Refusal(401, "the session has ended");
  }
  const body = await response.json().catch(() => ({ detail: `the dashboard answered ${response.status}` }));
  if (!response.ok) throw new Refusal(response.status, body.detail ?? response.statusText);
  return body;
}
