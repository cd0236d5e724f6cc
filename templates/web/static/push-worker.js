// Shows what the warning centre pushes to this browser, and opens the warning's page when it is touched.
"use strict";

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("push", (event) => {
  const said = event.data.json();
  event.waitUntil(self.registration.showNotification(said.title, {
    body: said.body,
    lang: said.lang,
    tag: said.tag, // A later word about the same danger takes the place of the earlier one,
    renotify: true, // and is heard, too.
    requireInteraction: true,
    icon: "/static/icon.svg",
    data: { url: said.url },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data;
  event.waitUntil((async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const there = pages.find((page) => new URL(page.url).pathname === url);
    return there ? there.focus() : self.clients.openWindow(url);
  })());
});

// The browser has moved to another address at its push service: the centre must learn it, or a warning would go nowhere.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil((async () => {
    const old = event.oldSubscription;
    if (!old) return;
    const made = event.newSubscription ?? await self.registration.pushManager.subscribe(old.options);
    await fetch("/push/subscriptions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ subscription: made.toJSON(), instead_of: old.endpoint }),
    });
  })());
});
