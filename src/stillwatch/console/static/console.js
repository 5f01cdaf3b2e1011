// Keyboard, theme, drawings. Pages work without it; nothing here makes markup out of data.
(() => {
  "use strict";
  const $ = (s, root = document) => root.querySelector(s);
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const ink = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  // theme
  const theme = $("#theme");
  const redraw = [];
  const paint = () => { if (theme) theme.textContent = dark() ? "Light" : "Dark"; };
  const toggle = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    paint();
    redraw.forEach(draw => draw());
  };
  if (theme) { theme.hidden = false; theme.addEventListener("click", toggle); paint(); }

  // keys
  const keys = $("#keys");
  const help = $("#help");
  if (help && keys) { help.hidden = false; help.addEventListener("click", () => keys.showModal()); }
  let pending = "";
  const rows = () => Array.from(document.querySelectorAll("main tbody tr, main .queue li")).filter(r => $("a", r));
  const step = by => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex(r => r.contains(document.activeElement));
    $("a", all[Math.max(0, Math.min(all.length - 1, at + by))]).focus();
  };
  addEventListener("keydown", event => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, dialog[open]")) return;
    const key = event.key;
    if (pending === "g") {
      pending = "";
      const link = $(`.nav a[data-key="${CSS.escape(key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (key === "g") pending = "g";
    else if (key === "/") { const field = $("main input[type=search]"); if (field) { event.preventDefault(); field.focus(); field.select(); } }
    else if (key === "?") keys?.showModal();
    else if (key === "t") toggle();
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
  });

  // every request of htmx carries the token of this session
  document.addEventListener("htmx:config:request", event => {
    const token = document.body.dataset.csrf;
    const headers = event.detail?.ctx?.request?.headers;
    if (token && headers) headers["x-csrf"] = token;
  });

  // asking before what is not taken back by itself
  document.addEventListener("submit", event => {
    const text = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (text && !confirm(text)) event.preventDefault();
  });
  document.addEventListener("change", event => {
    if (event.target.matches("[data-auto]")) event.target.form.requestSubmit();
  });

  // timelines
  const data = id => { const node = document.getElementById(id); return node ? JSON.parse(node.textContent) : null; };
  const timeline = box => {
    const told = data(box.dataset.timeline);
    if (!told || !window.uPlot || !told.x.length) return;
    let plot = null;
    const draw = () => {
      plot?.destroy();
      const axis = { stroke: ink("mid"), grid: { stroke: ink("hair"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
      const clock = t => { const d = new Date(t * 1e3).toISOString(); return d.slice(11, 16) === "00:00" ? d.slice(5, 10) : d.slice(11, 16); };
      const hour = { ...axis, space: 64, values: (_, ticks) => ticks.map(clock) };
      const names = told.layers;
      const stacked = [];
      told.y.forEach((column, i) => stacked.push(column.map((v, k) => v + (i ? stacked[i - 1][k] : 0))));
      const series = names.map((name, i) => ({
        label: name, stroke: ink(`m${i}`), fill: ink(`m${i}`), width: 1, points: { show: false },
        paths: uPlot.paths.bars({ size: [1, 60] }),
        value: (_, v, s, k) => (k == null ? "" : told.y[i][k].toLocaleString("en")),
      }));
      const marks = {
        hooks: { draw: [u => {
          const c = u.ctx;
          c.save();
          c.strokeStyle = ink("mid"); c.fillStyle = ink("mid"); c.setLineDash([4, 3]); c.font = `${11 * devicePixelRatio}px system-ui`;
          told.releases.forEach(([at, name], i) => {
            const x = u.valToPos(at, "x", true);
            if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
            c.beginPath(); c.moveTo(x, u.bbox.top); c.lineTo(x, u.bbox.top + u.bbox.height); c.stroke();
            const right = x > u.bbox.left + u.bbox.width * 0.7;
            c.textAlign = right ? "right" : "left";
            c.fillText(`${name} released`, x + (right ? -5 : 5) * devicePixelRatio, u.bbox.top + (12 + 14 * (i % 3)) * devicePixelRatio);
          });
          c.restore();
        }] },
      };
      box.replaceChildren();
      plot = new uPlot({
        width: box.clientWidth - 4, height: 190, plugins: [marks], tzDate: ts => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
        cursor: { y: false, drag: { x: true, y: false } }, legend: { live: true },
        axes: [hour, { ...axis, size: 56 }], scales: { y: { range: (_, __, most) => [0, most * 1.05 || 1] } },
        series: [{ label: "UTC", value: (_, v) => (v == null ? "–" : new Date(v * 1e3).toISOString().slice(0, 16).replace("T", " ")) }, ...series.slice().reverse()],
      }, [told.x, ...stacked.slice().reverse()], box);
    };
    draw();
    redraw.push(draw);
    let wide = box.clientWidth;
    new ResizeObserver(() => { if (Math.abs(box.clientWidth - wide) > 8) { wide = box.clientWidth; plot?.setSize({ width: wide - 4, height: 190 }); } }).observe(box);
  };
  document.querySelectorAll("[data-timeline]").forEach(timeline);

  // account graph: places were computed by the server; here it can be moved, enlarged and asked
  const graph = box => {
    const told = data(box.dataset.graph);
    if (!told || !window.Sigma || !window.graphology) return;
    const probe = document.createElement("canvas");
    if (!(probe.getContext("webgl2") || probe.getContext("webgl"))) return;
    const said = $(".said", box);
    const first = said?.textContent ?? "";
    const made = new graphology.Graph({ multi: true });
    const colour = name => ink(name) || ink("none");
    told.values.forEach((v, i) => made.addNode(`v${i}`, { x: v.x, y: v.y, size: 5 + Math.min(9, Math.sqrt(v.n)), color: colour(v.family), label: v.label, kind: "value", family: v.family, said: v.said }));
    told.accounts.forEach((a, i) => made.addNode(`a${i}`, { x: a.x, y: a.y, size: 2.5 + Math.min(4, a.n / 40), color: ink(a.tier === "member" ? "ink" : "none"), kind: "account", tier: a.tier, said: a.said, href: a.href }));
    told.edges.forEach(([a, v]) => made.addEdge(`a${a}`, `v${v}`, { color: colour(told.values[v].family), size: 0.7, family: told.values[v].family }));
    const holder = document.createElement("div");
    holder.style.position = "absolute"; holder.style.inset = "0";
    $("svg", box)?.remove();
    box.prepend(holder);
    let hot = null;
    const view = new Sigma(made, holder, {
      labelColor: { color: ink("ink") }, labelFont: "system-ui", labelSize: 11, labelRenderedSizeThreshold: 7, allowInvalidContainer: true, defaultDrawNodeHover: () => {},
      nodeReducer: (node, d) => (hot && node !== hot && !made.areNeighbors(node, hot) ? { ...d, color: ink("hair"), label: "" } : d),
      edgeReducer: (edge, d) => (hot && !made.hasExtremity(edge, hot) ? { ...d, hidden: true } : hot ? { ...d, size: 1.6 } : d),
    });
    view.on("enterNode", ({ node }) => { hot = node; if (said) said.textContent = made.getNodeAttribute(node, "said"); view.refresh(); });
    view.on("leaveNode", () => { hot = null; if (said) said.textContent = first; view.refresh(); });
    view.on("clickNode", ({ node }) => { const href = made.getNodeAttribute(node, "href"); if (href) location.href = href; });
    redraw.push(() => {
      made.forEachNode((n, d) => made.setNodeAttribute(n, "color", d.kind === "value" ? colour(d.family) : ink(d.tier === "member" ? "ink" : "none")));
      made.forEachEdge((e, d) => made.setEdgeAttribute(e, "color", colour(d.family)));
      view.setSetting("labelColor", { color: ink("ink") });
    });
    box.dataset.drawn = "yes";
  };
  document.querySelectorAll("[data-graph]").forEach(graph);
})();
