// Keeps a display board true: one slide after the other, warnings that run out leave, and whoever stands before it sees when the centre
// can no longer be heard. Time is the centre's: its clock when last heard plus what has passed here since. The screen's own clock,
// which may be years off, is never read.
"use strict";
(() => {
  const SLIDE_MS = 12000;
  const CUT_OFF_MS = 45000; // Three heartbeats of the stream.
  const POLL_MS = 15000;
  const TICK_MS = 1000;
  const SPREAD_MS = 500; // So that the boards of all villages do not ask in the same instant.

  const page = () => document.getElementById("board");
  let centre = Number(page().dataset.now);
  let heard = performance.now();
  let behind = false; // Something has changed that this board does not show yet: whatever the stream says, it is not up to date.
  let at = Math.max(0, [...document.querySelectorAll(".slide")].findIndex((slide) => !slide.hidden));
  let turned = performance.now();

  const now = () => centre + (performance.now() - heard);
  const hear = (time) => {
    if (behind) {
      return;
    }
    const told = Date.parse(time);
    if (!Number.isNaN(told)) {
      centre = told;
    } else {
      centre = now();
    }
    heard = performance.now();
  };
  const local = (time, style) =>
    new Intl.DateTimeFormat(document.documentElement.lang, { ...style, timeZone: page().dataset.zone, hourCycle: "h23" }).format(time);
  const minutes = { hour: "2-digit", minute: "2-digit" };

  const standing = () => [...document.querySelectorAll(".slide")].filter((slide) => {
    const over = slide.dataset.expires !== "" && Number(slide.dataset.expires) <= now();
    if (over) {
      slide.remove();
    }
    return !over;
  });

  // Words are cut for a 16:9 screen. On another shape a slide may need smaller letters, which is better than to lose its end.
  const fit = (slide) => {
    for (let size = 1; size >= 0.5; size -= 0.1) {
      slide.style.fontSize = `${size}vmin`;
      if (slide.scrollHeight <= slide.clientHeight) {
        return;
      }
    }
  };

  const show = () => {
    const lost = performance.now() - heard > CUT_OFF_MS;
    const slides = standing();
    at = slides.length ? at % slides.length : 0;
    slides.forEach((slide, place) => { slide.hidden = place !== at; });
    const none = document.getElementById("none");
    if (slides.length === 0 && document.querySelectorAll("#slides > section").length === 1) {
      none.hidden = false;
    }
    document.body.classList.toggle("lost", lost);
    const cut = document.getElementById("cut");
    if (cut.hidden === lost) {
      const since = local(centre, { month: "numeric", day: "numeric", ...minutes });
      for (const line of cut.querySelectorAll(".since")) {
        line.textContent = line.dataset.text.replace("{time}", since);
      }
      cut.hidden = !lost;
    }
    if (lost && slides.length === 0) {
      for (const line of cut.querySelectorAll(".since")) {
        line.textContent = line.dataset.none;
      }
    }
    document.getElementById("clock").textContent = local(now(), minutes);
    if (slides.length) {
      fit(slides[at]); // Last: what else is shown decides how much room it has.
    }
  };

  const turn = () => {
    if (performance.now() - turned >= SLIDE_MS) {
      at += 1;
      turned = performance.now();
    }
    show();
  };

  const refresh = async () => {
    const patience = new AbortController();
    const giveUp = setTimeout(() => patience.abort(), POLL_MS);
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: patience.signal });
      const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
      if (fresh) {
        page().replaceWith(document.importNode(fresh, true));
        behind = false;
        hear(new Date(Number(page().dataset.now)).toISOString());
        at = 0;
        turned = performance.now();
        show();
      }
    } catch {
      // The line is down. `show` says so when it has been for too long.
    } finally {
      clearTimeout(giveUp);
    }
  };

  const follow = () => {
    const source = new EventSource(page().dataset.events);
    source.addEventListener("alive", (event) => { hear(JSON.parse(event.data).at); show(); });
    source.addEventListener("site", (event) => {
      const told = JSON.parse(event.data);
      if (!(told.full && told.version === page().dataset.version)) {
        behind = true;
        setTimeout(refresh, Math.random() * SPREAD_MS);
      } else {
        hear(NaN);
      }
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(() => { refresh(); follow(); }, POLL_MS); // The site keeps no more streams; ask now and then instead.
      }
    };
  };

  setInterval(turn, TICK_MS);
  setInterval(() => {
    if (behind || performance.now() - heard > POLL_MS * 2) {
      refresh(); // No stream, or one that a proxy holds back, or a question that was not answered.
    }
  }, POLL_MS);
  follow();
  show();
})();
