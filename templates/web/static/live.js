// Keeps a page that is open up to date. The page is whole without it: it only fetches the same page again when the site has changed.
"use strict";
(() => {
  const TRY_AGAIN_MS = 15000;

  const refresh = async () => {
    try {
      // Asked of the site itself: a copy one second old could be the one from before this change.
      const answer = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh) {
        document.getElementById("live").replaceWith(document.importNode(fresh, true));
        document.title = page.title;
      }
    } catch {
      setTimeout(refresh, TRY_AGAIN_MS); // The line is down; what is shown stays.
    }
  };

  const follow = () => {
    const source = new EventSource("/events");
    source.addEventListener("site", (event) => {
      const shown = document.getElementById("live").dataset.version;
      if (JSON.parse(event.data).version !== shown) {
        setTimeout(refresh, Math.random() * 300); // So that all open pages do not ask in the same instant.
      }
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(() => { refresh(); follow(); }, TRY_AGAIN_MS); // The site keeps no more streams; ask now and then instead.
      }
    };
  };

  follow();
})();
