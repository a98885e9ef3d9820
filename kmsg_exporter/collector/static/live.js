// Keeps a page current without moving it under its reader: it asks what has arrived since, and either takes the page
// anew (nobody is in the middle of it) or says how much there is. What it inserts is the server's own page: no text of an
// event is made into markup here.
"use strict";
(() => {
  const ASK_MS = 5000, WHOLE_MS = 60000, SLOW_MS = 30000;
  const news = document.getElementById("news");
  const main = () => document.getElementById("main");
  let source = new URL(main().dataset.live, location.href);
  let waiting = 0, more = false, timer = null, taken = Date.now(), busy = false;

  function undisturbed() {
    const active = document.activeElement;
    return scrollY < 40 && (!active || active === document.body || active === main())
      && String(getSelection()) === "" && !main().querySelector("details[open]");
  }

  function say(text, action) {
    news.replaceChildren();
    if (!text) return;
    if (!action) { news.textContent = text; return; }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", action);
    news.append(button);
  }

  async function take(toEvents) {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const known = new Set([...main().querySelectorAll("[data-uid]")].map((one) => one.dataset.uid));
    if (known.size) {
      for (const one of fresh.querySelectorAll("[data-uid]")) one.classList.toggle("fresh", !known.has(one.dataset.uid));
    }
    main().replaceWith(document.adoptNode(fresh));
    source = new URL(fresh.dataset.live, location.href);
    waiting = 0; more = false; taken = Date.now();
    say("");
    if (toEvents) main().querySelector(".event .ago")?.focus();
  }

  async function ask() {
    if (busy || document.hidden) return;
    busy = true;
    let pause = ASK_MS;
    try {
      const answer = await fetch(source, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const { events, arrived, more: further } = await answer.json();
      source.searchParams.set("arrived_after", arrived);
      waiting += events.length;
      more = further;
      if (undisturbed()) {
        if (waiting || Date.now() - taken > WHOLE_MS) await take(false);
        else say("");
      } else if (waiting) {
        say(`${waiting}${more ? " or more" : ""} new ${waiting === 1 ? "event" : "events"}: show`, () => take(true).catch(lost));
      } else if (news.dataset.lost) say("");
      delete news.dataset.lost;
    } catch (error) {
      lost(error);
      pause = SLOW_MS;
    } finally {
      busy = false;
      plan(pause);
    }
  }

  function lost() {
    news.dataset.lost = "1";
    say(`The collector does not answer. This page is of ${new Date(taken).toLocaleTimeString()}.`);
  }

  function plan(pause) {
    clearTimeout(timer);
    timer = document.hidden ? null : setTimeout(ask, pause);
  }

  document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : ask());
  plan(ASK_MS);
})();
