// j and k go to the next and the previous event, / goes to the search. Enter follows the link that has the focus.
"use strict";
document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.altKey || press.metaKey || press.target.closest("input, textarea, select")) return;
  if (press.key === "/") {
    document.getElementById("q").focus();
    press.preventDefault();
    return;
  }
  const step = { j: 1, k: -1 }[press.key];
  if (!step) return;
  const events = [...document.querySelectorAll(".event")];
  const at = events.indexOf(document.activeElement.closest(".event"));
  const next = events[at < 0 ? 0 : at + step];
  if (!next) return;
  next.querySelector(".ago").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
});
