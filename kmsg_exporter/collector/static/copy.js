// The button that copies an event as JSON. Browsers have a clipboard to write to on https and localhost only; elsewhere
// the text is selected in a field of its own and copied the old way.
"use strict";
for (const button of document.querySelectorAll("button[data-copy]")) {
  const name = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    let done = "Not copied";
    try {
      const answer = await fetch(button.dataset.copy);
      const text = await answer.text();
      if (answer.ok && await copied(text)) done = "Copied";
    } catch {
      // said on the button
    }
    button.textContent = done;
    setTimeout(() => { button.textContent = name; }, 2000);
  });
}

async function copied(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // not allowed: the old way may be
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "aloud";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
