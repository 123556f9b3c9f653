// The list of runs. A click anywhere on a row opens its run; its box chooses it. Only texts come from Python: a name may
// be anything.

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const find = (css) => parentElement.querySelector(css);
  const choose = () =>
    setStateValue("chosen", [...parentElement.querySelectorAll("input:checked")].map((box) => box.value));

  find("thead tr").replaceChildren(...["", ...data.headings].map((text) => element("th", { textContent: text })));
  find("tbody").replaceChildren(...data.rows.map(row));

  function row({ name, title, notes, cells, chosen, current }) {
    const box = element("input", { type: "checkbox", value: name, checked: chosen, onchange: choose });
    box.setAttribute("aria-label", data.choose.replace("{name}", () => title));
    const link = element("button", { type: "button", textContent: title });
    const first = element("td", {}, link, ...(notes ? [element("span", { className: "notes", textContent: notes })] : []));
    const others = cells.map((text) => element("td", { textContent: text }));
    const line = element("tr", {}, element("td", {}, box), first, ...others);
    if (current) line.setAttribute("aria-current", "true");
    line.onclick = (event) => {
      if (event.target === box) return;
      if (event.target.cellIndex === 0) box.click(); // beside the box
      else setTriggerValue("open", name);
    };
    return line;
  }
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
