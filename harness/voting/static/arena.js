// Lets answers grow on the page, and votes be cast by key. Without it the page reloads itself.
"use strict";

const battle = document.querySelector("#battle[data-events]");
if (battle) listen(battle);
document.addEventListener("keydown", (event) => key(event));

function listen(place) {
  const status = document.querySelector("#status");
  const news = new EventSource(place.dataset.events);
  news.onmessage = (message) => {
    const { side, from, text, html, state } = JSON.parse(message.data);
    status.textContent = "";
    const answer = side && place.querySelector(`.growing[data-side="${side}"]`);
    if (answer && text !== undefined) {
      // As text, never as HTML: what grows was not cleaned yet. A new connection starts anew.
      answer.textContent = answer.textContent.slice(0, from) + text;
    } else if (answer && html !== undefined) {
      // Rendered and cleaned by the server.
      answer.innerHTML = html;
      answer.classList.remove("growing");
      answer.removeAttribute("aria-busy");
    } else if (state === "answered") {
      news.close();
      place.dataset.state = state;
      document.querySelector("#controls").innerHTML = html;
      status.textContent = status.dataset.ended;
    } else if (state && state !== "closing") {
      news.close();
      location.reload();
    }
  };
  news.onerror = () => {
    status.textContent = status.dataset.lost;
    if (news.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  };
}

function key(event) {
  const field = event.target.closest("textarea, select, input:not([type=checkbox])");
  if (field) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && "send" in field.dataset) {
      event.preventDefault();
      field.form.requestSubmit();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  const pressed = event.key.toLowerCase();
  if (pressed.length !== 1) return;
  const button = [...document.querySelectorAll("[data-key]")].find((one) =>
    one.dataset.key.includes(pressed),
  );
  // A vote cannot be taken back, and a key is soon pressed by mistake: once chooses, twice casts.
  if (button && document.activeElement === button) button.click();
  else if (button) button.focus();
  if (pressed === "n") document.querySelector("[data-next]")?.click();
}
