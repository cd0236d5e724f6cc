// Keeps a page that is open up to date, and says when it can no longer be. The page is whole without it: it only fetches the same page
// again when the site has changed. Time is the site's; the visitor's clock is never read.
"use strict";
(() => {
  const TRY_AGAIN_MS = 15000;
  const CUT_OFF_MS = 45000; // Three heartbeats of the stream.

  const live = () => document.getElementById("live");
  let heard = performance.now();
  let last = "";
  let behind = false; // Something has changed that this page does not show yet.

  const hear = (time) => {
    if (behind) {
      return;
    }
    heard = performance.now();
    last = time || last;
    document.getElementById("cut").hidden = true;
  };

  const watch = () => {
    const cut = document.getElementById("cut");
    if (cut.hidden && performance.now() - heard > CUT_OFF_MS) {
      const at = last && new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short", timeZone: live().dataset.zone }).format(new Date(last));
      cut.textContent = cut.dataset.text.replace("{time}", at || "?");
      cut.hidden = false;
    }
  };

  // Whoever moves through the page by keyboard stays where they are.
  const swap = (fresh) => {
    const focused = live().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    live().replaceWith(document.importNode(fresh, true));
    if (focused !== null) {
      const same = [...live().querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === focused);
      (same || document.getElementById("main")).focus({ preventScroll: true });
    }
  };

  const refresh = async () => {
    try {
      // Asked of the site itself: a copy one second old could be the one from before this change.
      const answer = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
      if (!answer.ok && answer.status !== 404) {
        throw new Error(answer.statusText); // The site stumbles; its excuse is no reason to lose what is shown.
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh) {
        const changed = fresh.dataset.version !== live().dataset.version;
        swap(fresh);
        document.title = page.title;
        behind = false;
        hear(answer.headers.get("Date"));
        if (changed) {
          const told = document.getElementById("told");
          told.textContent = ""; // The same words twice are read out twice only if they were gone.
          setTimeout(() => { told.textContent = told.dataset.text; }, 100);
        }
      }
    } catch {
      setTimeout(refresh, TRY_AGAIN_MS); // The line is down; what is shown stays, and `watch` says since when.
    }
  };

  const follow = () => {
    const source = new EventSource(live().dataset.events);
    source.addEventListener("alive", (event) => hear(JSON.parse(event.data).at));
    source.addEventListener("site", (event) => {
      const told = JSON.parse(event.data);
      if (!(told.full && told.version === live().dataset.version)) {
        behind = true;
        setTimeout(refresh, Math.random() * 300); // So that all open pages do not ask in the same instant.
      } else {
        hear();
      }
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(() => { refresh(); follow(); }, TRY_AGAIN_MS); // The site keeps no more streams; ask now and then instead.
      }
    };
  };

  setInterval(watch, 1000);
  follow();
})();
