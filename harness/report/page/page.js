"use strict";
// Answers come from models: everything here is set as text, never as markup.
(() => {
  const CHUNK = 40;

  const node = (tag, cls, text) => {
    const made = document.createElement(tag);
    if (cls) made.className = cls;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Characters that would turn or hide the text around them are shown by their code.
  const visible = (text) => text.replace(
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (mark) => `\u27e8U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  const draw = (data, at, sides) => {
    const row = node("article", "row");
    const head = node("header");
    head.append(node("b", data.verdict[at], data.verdict[at]),
      node("span", "", `${data.suite[at]} / ${data.genre[at]}`), node("span", "id", data.item[at]));
    const asked = node("pre", "asked", visible(data.question[at]));
    row.append(head, asked);
    if (data.gold[at]) row.append(node("p", "note", `Expected: ${visible(data.gold[at])}`));
    const both = node("div", "sides");
    sides.forEach((name, side) => {
      const scores = data.score[at];
      const other = scores[1 - side];
      const tone = scores.length < 2 ? "" : scores[side] > other ? " better" : " worse";
      const box = node("div", "side" + tone);
      const failure = data.failure[at][side];
      box.append(node("h4", "", `${name} \u00b7 ${scores[side]}${failure ? ` \u00b7 ${failure}` : ""}`),
        node("pre", "", visible(data.answer[at][side]) || "(empty)"));
      both.append(box);
    });
    row.append(both);
    return row;
  };

  const list = async () => {
    const place = document.getElementById("rows");
    if (!place) return;
    const data = await unpack(document.getElementById("packed").textContent);
    const sides = place.dataset.sides.split("\n");
    const form = document.querySelector(".filters");
    const said = document.getElementById("shown");
    const count = data.verdict.length;
    const options = {
      genre: [...new Set(data.genre)].sort(),
      verdict: [...new Set(data.verdict)].sort(),
      failure: [...new Set(data.failure.flat())].filter(Boolean).sort(),
    };
    for (const [name, values] of Object.entries(options))
      form.elements[name].append(...values.map((value) => new Option(value, value)));
    let texts = null;
    let found = [];
    let drawn = 0;
    const end = node("div");
    const more = () => {
      const part = document.createDocumentFragment();
      for (const at of found.slice(drawn, drawn + CHUNK)) part.append(draw(data, at, sides));
      drawn += CHUNK;
      place.append(part, end);
      end.hidden = drawn >= found.length;
    };
    const filter = () => {
      const genre = form.elements.genre.value;
      const verdict = form.elements.verdict.value;
      const failure = form.elements.failure.value;
      const text = form.elements.text.value.normalize("NFKC").toLowerCase();
      if (text && !texts)
        texts = data.question.map((question, at) =>
          [question, data.item[at], data.gold[at], ...data.answer[at]].join("\n").normalize("NFKC").toLowerCase());
      found = [];
      for (let at = 0; at < count; at++)
        if ((!genre || data.genre[at] === genre) && (!verdict || data.verdict[at] === verdict) &&
            (!failure || data.failure[at].includes(failure)) && (!text || texts[at].includes(text)))
          found.push(at);
      said.textContent = `${found.length.toLocaleString("en")} of ${count.toLocaleString("en")} items`;
      place.replaceChildren();
      drawn = 0;
      more();
    };
    new IntersectionObserver((seen) => {
      if (seen.some((one) => one.isIntersecting) && drawn < found.length) more();
    }, {rootMargin: "1200px"}).observe(end);
    let waiting = 0;
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
    form.addEventListener("submit", (event) => event.preventDefault());
    filter();
    document.documentElement.dataset.ready = "yes";
  };

  const save = () => {
    for (const figure of document.querySelectorAll("figure.drawn")) {
      const button = node("button", "save", "Save SVG");
      button.type = "button";
      button.setAttribute("aria-label", `Save figure ${figure.dataset.name} as SVG`);
      button.addEventListener("click", () => {
        const style = getComputedStyle(document.documentElement);
        const text = new XMLSerializer().serializeToString(figure.querySelector("svg"))
          .replace(/var\((--[a-z0-9]+)\)/g, (whole, name) => style.getPropertyValue(name).trim());
        const link = node("a");
        link.href = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"}));
        link.download = `${figure.dataset.name}.svg`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      });
      figure.append(button);
    }
  };

  save();
  list();
})();
