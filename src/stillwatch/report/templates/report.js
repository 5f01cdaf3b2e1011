"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

  // theme: follows the system until the reader chooses
  const button = document.getElementById("theme");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  label();
  document.querySelector(".tools").hidden = false;

  // on paper everything is open
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach(d => { d.open = true; }); });
  addEventListener("afterprint", () => closed.forEach(d => { d.open = false; }));

  // sorting
  const key = cell => { const v = cell.dataset.v ?? cell.textContent.trim(); const n = Number(v); return v !== "" && !Number.isNaN(n) ? n : v; };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  for (const table of all("table.sortable")) {
    all("thead th", table).forEach((head, index) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...head.childNodes);
      head.append(sorter);
      sorter.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending";
        all("thead th", table).forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = Array.from(body.rows).sort((a, b) => compare(key(a.cells[index]), key(b.cells[index])) * (up ? 1 : -1));
        body.append(...rows);
      });
    });
  }

  // finding an account or a group
  const input = document.getElementById("find"), found = document.getElementById("found");
  let last = null;
  const show = row => {
    const box = row.closest("details");
    if (box) box.open = true;
    if (last) last.classList.remove("hit");
    last = row;
    row.classList.add("hit");
    row.scrollIntoView({block: "center"});
    found.hidden = true;
  };
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    found.replaceChildren();
    found.hidden = wanted.length < 2;
    if (found.hidden) return;
    const name = row => (row.cells[0].querySelector("a") ?? row.cells[0]).textContent;
    const rows = all(".sortable tbody tr, .mem tbody tr").filter(row => name(row).toLowerCase().includes(wanted));
    for (const row of rows.slice(0, 20)) {
      const item = document.createElement("li"), link = document.createElement("a");
      const group = row.closest(".group");
      link.href = "#" + (group ? group.id : "groups");
      link.textContent = name(row) + (group ? ", in " + group.querySelector(".gid").textContent : "");
      link.addEventListener("click", event => { event.preventDefault(); show(row); });
      item.append(link);
      found.append(item);
    }
    const note = document.createElement("li"), text = document.createElement("span");
    text.textContent = rows.length > 20 ? rows.length - 20 + " more" : rows.length ? "" : "Nothing on this page; accounts.parquet lists every account.";
    note.append(text);
    if (text.textContent) found.append(note);
  });
  input.addEventListener("keydown", event => {
    if (event.key === "Escape") { input.value = ""; found.hidden = true; }
    if (event.key === "Enter") found.querySelector("a")?.click();
  });

  // graph: lift the edges of what is pointed at
  for (const svg of all("svg.graph")) {
    const clear = () => { svg.classList.remove("on"); all(".hot", svg).forEach(edge => edge.classList.remove("hot")); };
    svg.addEventListener("pointerover", event => {
      const node = event.target.closest(".val,.dot");
      clear();
      if (!node) return;
      svg.classList.add("on");
      all(node.dataset.v !== undefined ? ".v" + node.dataset.v + " path" : ".d" + node.dataset.d, svg).forEach(edge => edge.classList.add("hot"));
    });
    svg.addEventListener("pointerleave", clear);
  }
})();
