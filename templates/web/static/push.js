// Offers to tell this browser of warnings for the place on this page. Without it, or where the browser cannot, the page is whole.
"use strict";
(() => {
  const part = document.getElementById("subscribe");
  if (!part || !("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return;

  const DAY_MS = 86400000;
  const { region } = part.dataset;
  const kept = `warnd-push-${region}`;
  const button = part.querySelector("button");
  const status = part.querySelector("[role=status]");
  let on = false;

  const say = (what) => { status.textContent = part.dataset[what]; };
  const show = (subscribed) => {
    on = subscribed;
    button.textContent = part.dataset[on ? "off" : "on"];
  };

  const ask = async (method, body) => {
    const answer = await fetch("/push/subscriptions", {
      method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
  };

  // The page lies outside of the worker's scope, so `serviceWorker.ready` would wait for ever.
  const worker = async () => {
    const registration = await navigator.serviceWorker.register("/static/push-worker.js");
    const coming = registration.installing ?? registration.waiting;
    if (!registration.active && coming) {
      await new Promise((resolve) => {
        coming.addEventListener("statechange", () => { if (coming.state === "activated") resolve(); });
      });
    }
    return registration;
  };

  const bytes = (key) => {
    const plain = atob(key.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };

  const subscription = async () => {
    const registration = await worker();
    const { key } = await (await fetch("/push/key")).json();
    const options = { userVisibleOnly: true, applicationServerKey: bytes(key) };
    try {
      return await registration.pushManager.subscribe(options);
    } catch (error) {
      const old = await registration.pushManager.getSubscription();
      if (error.name !== "InvalidStateError" || !old) throw error;
      await old.unsubscribe(); // It was made for a key that the centre no longer has.
      return registration.pushManager.subscribe(options);
    }
  };

  const subscribe = async () => {
    if (await Notification.requestPermission() !== "granted") return say("denied");
    const made = await subscription();
    await ask("POST", { subscription: made.toJSON(), region, lang: document.documentElement.lang });
    localStorage.setItem(kept, `${Date.now()}`);
    show(true);
    say("done");
  };

  const unsubscribe = async () => {
    const registration = await worker();
    const made = await registration.pushManager.getSubscription();
    if (made) await ask("DELETE", { endpoint: made.endpoint, region });
    localStorage.removeItem(kept);
    show(false);
    say("ended");
  };

  const change = async () => {
    button.disabled = true;
    try {
      await (on ? unsubscribe() : subscribe());
    } catch {
      say("failed");
    }
    button.disabled = false;
    button.focus();
  };

  // Once a day the centre is told again: it forgets browsers that their push service gave up.
  const renew = async () => {
    const since = Number(localStorage.getItem(kept));
    if (!since || Notification.permission !== "granted") return;
    show(true);
    if (Date.now() - since < DAY_MS) return;
    try {
      const made = await subscription();
      await ask("POST", { subscription: made.toJSON(), region, lang: document.documentElement.lang });
      localStorage.setItem(kept, `${Date.now()}`);
    } catch {
      show(false);
    }
  };

  show(false);
  button.addEventListener("click", change);
  part.hidden = false;
  renew();
})();
